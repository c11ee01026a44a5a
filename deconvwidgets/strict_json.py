"""JSON of files that anybody may have written: read as the standard says, within limits, and refused in words otherwise."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

MAX_BYTES = 64 << 20
MAX_DEPTH = 100
MAX_DIGITS = 40  # of a number
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")


class StrictJsonError(ValueError):
    """A text is not JSON, or exceeds a limit. The message is the reason, for "... is damaged (reason)"."""


def read_json(path: Path, max_bytes: int = MAX_BYTES) -> Any:
    """Return the content of a JSON file.

    Raises
    ------
    OSError
        If the file cannot be read.
    StrictJsonError
        As for `parse_json`.
    """
    with path.open("rb") as file:
        return parse_json(file.read(max_bytes + 1), max_bytes)


def parse_json(data: bytes | str, max_bytes: int = MAX_BYTES) -> Any:
    """Return the value of a JSON text.

    Infinity, NaN, numbers beyond float64 and repeated names are refused, which `json.loads` accepts; so are more than 100 levels of
    brackets and numbers of more than 40 characters, for which it fails in its own ways.

    Raises
    ------
    StrictJsonError
        If it is not JSON in UTF-8, or exceeds a limit.

    Examples
    --------
    >>> parse_json('{"stride": [4, 4]}')
    {'stride': [4, 4]}
    >>> parse_json("[Infinity]")
    Traceback (most recent call last):
        ...
    deconvwidgets.strict_json.StrictJsonError: Infinity is not a number of JSON
    """
    if len(data) > max_bytes:
        raise StrictJsonError(f"it has more than {max_bytes:,} bytes")
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        _check_depth(text)
        return json.loads(text, object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise StrictJsonError("it is not text in UTF-8") from error
    except json.JSONDecodeError as error:
        raise StrictJsonError(f"it is not JSON: {error}") from error


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the parser follows it: how deep that can go depends on the stack."""
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if bracket.group() in "[{" else -1
        if depth > MAX_DEPTH:
            raise StrictJsonError(f"it is nested more than {MAX_DEPTH} levels deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise StrictJsonError(f"the name {_shown(repeated)} occurs twice in an object")
    return content


def _integer(digits: str) -> int:
    _check_digits(digits)
    return int(digits)


def _float(digits: str) -> float:
    _check_digits(digits)
    value = float(digits)
    if not math.isfinite(value):
        raise StrictJsonError(f"the number {digits} is too large")
    return value


def _check_digits(digits: str) -> None:
    if len(digits) > MAX_DIGITS:
        raise StrictJsonError(f"a number has {len(digits):,} characters")


def _constant(name: str) -> float:
    raise StrictJsonError(f"{name} is not a number of JSON")


def _shown(name: str) -> str:
    return repr(name if len(name) <= MAX_DIGITS else f"{name[:MAX_DIGITS]}...")
