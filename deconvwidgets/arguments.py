"""Checks of arguments that users and front ends pass.

As in PyTorch and scikit-learn, integers are Python's and NumPy's, and arrays and tensors without dimensions. Bools, floats (3.0 as well),
strings and None are none, and are refused by the name of the argument: a value is never rounded or cut.
"""

from __future__ import annotations

import math
import operator
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import DeconvWidgetsError, ServiceError

if TYPE_CHECKING:
    from typing_extensions import TypeIs

T = TypeVar("T")
_MAX_INTEGER = 2**53  # exact in a browser, and in a float64

Error = type[DeconvWidgetsError] | type[ValueError] | type[TypeError]


def is_integer(value: object) -> TypeIs[int]:
    """Return whether a value is a Python integer of at most 53 bits, and no bool."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MAX_INTEGER


def as_integer(value: object) -> int | None:
    """Return an integer of Python, NumPy or PyTorch of at most 53 bits as an int; None for anything else."""
    if not _is_scalar(value):
        return None
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None
    return number if abs(number) <= _MAX_INTEGER else None


def integer(value: object, name: str, low: int | None = None, high: int | None = None, error: Error = ServiceError) -> int:
    """Return an integer as an int.

    Parameters
    ----------
    value : object
        The argument.
    name : str
        Its name, for the error message.
    low, high : int, optional
        The smallest and the largest valid value.
    error : type
        The class of the error.

    Raises
    ------
    DeconvWidgetsError or ValueError
        For anything else, and for integers of more than 53 bits, which a browser cannot hold.
    """
    number = as_integer(value)
    if number is None or (low is not None and number < low) or (high is not None and number > high):
        raise error(f"{name} must be an integer{_range(low, high)}, not {describe(value)}.")
    return number


def finite_number(value: object) -> float | None:
    """Return a finite real number of Python, NumPy or PyTorch as a float; None for anything else."""
    if not _is_scalar(value) or not (isinstance(value, int | float) or _is_real(value)):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def number(value: object, name: str, expected: str = "a finite number", low: float = -math.inf, error: Error = ServiceError) -> float:
    """Return a finite number of at least `low` as a float. Raises `error`, which says what is `expected`, for anything else."""
    checked = finite_number(value)
    if checked is None or checked < low:
        raise error(f"{name} must be {expected}, not {describe(value)}.")
    return checked


def positive_number(value: object, name: str, error: Error = ServiceError) -> float:
    """Return a finite number greater than 0 as a float. Raises `error` for anything else."""
    return number(value, name, "a finite number greater than 0", math.ulp(0.0), error)


def integer_array(
    value: object, name: str, shapes: Sequence[tuple[int, ...]], expected: str, error: Error = ServiceError
) -> NDArray[np.int64]:
    """Return integers as an array.

    Parameters
    ----------
    value : object
        An integer, a sequence, an array, or a tensor on the CPU.
    name : str
        The name of the argument, for the error message.
    shapes : sequence of tuples of int
        The valid shapes.
    expected : str
        What is valid, for the error message.
    error : type
        The class of the error.

    Raises
    ------
    DeconvWidgetsError or ValueError
        For other shapes and for anything but integers; floats are not rounded.
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):  # rows of different lengths, or an object that is no array
        array = np.array(None)
    if (
        array.dtype.kind not in "iu"
        or array.shape not in shapes
        or _contains_bool(value)
        or (array.size and int(array.max()) > _MAX_INTEGER)
    ):
        raise error(f"{name} must be {expected}, not {describe(value)}.")
    return array.astype(np.int64)


def integers(
    value: object, name: str, expected: str, low: int | None = None, high: int | None = None, error: Error = ServiceError
) -> list[int]:
    """Return the integers of an iterable, of any length, as a list. Raises `error`, which says what is `expected`, for anything else."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable) or getattr(value, "shape", None) == ():
        raise error(f"{name} must be {expected}, not {describe(value)}.")
    return [integer(part, f"each of {name}", low, high, error) for part in value]


def one_of(value: object, name: str, choices: tuple[str, ...], error: Error = ServiceError) -> None:
    """Raise `error` for a value that is none of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise error(f"There is no {name} {describe(value)}: choose {', '.join(choices[:-1])} or {choices[-1]}.")


def flag(value: object, name: str, error: Error = ServiceError) -> bool:
    """Return a bool. Raises `error` for anything else."""
    if not isinstance(value, bool | np.bool_):
        raise error(f"{name} must be True or False, not {describe(value)}.")
    return bool(value)


def text(value: object, name: str, expected: str, error: Error = ServiceError) -> str:
    """Return a string that is not empty. Raises `error`, which says what is `expected`, for anything else."""
    if not isinstance(value, str) or not value:
        raise error(f"{name} must be {expected}, not {describe(value)}.")
    return str(value)


def texts(value: object, name: str, expected: str, error: Error = ServiceError) -> list[str]:
    """Return a sequence of strings as a list; one string as a list of one. Raises `error` for anything else, and if there is none."""
    listed = [value] if isinstance(value, str) else value
    if isinstance(listed, np.ndarray):
        listed = listed.tolist()
    if not isinstance(listed, list | tuple) or not listed or not all(isinstance(part, str) and part for part in listed):
        raise error(f"{name} must be {expected}, not {describe(value)}.")
    return [str(part) for part in listed]


def instance(value: object, kind: type[T], name: str, error: Error = ServiceError) -> T:
    """Return a value that is an instance of a class. Raises `error` for anything else."""
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise error(f"{name} must be {article} {kind.__name__}, not {describe(value)}.")
    return value


def seconds(value: object, name: str = "timeout") -> float | None:
    """Return a number of seconds to wait, at most what the platform can wait; None for None. Raises ServiceError for anything else."""
    if value is None:
        return None
    return min(number(value, name, "a finite number of seconds, or None", 0), TIMEOUT_MAX)


def describe(value: object) -> str:
    """Return a short description of a value for an error message."""
    shape, dtype = getattr(value, "shape", ()), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and shape and dtype is not None:
        return f"an array of shape {tuple(shape)} and type {dtype}"
    return reprlib.repr(value)


def _range(low: int | None, high: int | None) -> str:
    if low is not None and high is not None:
        return f" from {low:,} to {high:,}"
    return "" if low is None else f" of at least {low:,}"


def _is_scalar(value: object) -> bool:
    """Return whether a value has no dimensions, and is no bool."""
    if isinstance(value, bool | np.bool_) or "bool" in str(getattr(value, "dtype", "")):
        return False
    return getattr(value, "shape", ()) == ()


def _is_real(value: object) -> bool:
    """Return whether a value is a number or an array of NumPy or PyTorch, and neither complex nor text."""
    dtype = str(getattr(value, "dtype", ""))
    return "int" in dtype or "float" in dtype


def _contains_bool(value: Any) -> bool:
    """Return whether a value is a bool, or has one in a list: NumPy reads [True, 2] as integers."""
    if isinstance(value, list | tuple):
        return any(_contains_bool(part) for part in value)
    return isinstance(value, bool | np.bool_)
