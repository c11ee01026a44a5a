"""The state of a DiagnosisPanel: what is chosen and shown."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any, TypeGuard

from deconvwidgets.arguments import integer, one_of
from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.diagnosis.panel_records import LAYER_CHOICES, MARGIN, DiagnosisStatus
from deconvwidgets.instruments.diagnosis.records import CHECKS
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


def checked_state(state: Mapping[str, Any], current: Mapping[str, Any], status: DiagnosisStatus, crops: int) -> State:
    """Return the whole state after `state`, which may be a part, was set.

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
    merged["unit"] = _unit(merged["unit"])
    merged["image"] = _image(merged["image"], crops, status)
    merged["shift"] = _shift(merged["shift"])
    merged["arm"] = _arm(merged["arm"], status, bool(current) and merged["arm"] != current["arm"])
    return merged


def _unit(value: object) -> list[Any] | None:
    """Return [layer, unit]. Whether they exist is known by the service that is asked for their pictures."""
    if value is None:
        return None
    if not isinstance(value, list | tuple) or len(value) != 2 or not isinstance(value[0], str) or not value[0]:
        raise ServiceError(f"unit is a layer and the number of a unit, such as ['conv1', 54], or None, not {reprlib.repr(value)}.")
    return [value[0], integer(value[1], "unit", 0)]


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
