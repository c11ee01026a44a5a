"""Boxes and affine maps between pixel grids.

Positions are (row, column). Boxes are half-open (left, top, right, bottom) in pixels and may extend beyond the image.
"""

from __future__ import annotations

from dataclasses import dataclass

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Geometry:
    """An affine map from source pixels to input pixels: input = source * scale + shift, as (x, y)."""

    scale: tuple[float, float]
    shift: tuple[float, float]

    def to_source(self, box: Box) -> tuple[float, float, float, float]:
        """Return a box in input pixels as (left, top, right, bottom) in source pixels, not clipped to the image."""
        (sx, sy), (tx, ty) = self.scale, self.shift
        left, top, right, bottom = box
        return ((left - tx) / sx, (top - ty) / sy, (right - tx) / sx, (bottom - ty) / sy)

    def after(self, first: Geometry) -> Geometry:
        """Return the map that applies `first` and then this one."""
        return Geometry(
            (first.scale[0] * self.scale[0], first.scale[1] * self.scale[1]),
            (first.shift[0] * self.scale[0] + self.shift[0], first.shift[1] * self.scale[1] + self.shift[1]),
        )
