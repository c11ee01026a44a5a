"""The state of a DiagnosisPanel: what is chosen and shown."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any, TypeGuard

from deconvwidgets.arguments import integer, one_of
from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.diagnosis.panel_records import LAYER_CHOICES, MARGIN, DiagnosisStatus
from deconvwidgets.instruments.diagnosis.records import CHECKS, Diagnosis
from deconvwidgets.records.find_layer import known_layer
from deconvwidgets.records.overview import Overview
from deconvwidgets.widgets.state import State, StateMessages

MESSAGES = StateMessages("DiagnosisPanel", "{'finding': 'aliasing', 'shift': [5, 0]}")
SORTS = ("frequency", "aliasing", "rms")
DEFAULTS: State = {
    "finding": None,  # the check whose finding is open; None: the first
    "sort": "frequency",  # of the filters of the first layer
    "unit": None,  # the unit whose evidence is shown: a filter of the first layer, or [layer, unit]; None: the worst of the finding
    "image": "crop:0",  # the photograph of the shift microscope
    "shift": [0, 0],  # pixels of the model's input, to the right and down
    "layers": "few",  # under the shift microscope, or "all"
    "arm": 0,  # the arm under the shift microscope; 0: the model as it is
}


def checked_state(
    state: Mapping[str, Any], current: Mapping[str, Any], status: DiagnosisStatus, overview: Overview, diagnosis: Diagnosis | None
) -> State:
    """Return the whole state after `state`, which may be a part, was set. `diagnosis` is None until it is done.

    An arm or an upload that is gone meanwhile becomes the model as it is, or the first photograph: anything else can still be changed.

    Raises
    ------
    ServiceError
        For an unknown key or an invalid value.
    """
    MESSAGES.known_keys(MESSAGES.mapping(state), DEFAULTS)
    merged = {**DEFAULTS, **current, **state}
    if merged["image"] == current.get("image") and _is_upload(merged["image"]) and merged["image"] not in status.uploads:
        merged["image"] = DEFAULTS["image"]
    if merged["finding"] is not None:
        one_of(merged["finding"], "finding", CHECKS)
    one_of(merged["sort"], "sort", SORTS)
    one_of(merged["layers"], "choice of layers", LAYER_CHOICES)
    merged["unit"] = _unit(merged["unit"], overview, diagnosis)
    merged["image"] = _image(merged["image"], overview.crops, status)
    merged["shift"] = _shift(merged["shift"])
    merged["arm"] = _arm(merged["arm"], status, bool(current) and merged["arm"] != current["arm"])
    return merged


def _unit(value: object, overview: Overview, diagnosis: Diagnosis | None) -> list[Any] | None:
    """Return [layer, unit]. A layer that is not listed may be the first one, which is known when the diagnosis is done."""
    if value is None:
        return None
    if not isinstance(value, list | tuple) or len(value) != 2 or not isinstance(value[0], str) or not value[0]:
        raise ServiceError(f"unit is a layer and the number of a unit, such as ['conv1', 54], or None, not {reprlib.repr(value)}.")
    layer, unit = value[0], integer(value[1], "unit", 0)
    units = _units_of(layer, overview, diagnosis)
    if units is None and diagnosis is not None:
        known = ", ".join(summary.short_name for summary in overview.layers)
        raise ServiceError(f"There is no layer {reprlib.repr(layer)}: the unit is one of {known}.")
    if units is not None and unit >= units:
        raise ServiceError(f"{layer} has {units} units, 0 to {units - 1}: there is no unit {unit}.")
    return [layer, unit]


def _units_of(layer: str, overview: Overview, diagnosis: Diagnosis | None) -> int | None:
    """Return the number of units of a layer; None if it is not known."""
    listed = known_layer(overview, layer)
    if listed is not None:
        return listed.info.channels
    if diagnosis is None:
        return None
    first = diagnosis.first_layer
    if first is not None and layer in (first.alias, first.name):
        return len(first.weights)
    return next((info.channels for info in diagnosis.layers if layer in (info.alias, info.name)), None)


def _is_upload(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.startswith("upload:")


def _image(value: object, crops: int, status: DiagnosisStatus) -> str:
    if _is_upload(value):
        if value in status.uploads:
            return value
        raise ServiceError(f"The upload {value!r} is not in this kernel: upload the image again, or choose 'crop:0', for example.")
    number = value[5:] if isinstance(value, str) and value.startswith("crop:") else ""
    if not (number.isascii() and number.isdigit() and len(number) < 13 and int(number) < crops):
        raise ServiceError(f"image is one of the image set's crops, 'crop:0' to 'crop:{crops - 1}', not {reprlib.repr(value)}.")
    return str(value)


def _shift(value: object) -> list[int]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ServiceError(f"shift is written [right, down], in pixels, not {reprlib.repr(value)}.")
    return [integer(pixels, "each of shift", -MARGIN, MARGIN) for pixels in value]


def _arm(value: object, status: DiagnosisStatus, required: bool) -> int:
    number = integer(value, "arm", 0)
    if status.arm(number) is not None:
        return number
    if not required:
        return 0
    raise ServiceError(f"There is no arm {number}: choose {', '.join(str(arm.arm) for arm in status.arms)}.")
