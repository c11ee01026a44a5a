"""How much may change before a check fails, and what counts as a change."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from typing import Any

from deconvwidgets.arguments import as_integer, describe, finite_number
from deconvwidgets.errors import ComparisonError
from deconvwidgets.records.unit_relations import SAME_UNIT

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?) ?%", re.ASCII)
_COUNT = re.compile(r"\d{1,15}", re.ASCII)

LimitLike = int | str | None


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of units, or a percentage of those that were active when they were frozen; without both, any number.

    Examples
    --------
    >>> Limit.of("5%").allowed(1152), Limit.of(3).allowed(1152), Limit.of(None).allowed(1152)
    (57, 3, 1152)
    """

    count: int | None = None
    percent: float | None = None

    @classmethod
    def of(cls, value: object, name: str = "limit") -> Limit:
        """Return the limit of an integer, or of a text such as "5%" or "3"; None is no limit. Raises ComparisonError for anything else."""
        if value is None or isinstance(value, Limit):
            return cls() if value is None else value
        count = as_integer(value)
        if isinstance(value, str):
            percent = _PERCENT.fullmatch(value.strip())
            if percent is not None and float(percent[1]) <= 100:
                return cls(percent=float(percent[1]))
            count = int(value) if _COUNT.fullmatch(value.strip()) else None
        if count is None or count < 0:
            raise ComparisonError(
                f"{name} must be a number of units such as 3, or a percentage from '0%' to '100%', not {describe(value)}."
            )
        return cls(count=count)

    def allowed(self, units: int) -> int:
        """Return how many of some units may change; a percentage is rounded down."""
        if self.percent is not None:
            return int(units * self.percent / 100 + 1e-9)
        return units if self.count is None else self.count

    def __str__(self) -> str:
        if self.percent is not None:
            return f"{self.percent:g}%"
        return "any number" if self.count is None else str(self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLimits:
    """The thresholds of a check.

    Attributes
    ----------
    died, changed, moved, split : Limit
        How many units may be so. "changed" counts those that are changed, lost or merged.
    correlation : float
        Units whose activations over the sampled crops correlate with at least this are the same, from 0 to 1; as `Thresholds.same`.
    overlap : float
        The share of a unit's strongest photographs that must be among the strongest again, from 0 to 1.
    likeness : float
        The correlation that the descriptors of its projections must have on average, from 0 to 1.
    scale : float
        The factor by which the mean activation may grow or shrink, at least 1.
    """

    died: Limit = Limit(count=0)
    changed: Limit = Limit(percent=5.0)
    moved: Limit = Limit()
    split: Limit = Limit()
    correlation: float = SAME_UNIT
    overlap: float = 0.3
    likeness: float = 0.7
    scale: float = 4.0

    @classmethod
    def checked(cls, **values: Any) -> CheckLimits:
        """Return the thresholds of arguments. Raises ComparisonError for an invalid one."""
        checked: dict[str, Any] = {}
        for field in fields(cls):
            if field.name not in values:
                continue
            value = values[field.name]
            if field.name in ("died", "changed", "moved", "split"):
                checked[field.name] = Limit.of(value, f"max_{field.name}")
            elif field.name == "scale":
                checked[field.name] = _number(value, "max_scale", 1.0, math.inf)
            else:
                checked[field.name] = _number(value, f"min_{field.name}", 0.0, 1.0)
        return cls(**checked)


def _number(value: object, name: str, low: float, high: float) -> float:
    number = finite_number(value)
    if number is None or not low <= number <= high:
        expected = f"from {low:g} to {high:g}" if high <= 1 else f"of at least {low:g}"
        raise ComparisonError(f"{name} must be a number {expected}, not {describe(value)}.")
    return number
