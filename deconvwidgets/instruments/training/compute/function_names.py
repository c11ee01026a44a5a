"""How a function of a recipe is written: by its name, and by what it computes if others can have the same name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from types import CodeType, FunctionType
from typing import Any

_DEPTH = 4  # of functions that functions have in their closures and arguments


def function_name(value: Callable[..., Any]) -> str:
    """Return the name of a function, with a digest of its code, defaults and closure if it is nested, a lambda or a partial.

    The digest is another one in another version of Python. Objects that can be called have the name of their class.
    """
    name = str(getattr(value, "__qualname__", type(value).__qualname__))
    if isinstance(value, partial):
        name = f"partial({getattr(value.func, '__qualname__', type(value.func).__qualname__)})"
    elif "<" not in name:
        return name
    return f"{name} {hashlib.sha256(repr(_parts(value, _DEPTH)).encode()).hexdigest()[:12]}"


def _parts(value: Any, depth: int) -> Any:
    """Return what a value is, as plain values whose repr is the same in each process."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return value
    if depth and isinstance(value, list | tuple):
        return [_parts(entry, depth) for entry in value]
    if depth and isinstance(value, set | frozenset):
        return sorted(repr(_parts(entry, depth)) for entry in value)
    if depth and isinstance(value, dict):
        return [[repr(key), _parts(entry, depth - 1)] for key, entry in value.items() if isinstance(key, str | int)]
    if depth and isinstance(value, partial):
        return [_parts(part, depth - 1) for part in (value.func, value.args, dict(sorted(value.keywords.items())))]
    if depth and isinstance(value, FunctionType):
        cells = [_content(cell) for cell in value.__closure__ or ()]
        held = (value.__defaults__, value.__kwdefaults__, cells)
        return [value.__qualname__, _parts(value.__code__, depth), [_parts(part, depth - 1) for part in held]]
    if isinstance(value, CodeType):
        return [value.co_code, value.co_names, [_parts(constant, depth) for constant in value.co_consts]]
    return getattr(value, "__qualname__", type(value).__qualname__)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None
