"""Finding a layer by its name."""

from __future__ import annotations

import difflib

from deconvwidgets.errors import LayerError
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.overview import Overview


def find_layer(overview: Overview, name: object) -> LayerInfo:
    """Return the layer of that name or alias. Raises LayerError, which lists the names."""
    layers = [summary.info for summary in overview.layers]
    for info in layers:
        if name in (info.alias, info.name):
            return info
    known = [info.short_name for info in layers]
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise LayerError(f"{overview.model} has no layer {name!r} to explore.{hint} Its layers are {', '.join(known)}.")
