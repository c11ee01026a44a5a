"""The surgeries that may mend the findings of units, of which only those that the network allows are suggested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from deconvwidgets.errors import LayerError, ModelError
from deconvwidgets.instruments.diagnosis.compute.unit_checks import Dominating, LayerUnits
from deconvwidgets.instruments.diagnosis.limits import ENOUGH_PHOTOGRAPHS
from deconvwidgets.instruments.diagnosis.records import SuggestedSurgery
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.surgery import insert_normalization, remove_units

MAX_REMOVED = 256  # units that one surgery names


def removal(bundle: ModelBundle, layers: Sequence[LayerUnits], photographs: int) -> tuple[SuggestedSurgery, ...]:
    """Return the surgery that removes dead units of all layers that allow it; none with few photographs, or too many units to name.

    Only units that are 0 are removed: what reads another constant would compute something else without it. It runs the model: hold the
    device lease.
    """
    dead = {units.info.short_name: np.flatnonzero(units.dead & (units.maximum == 0)).tolist() for units in layers}
    if photographs < ENOUGH_PHOTOGRAPHS or sum(map(len, dead.values())) > MAX_REMOVED:
        return ()
    possible = {name: numbers for name, numbers in dead.items() if numbers and _operated(remove_units, bundle, {name: numbers})}
    changed = _operated(remove_units, bundle, possible) if possible else None
    if changed is None:
        return ()
    arguments = changed.surgery[-1].arguments
    count = sum(len(numbers) for numbers in arguments["units"].values())
    return (SuggestedSurgery(f"remove {count:,} dead unit{'' if count == 1 else 's'}", "remove_units", arguments),)


def normalization(bundle: ModelBundle, layers: Sequence[Dominating]) -> tuple[SuggestedSurgery, ...]:
    """Return the surgery that inserts batch norm after the layers with dominating filters that allow it and have none.

    It runs the model: hold the device lease.
    """
    names = [one.layer for one in layers if bool((one.ratio >= one.near).any())]
    names = [name for name in names if _operated(insert_normalization, bundle, name)]
    if not names:
        return ()
    where = names[0] if len(names) == 1 else f"{len(names)} layers"
    return (SuggestedSurgery(f"batch norm after {where}", "insert_normalization", {"after": names}),)


def _operated(operation: Callable[..., ModelBundle], bundle: ModelBundle, argument: Any) -> ModelBundle | None:
    """Return the bundle after an operation; None if the network does not allow it."""
    try:
        return operation(bundle, argument)
    except (LayerError, ModelError):
        return None
