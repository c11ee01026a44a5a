"""A classifier's classes by their names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from deconvwidgets.errors import OcclusionError

_HINTS = 4
CLASS_NAMES_HINT = (
    "If the network itself ends in class logits, say so: dw.ModelBundle.from_module(net, ..., categories=[...]), "
    "with a name for each class."
)


def class_index(name: str, names: Sequence[str], model: str, whole_list: str) -> int:
    """The number of a class; upper and lower case alike where no name is quite the same, and of equal names the lowest.

    Raises OcclusionError where `model` has none of that name: with the closest ones, and with `whole_list`, which says where all are.
    """
    lowered = [one.lower() for one in names]
    wanted = name.strip().lower()
    for known, asked in ((names, name), (lowered, wanted)):
        if asked in known:
            return known.index(asked)
    close = [names[lowered.index(one)] for one in difflib.get_close_matches(wanted, list(dict.fromkeys(lowered)), n=_HINTS)]
    if len(wanted) > 2:
        close += [one for one in names if wanted in one.lower() and one not in close]
    hint = f"Did you mean {', '.join(map(repr, close[:_HINTS]))}? " if close else ""
    raise OcclusionError(f"{model} has no class {name!r}. {hint}{whole_list}")
