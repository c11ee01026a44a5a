"""How a record that holds arrays looks as the last line of a cell: one line, not its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

_LONGEST = 60  # characters of one field


def compact_repr(record: Any) -> str:
    """The repr of a dataclass in one line: arrays by type and shape, bytes and what has many items by their number, long words cut, and
    other objects that have much to say by their class. For `__repr__ = compact_repr` in the class's body."""
    shown = (f"{field.name}={_short(getattr(record, field.name))}" for field in fields(record) if field.repr)
    return f"{type(record).__name__}({', '.join(shown)})"


def describe_accuracy(per_fold: Sequence[float]) -> str:
    """Mean and standard deviation of accuracies (shares) over folds: "86.1 ± 0.4 % in 3 folds"."""
    if not per_fold:
        return "no fold done"
    folds = "1 fold" if len(per_fold) == 1 else f"{len(per_fold)} folds"
    return f"{100 * np.mean(per_fold):.1f} ± {100 * np.std(per_fold):.1f} % in {folds}"


def _short(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"<{value.dtype} {' x '.join(map(str, value.shape)) or 'scalar'}>"
    if isinstance(value, bytes):
        return f"<{len(value):,} bytes>"
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…")
    words = repr(value)
    if len(words) <= _LONGEST and "\n" not in words:
        return words
    items = len(value) if isinstance(value, tuple | list | Mapping) else 0
    return f"<{items:,} item{'s' if items > 1 else ''}>" if items else f"<{type(value).__name__}>"
