"""Checks of values that users and front ends pass."""

from __future__ import annotations

import math
import reprlib
from typing import TYPE_CHECKING

from deconvwidgets.errors import ServiceError

if TYPE_CHECKING:
    from typing_extensions import TypeIs

_MAX_INTEGER = 2**53


def is_integer(value: object) -> TypeIs[int]:
    """Return whether a value is an integer of at most 53 bits, and no bool."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MAX_INTEGER


def integer(value: object, name: str) -> int:
    """Return an integer of at most 53 bits, which a browser can hold. Raises ServiceError for anything else."""
    if not is_integer(value):
        raise ServiceError(f"The {name} must be an integer, not {reprlib.repr(value)}.")
    return value


def finite_number(value: object) -> float | None:
    """Return a finite number as a float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def one_of(value: object, name: str, choices: tuple[str, ...]) -> None:
    """Raise ServiceError for a value that is none of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise ServiceError(f"There is no {name} {reprlib.repr(value)}: choose {', '.join(choices[:-1])} or {choices[-1]}.")
