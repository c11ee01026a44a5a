"""The default window and stride of an occlusion map."""

from __future__ import annotations

_SIDE = 224  # the input size that the defaults are meant for
_WINDOW, _STRIDE = 48, 8


def default_grid(size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the default window and stride, each (rows, columns) in pixels, for inputs of `size` (height, width).

    The window is a square of 48 pixels and the stride is 8. If the shorter side of the input is under 224, both are smaller in proportion
    (rounded, at least 1), so that maps of small inputs have about as many positions.
    """
    shorter = min(*size, _SIDE)
    window, stride = (max(1, round(length * shorter / _SIDE)) for length in (_WINDOW, _STRIDE))
    return (window, window), (stride, stride)
