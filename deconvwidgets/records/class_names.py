"""Lookup of classes by name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from deconvwidgets.errors import OcclusionError

_MAX_SUGGESTIONS = 4
CLASS_NAMES_HINT = (
    "If the output of the network is class logits, give the classes names: dw.ModelBundle.from_module(net, ..., categories=[...])."
)


def class_index(name: str, names: Sequence[str], model: str, hint: str) -> int:
    """Return the index of a class by its name.

    An exact match is preferred to one that differs in case, and the lowest index is returned if several names match.

    Parameters
    ----------
    name : str
        The name to look up.
    names : sequence of str
        The names of all classes.
    model : str
        The name of the model, for the error message.
    hint : str
        The end of the error message: where all classes are listed.

    Returns
    -------
    int
        The index in `names`.

    Raises
    ------
    OcclusionError
        If there is no such class. The message contains the closest names.
    """
    lowered_names = [known.lower() for known in names]
    lowered = name.strip().lower()
    for candidates, key in ((names, name), (lowered_names, lowered)):
        if key in candidates:
            return candidates.index(key)
    close = [
        names[lowered_names.index(match)]
        for match in difflib.get_close_matches(lowered, list(dict.fromkeys(lowered_names)), n=_MAX_SUGGESTIONS)
    ]
    if len(lowered) > 2:
        close += [known for known in names if lowered in known.lower() and known not in close]
    suggestion = f"Did you mean {', '.join(map(repr, close[:_MAX_SUGGESTIONS]))}? " if close else ""
    raise OcclusionError(f"{model} has no class {name!r}. {suggestion}{hint}")
