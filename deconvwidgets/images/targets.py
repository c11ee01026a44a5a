"""What photographs are labelled with, as plain Python values: class numbers or names, several of them, or values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from deconvwidgets.images.image_set import ImageSet, digest_of

_MISSING = ("NAType", "NaTType")  # of pandas


def targets_of(images: ImageSet) -> list[object]:
    """Return the targets of all photographs as `plain_target` does. A data set that does not list them loads its items."""
    return [plain_target(images.target(source)) for source in range(images.source_count)]


def plain_target(value: Any) -> object:
    """Return a target without NumPy, PyTorch or pandas.

    Parameters
    ----------
    value : object
        A name, a number, an array or sequence of these, or a set.

    Returns
    -------
    object
        A str, bool, int or float, a tuple or frozenset of these, or None for a missing value (None, NaN).
    """
    as_list = getattr(value, "tolist", None) or getattr(value, "to_list", None)  # polars has the second one
    if callable(as_list):
        value = as_list()
    if value is None or type(value).__name__ in _MISSING or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return str(value)
    if isinstance(value, set | frozenset):
        return frozenset(plain_target(part) for part in value)
    return tuple(plain_target(part) for part in value) if isinstance(value, Sequence) else value


def targets_digest(targets: Iterable[object]) -> str:
    """Return the digest of plain targets, which is the same in every process."""
    return digest_of(repr(sorted(target, key=repr) if isinstance(target, frozenset) else target) for target in targets)
