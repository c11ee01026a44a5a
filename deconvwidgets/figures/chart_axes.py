"""Charts of lines in drawings: axes, grid, and lines between points."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deconvwidgets.figures.drawing import Drawing, Polyline, Rectangle, Text, Tone

_LABELS = 46.0  # the width of the numbers beside the axis
_X_TICKS = 6
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Axis:
    """A vertical axis from `low` to `high`, which are logarithms to base 10 if `logarithmic`. `ticks` are (value, text)."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool = False

    def height(self, value: float) -> float:
        """Return the height of a value, from 0 at the bottom to 1 at the top."""
        place = math.log10(value) if self.logarithmic else value
        return (place - self.low) / (self.high - self.low)


def linear_axis(values: Iterable[float]) -> Axis:
    """Return an axis from 0 to a round number above all values.

    Examples
    --------
    >>> [text for _, text in linear_axis([0.2, 4.61]).ticks]
    ['0', '2', '4', '6']
    """
    highest = max(values, default=0.0)
    highest = highest if highest > 0 else 1.0
    step = _round_step(highest / 4)
    count = math.ceil(highest / step - 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return Axis(0.0, count * step, tuple((number * step, f"{number * step:.{digits}f}") for number in range(count + 1)))


def log_axis(values: Iterable[float]) -> Axis:
    """Return a logarithmic axis between powers of ten around all values, which are positive.

    Examples
    --------
    >>> [text for _, text in log_axis([2e-4, 0.05]).ticks]
    ['10⁻⁴', '10⁻³', '10⁻²', '0.1']
    """
    exponents = [math.log10(value) for value in values] or [-3.0, 0.0]
    margin = 0.5 if max(exponents) - min(exponents) < 1e-9 else 0.0  # a constant is drawn at half the height
    low, high = math.floor(min(exponents) - margin + 1e-9), math.ceil(max(exponents) + margin - 1e-9)
    stride = math.ceil((high - low) / 6)
    powers = range(low, high + 1, stride)
    return Axis(float(low), float(high), tuple((10.0**power, _power_text(power)) for power in powers), logarithmic=True)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart in the box (x, y, width, height) with room for the numbers of the axis.

    Its horizontal axis goes from `minimum` to `maximum`, with whole numbers below it unless `whole` is False.
    """

    x: float
    y: float
    width: float
    height: float
    axis: Axis
    maximum: float
    minimum: float = 0.0
    whole: bool = True

    @property
    def top(self) -> float:
        return self.y

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def x_of(self, value: float) -> float:
        """Return the place of a value on the horizontal axis."""
        return self.x + _LABELS + (self.width - _LABELS) * (value - self.minimum) / (self.maximum - self.minimum)

    def y_of(self, value: float) -> float:
        """Return the place of a value on the vertical axis."""
        return self.bottom - self.height * self.axis.height(value)

    def draw(self, drawing: Drawing) -> None:
        """Add the grid and the numbers of both axes."""
        left = self.x + _LABELS
        for value, text in self.axis.ticks:
            y = self.y_of(value)
            drawing.add(Rectangle(left, y, self.width - _LABELS, 1, "line"), Text(left - 8, y + 4, text, 12, "quiet", anchor="end"))
        rough = _round_step((self.maximum - self.minimum) / _X_TICKS)
        step = max(1.0, rough) if self.whole else rough
        for number in range(math.ceil(self.minimum / step - 1e-9), math.floor(self.maximum / step + 1e-9) + 1):
            x = self.x_of(number * step)
            drawing.add(Text(x + 4, self.bottom + 20, f"{number * step:g}", 12, "quiet", anchor="end"))

    def line(self, points: Sequence[tuple[float, float]], tone: Tone, dashed: bool = False) -> list[Polyline | Rectangle]:
        """Return the line through points (x, y), or a dot if there is only one."""
        places = tuple((self.x_of(x), self.y_of(y)) for x, y in points)
        if len(places) == 1:
            return [Rectangle(places[0][0] - 3, places[0][1] - 3, 6, 6, tone)]
        return [Polyline(places, tone, 2.0, dashed)]

    def draw_triangle(self, drawing: Drawing, value: float) -> None:
        """Mark a value on the horizontal axis."""
        x = self.x_of(value)
        for row in range(5):  # a triangle that stands below the axis
            drawing.add(Rectangle(x - row, self.bottom + 1 + row, 2 * row + 1, 1, "accent"))


def _power_text(exponent: int) -> str:
    return f"{10.0**exponent:g}" if -1 <= exponent <= 3 else f"10{str(exponent).translate(_SUPERSCRIPTS)}"


def _round_step(rough: float) -> float:
    """Return 1, 2 or 5 times a power of ten that is at least `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next((factor for factor in (1, 2, 5) if factor * power >= rough * (1 - 1e-9)), 10) * power
