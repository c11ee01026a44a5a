"""One-line representations of records that contain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

_MAX_LENGTH = 60  # characters of one field


def compact_repr(record: Any) -> str:
    """Return a one-line representation of a dataclass instance.

    Arrays are represented by dtype and shape, bytes and long collections by their length, other long values by their class; long
    strings are cut. Assign it in the body of a dataclass: `__repr__ = compact_repr`.
    """
    parts = (f"{field.name}={_short(getattr(record, field.name))}" for field in fields(record) if field.repr)
    return f"{type(record).__name__}({', '.join(parts)})"


def describe_accuracy(per_fold: Sequence[float]) -> str:
    """Return mean and standard deviation of accuracies (between 0 and 1) as text.

    >>> describe_accuracy([0.857, 0.865])
    '86.1 ± 0.4% in 2 folds'
    """
    if not per_fold:
        return "no fold finished"
    folds = "1 fold" if len(per_fold) == 1 else f"{len(per_fold)} folds"
    return f"{100 * np.mean(per_fold):.1f} ± {100 * np.std(per_fold):.1f}% in {folds}"


def _short(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"<{value.dtype} {' x '.join(map(str, value.shape)) or 'scalar'}>"
    if isinstance(value, bytes):
        return f"<{len(value):,} bytes>"
    if isinstance(value, str):
        return repr(value if len(value) <= _MAX_LENGTH else f"{value[: _MAX_LENGTH - 1]}…")
    text = repr(value)
    if len(text) <= _MAX_LENGTH and "\n" not in text:
        return text
    items = len(value) if isinstance(value, tuple | list | Mapping) else 0
    return f"<{items:,} item{'s' if items > 1 else ''}>" if items else f"<{type(value).__name__}>"
