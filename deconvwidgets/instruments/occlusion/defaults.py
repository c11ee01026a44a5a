"""How large an occluding window is, and how far apart its places lie, where nobody says."""

from __future__ import annotations

_SIDE = 224  # of the inputs that the lengths below are meant for
_WINDOW, _STRIDE = 48, 8


def default_grid(size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """(window, stride), each (rows, columns) in pixels, for a model's input of `size` (height, width).

    A square of 48 pixels every 8; where the input's shorter side is under 224, both are smaller in proportion (rounded, 1 at least): a
    window of the same share of the picture gives a map of much the same number of places.
    """
    shorter = min(*size, _SIDE)
    window, stride = (max(1, round(length * shorter / _SIDE)) for length in (_WINDOW, _STRIDE))
    return (window, window), (stride, stride)
