"""How large an occluding window is, and how far apart its places lie, where nobody says."""

from __future__ import annotations

_SIDE = 224  # of the inputs that the lengths below are meant for
_WINDOW, _STRIDE = 48, 8


def default_grid(size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """(window, stride), each (rows, columns) in pixels, for a model's input of `size` (height, width).

    A window of 48 pixels every 8 along a side of 224 or more; along a shorter one, both are smaller in proportion (rounded, 1 at least):
    a window of the same share of the picture gives a map of much the same number of places.
    """
    height, width = size
    return (_share(_WINDOW, height), _share(_WINDOW, width)), (_share(_STRIDE, height), _share(_STRIDE, width))


def _share(length: int, side: int) -> int:
    return max(1, round(length * min(side, _SIDE) / _SIDE))
