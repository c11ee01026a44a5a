"""How a function of a recipe is written: by its name, and by what it computes if others can have the same name."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from functools import partial
from types import CodeType, FunctionType
from typing import Any

_PYTHON = "{}.{}".format(*sys.version_info[:2])
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


def function_code(value: Callable[..., Any]) -> str | None:
    """Return the version of Python and a digest of what a function computes; None for other objects that can be called.

    Its code, defaults, closure and the plain global values and functions that it reads count, also for functions with a name of their own.
    """
    held = value.func if isinstance(value, partial) else value
    function = getattr(held, "__func__", held)  # of a method
    if not isinstance(function, FunctionType):
        return None
    read = {name: function.__globals__[name] for name in function.__code__.co_names if name in function.__globals__}
    kinds = (int, float, str, tuple, FunctionType)  # others may change between two calls
    parts = [_parts(value if held is function else function, _DEPTH)]
    parts += [(name, _parts(entry, _DEPTH)) for name, entry in read.items() if isinstance(entry, kinds)]
    return f"{_PYTHON} {hashlib.sha256(repr(parts).encode()).hexdigest()}"


def is_same_code(before: str | None, now: str | None) -> bool:
    """Return whether two `function_code` are of the same code, or cannot be compared: other versions of Python have other code."""
    return before is None or now is None or before.split()[0] != now.split()[0] or before == now


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
