"""The keyword arguments of widgets: ipywidgets would ignore a misspelt one."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

from traitlets import HasTraits


def refuse_unknown(widget: type[HasTraits], options: Mapping[str, Any]) -> None:
    """Raise TypeError for a name that is neither a parameter nor a trait of a widget, with the most similar one."""
    parameters = [name for name, parameter in inspect.signature(widget).parameters.items() if parameter.kind != parameter.VAR_KEYWORD]
    known = [*parameters, *widget.class_trait_names()]
    for name in options:
        if name not in known:
            close = difflib.get_close_matches(name, [name for name in known if not name.startswith("_")], n=1)
            hint = f" Did you mean {close[0]!r}?" if close else f" Its arguments are {', '.join(parameters)}."
            raise TypeError(f"{widget.__name__} has no argument {name!r}.{hint}")
