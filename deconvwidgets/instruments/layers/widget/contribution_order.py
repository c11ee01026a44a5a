"""The order of units by their contributions to a class, in figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from deconvwidgets.arguments import is_integer
from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.contributions.records import Pending
from deconvwidgets.instruments.contributions.widget.messages import contributions_of
from deconvwidgets.records.class_names import class_index

_UNITS = 16  # of a figure that names no number
_HINT = "Set target to one of the model's classes, or sort by something else."


def with_ordered_units(service: Any, state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the state for a figure: one sorted by contributions names its units.

    Raises
    ------
    ServiceError
        While the contributions are computed.
    """
    if state.get("sort") != "contribution":
        return state
    given, target = state.get("units"), state.get("target")
    if target is None or isinstance(given, list | tuple | Mapping):
        return {**state, "sort": "strongest"}
    api = contributions_of(service)
    found = api.class_contributions(state["layer"], class_index(target, api.classes(), service.overview().model, _HINT))
    if isinstance(found, Pending):
        raise ServiceError(f"The contributions to {target} are being computed: try again when the units are sorted by them.")
    count = given if is_integer(given) else _UNITS
    return {**state, "sort": "strongest", "units": np.argsort(-found.values, kind="stable")[:count].tolist()}
