"""Values that no argument should take by accident, and what each kind of argument makes of them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

REFUSED, SKIPPED = object(), object()
Kind = Callable[[Any], Any]  # takes a value; returns the equal one of plain Python, REFUSED, or SKIPPED

VALUES: dict[str, Any] = {
    "None": None,
    "True": True,
    "numpy True": np.True_,
    "tensor True": torch.tensor(True),
    "-1": -1,
    "0": 0,
    "1": 1,
    "3": 3,
    "uint8 3": np.uint8(3),
    "int64 1": np.int64(1),
    "array 1": np.array(1),
    "tensor 1": torch.tensor(1),
    "huge": 10**30,
    "minus huge": -(10**30),
    "uint64 max": np.uint64(2**64 - 1),
    "1.0": 1.0,
    "2.7": 2.7,
    "float32 0.5": np.float32(0.5),
    "tensor 1.0": torch.tensor(1.0),
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "complex": 1j,
    "text 3": "3",
    "text array": np.array("3"),
    "empty text": "",
    "word": "nonsense",
    "NUL": "a\0b",
    "bytes": b"1",
    "[]": [],
    "()": (),
    "[1]": [1],
    "[1, 2]": [1, 2],
    "(32, 32)": (32, 32),
    "[True, 2]": [True, 2],
    "[2.7, 3.9]": [2.7, 3.9],
    "[[1, 2]]": [[1, 2]],
    "[[2.7, 3.9]]": [[2.7, 3.9]],
    "[[nan, 1]]": [[math.nan, 1]],
    "ragged": [[1], [1, 2]],
    "['3', '1']": ["3", "1"],
    "[None]": [None],
    "empty array": np.array([]),
    "empty integers": np.zeros((0, 2), np.int64),
    "array [1, 2]": np.array([1, 2], np.uint8),
    "tensor [[1, 2]]": torch.tensor([[1, 2]]),
    "float array": np.array([[2.7, 3.9]]),
    "object array": np.array([None, {}], object),
    "dict": {},
    "dict of 1": {"a": 1},
    "set": {1},
    "object": object(),
    "type": int,
    "function": lambda *_: None,
    "range": range(2),
    "backward range": range(5, 2),
}


def optional(kind: Kind) -> Kind:
    """The kind, or None."""
    return lambda value: None if value is None else kind(value)


def nothing(value: Any) -> Any:
    """No hostile value is valid."""
    return REFUSED


def whole(low: float = -math.inf, high: float = math.inf) -> Kind:
    """An integer from `low` to `high`."""

    def clean(value: Any) -> Any:
        if isinstance(value, bool | np.bool_):
            return REFUSED
        if isinstance(value, np.ndarray | torch.Tensor) and value.ndim == 0 and "int" in str(value.dtype):
            value = value.item()
        if not isinstance(value, int | np.integer):
            return REFUSED
        return int(value) if low <= int(value) <= high and abs(int(value)) <= 2**53 else REFUSED

    return clean


def wholes(*shapes: tuple[int, ...], low: int = 0, high: int = 2**53) -> Kind:
    """Integers in an array of one of the shapes."""

    def clean(value: Any) -> Any:
        if shapes and () in shapes and (number := whole(low, high)(value)) is not REFUSED:
            return number
        if isinstance(value, np.ndarray | torch.Tensor):
            value = value.tolist() if "int" in str(value.dtype) and value.ndim else None
        value = list(value) if isinstance(value, range) else value
        flat = [part for row in value for part in (row if isinstance(row, list) else [row])] if isinstance(value, list | tuple) else []
        if not flat or any(whole(low, high)(part) is REFUSED for part in flat):
            return REFUSED
        try:
            return value if np.array(value).shape in shapes else REFUSED
        except ValueError:
            return REFUSED

    return clean


def real(low: float = -math.inf, above: float = -math.inf, below: float = math.inf) -> Kind:
    """A finite number of at least `low`, greater than `above` and less than `below`."""

    def clean(value: Any) -> Any:
        if isinstance(value, bool | np.bool_):
            return REFUSED
        if isinstance(value, np.ndarray | torch.Tensor) and value.ndim == 0 and ("int" in str(value.dtype) or "float" in str(value.dtype)):
            value = value.item()
        if not isinstance(value, int | float | np.number) or not math.isfinite(value):
            return REFUSED
        return float(value) if value >= low and above < value < below else REFUSED

    return clean


def choice(*names: str) -> Kind:
    """One of some strings."""
    return lambda value: value if isinstance(value, str) and value in names else REFUSED


def boolean(value: Any) -> Any:
    """True or False."""
    return bool(value) if isinstance(value, bool | np.bool_) else REFUSED


def location(value: Any) -> Any:
    """A path that is not empty."""
    return value if isinstance(value, str | os.PathLike) and value and "\0" not in str(value) else REFUSED


def function(value: Any) -> Any:
    """A callable of any arguments."""
    return SKIPPED if value is int else value if callable(value) else REFUSED
