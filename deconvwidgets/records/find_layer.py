"""Finding a layer by its name."""

from __future__ import annotations

import difflib

from deconvwidgets.errors import LayerError
from deconvwidgets.records.layers import LayerInfo, LayerSummary
from deconvwidgets.records.overview import Overview


def known_layer(overview: Overview, name: object) -> LayerSummary | None:
    """Return the listed or opened layer of that name or alias; None if there is none."""
    for summary in (*overview.layers, *overview.opened):
        if summary.has_name(name):
            return summary
    return None


def find_summary(overview: Overview, name: object) -> LayerSummary:
    """Return the listed or opened layer of that name or alias. Raises LayerError, which lists the names."""
    found = known_layer(overview, name)
    if found is not None:
        return found
    known = [summary.short_name for summary in (*overview.layers, *overview.opened)]
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise LayerError(f"{overview.model} has no layer {name!r} to explore.{hint} Its layers are {', '.join(known)}.")


def find_layer(overview: Overview, name: object) -> LayerInfo:
    """Return the listed or opened layer of that name or alias. Raises LayerError, which lists the names."""
    return find_summary(overview, name).info
