"""The values that can be sent to a service elsewhere: numbers, texts, bytes, arrays, and records of these."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

from deconvwidgets.arguments import describe
from deconvwidgets.errors import ServiceError

_RECORDS = ("deconvwidgets.records.", "deconvwidgets.instruments.")


def plain(value: Any, name: str) -> Any:
    """Return a value to send: itself, or a dict, list, tuple or text in place of another kind of mapping, sequence or path.

    Parameters
    ----------
    value : object
    name : str
        The argument, for the message: "images of evaluation.add_images".

    Raises
    ------
    ServiceError
        For anything that lives in this process only: functions, streams, models, image sets, tensors, data frames.
    """
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | Enum | np.generic):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value
    if isinstance(value, Mapping):
        return {plain(key, name): plain(item, name) for key, item in value.items()}
    if isinstance(value, tuple) and type(value) is not tuple:  # a named tuple: its class may be known here only
        return tuple(plain(item, name) for item in value)
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(plain(item, name) for item in value) if type(value) in (list, tuple, set, frozenset) else list(value)
    if isinstance(value, range):
        return value
    if is_dataclass(value) and not isinstance(value, type) and type(value).__module__.startswith(_RECORDS):
        for field in fields(value):
            plain(getattr(value, field.name), f"{field.name} in {name}")
        return value
    raise ServiceError(_refusal(value, name))


def _refusal(value: Any, name: str) -> str:
    if callable(value):
        return (
            f"{name} is a function, {describe(value)}, which cannot be sent to a service elsewhere: leave it out, and subscribe to events."
        )
    if callable(getattr(value, "read", None)):
        return f"{name} is an open file or stream, which cannot be sent to a service elsewhere: read it, and pass the bytes."
    return (
        f"{name} is a {type(value).__name__} of this notebook, which cannot be sent to a service elsewhere: numbers, texts, bytes, arrays "
        "of NumPy and records of these can. Name an image set by its absolute path on the service's machine, or upload it as a zip."
    )
