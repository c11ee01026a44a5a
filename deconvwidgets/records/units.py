"""Units whose maps are multiplied by a factor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnitFactor:
    """A unit whose map is multiplied by a factor: 0 switches it off."""

    layer: str  # the name by which an overview lists the layer
    unit: int
    factor: float


def describe_units(factors: Iterable[float]) -> str:
    """Return how many units are off, or changed if some are not off; "" if there is none.

    Examples
    --------
    >>> describe_units([0.0, 0.0]), describe_units([0.0, 0.5]), describe_units([])
    ('2 units off', '2 units changed', '')
    """
    values = list(factors)
    if not values:
        return ""
    return f"{len(values):,} unit{'' if len(values) == 1 else 's'} {'changed' if any(values) else 'off'}"


def units_sentence(units: Sequence[UnitFactor]) -> str:
    """Return a sentence on the units that are switched off or scaled, for a caption; "" if there is none.

    Examples
    --------
    >>> units_sentence([UnitFactor("conv5", 133, 0.0)])
    'With 1 unit off: conv5 133 off.'
    """
    return f"With {describe_units(one.factor for one in units)}: {list_units(units)}." if units else ""


def list_units(units: Sequence[UnitFactor], limit: int = 12) -> str:
    """Return units in words: "conv4 7 × 0.5, conv5 133 off"; after `limit` units, how many more there are.

    Examples
    --------
    >>> list_units([UnitFactor("conv4", 7, 0.5), UnitFactor("conv5", 133, 0.0)])
    'conv4 7 × 0.5, conv5 133 off'
    """
    named = [f"{one.layer} {one.unit} {f'× {one.factor:g}' if one.factor else 'off'}" for one in units[:limit]]
    return ", ".join([*named, *([f"and {len(units) - limit} more"] if len(units) > limit else [])])
