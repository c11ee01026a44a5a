"""The plain values of a manifest, which may come from anybody's file: of the right kind and size, or refused."""

from __future__ import annotations

from typing import Any

from deconvwidgets.arguments import as_integer, describe

MOST = 2**31 - 1  # channels, pixels, photographs: products of two fit into 64 bits


def text(value: object) -> str:
    """Return a string. Raises ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError(f"{describe(value)} is not text")
    return value


def whole(value: object, low: int = 0, high: int = MOST) -> int:
    """Return an integer from `low` to `high`. Raises ValueError for anything else."""
    number = None if isinstance(value, bool) else as_integer(value)
    if number is None or not low <= number <= high:
        raise ValueError(f"{describe(value)} is not an integer from {low} to {high}")
    return number


def listed(value: object) -> list[Any]:
    """Return a list. Raises ValueError for anything else."""
    if not isinstance(value, list):
        raise ValueError(f"{describe(value)} is not a list")
    return value


def pair(value: object, low: int = 0, high: int = MOST) -> tuple[int, int]:
    """Return two integers from `low` to `high`. Raises ValueError for anything else."""
    first, second = listed(value)
    return whole(first, low, high), whole(second, low, high)
