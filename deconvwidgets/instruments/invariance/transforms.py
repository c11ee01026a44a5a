"""The transformations of a photograph: their names, units, ranges and default amounts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from deconvwidgets.arguments import describe, finite_number, one_of
from deconvwidgets.errors import InvarianceError

Transform = Literal["translate", "translate_x", "scale", "rotate", "blur", "brightness", "noise", "jpeg"]
TRANSFORMS: tuple[Transform, ...] = get_args(Transform)
MAX_AMOUNTS = 1000
_REFERENCE_SIDE = 224  # pixels of the input that the amounts of figure 5 are for


@dataclass(frozen=True, slots=True)
class TransformKind:
    """One transformation.

    Attributes
    ----------
    name : str
        As in `dw.invariance(..., transform=name)`.
    label : str
        Its name on axes and sliders.
    unit : str
        The unit of its amounts: "px", "x", "°" or "".
    low, high : float
        The smallest and largest amount that is allowed.
    first, last, step : float
        The default amounts, and the range of a slider. Those of a translation or blur are for an input of 224 pixels.
    neutral : float or None
        The amount that changes nothing; None if every amount changes the photograph.
    whole : bool
        Whether amounts are whole numbers.
    in_pixels : bool
        Whether amounts are pixels of the model's input.
    """

    name: Transform
    label: str
    unit: str
    low: float
    high: float
    first: float
    last: float
    step: float
    neutral: float | None
    whole: bool = False
    in_pixels: bool = False

    def amounts(self, side: int) -> tuple[float, ...]:
        """Return the default amounts for a model's input whose shorter side has `side` pixels, each once.

        Examples
        --------
        >>> kind_of("translate").amounts(224)[:3]
        (-60.0, -54.0, -48.0)
        >>> kind_of("translate").amounts(32)[:3]
        (-9.0, -8.0, -7.0)
        """
        count = round((self.last - self.first) / self.step) + 1
        scale = side / _REFERENCE_SIDE if self.in_pixels else 1.0
        plain = [round((self.first + number * self.step) * scale, 4) for number in range(count)]
        return tuple(dict.fromkeys(float(round(value)) if self.whole else value for value in plain))

    def format(self, amount: float) -> str:
        """Return an amount with its unit: "12 px", "1.2x", "45°"."""
        text = f"{amount:g}"
        return f"{text} {self.unit}" if self.unit == "px" else f"{text}{self.unit}"

    def checked(self, amount: object) -> float:
        """Return an amount as a float. Raises InvarianceError if it is none, or out of range."""
        number = finite_number(amount)
        if number is None or not self.low <= number <= self.high or (self.whole and number != round(number)):
            kind = "a whole number" if self.whole else "a number"
            raise InvarianceError(
                f"An amount of {self.name!r} must be {kind} from {self.low:g} to {self.high:g}{f' {self.unit}' if self.unit else ''}, "
                f"not {describe(amount)}."
            )
        return number


_KINDS = (
    TransformKind("translate", "Vertical translation", "px", -4096, 4096, -60, 60, 6, 0, whole=True, in_pixels=True),
    TransformKind("translate_x", "Horizontal translation", "px", -4096, 4096, -60, 60, 6, 0, whole=True, in_pixels=True),
    TransformKind("scale", "Scale", "x", 0.1, 10, 1, 1.8, 0.04, 1),
    TransformKind("rotate", "Rotation", "°", -3600, 3600, 0, 345, 15, 0),
    TransformKind("blur", "Blur", "px", 0, 64, 0, 5, 0.25, 0, in_pixels=True),
    TransformKind("brightness", "Brightness", "x", 0, 8, 0.25, 1.75, 0.075, 1),
    TransformKind("noise", "Noise", "", 0, 255, 0, 60, 3, 0),
    TransformKind("jpeg", "JPEG quality", "", 1, 100, 5, 100, 5, None, whole=True),
)


def kind_of(transform: object) -> TransformKind:
    """Return a transformation by its name. Raises InvarianceError if there is none of that name."""
    one_of(transform, "transform", TRANSFORMS, InvarianceError)
    return _KINDS[TRANSFORMS.index(transform)]


def checked_amounts(kind: TransformKind, amounts: Any, side: int) -> tuple[float, ...]:
    """Return amounts as floats, each once, in the given order; the default ones for None.

    Raises
    ------
    InvarianceError
        If there is none, or more than 1,000, or if one is out of range.
    """
    if amounts is None:
        return kind.amounts(side)
    if isinstance(amounts, str | bytes | dict) or not isinstance(amounts, Iterable) or getattr(amounts, "shape", None) == ():
        raise InvarianceError(f"amounts must be one or more numbers, such as {kind.amounts(side)[:3]}, not {describe(amounts)}.")
    checked = tuple(dict.fromkeys(kind.checked(amount) for amount in amounts))
    if not 1 <= len(checked) <= MAX_AMOUNTS:
        raise InvarianceError(f"amounts must be 1 to {MAX_AMOUNTS:,} different numbers, not {len(checked):,}.")
    return checked


def is_neutral(kind: TransformKind, amount: float) -> bool:
    """Return whether an amount changes nothing: whole turns of a rotation, too."""
    if kind.neutral is None:
        return False
    return math.remainder(amount, 360.0) == 0 if kind.name == "rotate" else amount == kind.neutral
