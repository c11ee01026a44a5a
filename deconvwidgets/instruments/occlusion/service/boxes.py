"""The check of patches that are requested."""

from __future__ import annotations

from collections.abc import Sequence

from deconvwidgets.arguments import describe, integer_array
from deconvwidgets.errors import OcclusionError, ServiceError
from deconvwidgets.records.geometry import Box

_MAX_BOXES = 64


def checked_boxes(boxes: Sequence[Box]) -> list[Box]:
    """Return boxes of Python integers. Raises ServiceError for too many, OcclusionError for anything but boxes."""
    if not isinstance(boxes, list | tuple):
        raise OcclusionError(f"boxes must be a list of (left, top, right, bottom), not {describe(boxes)}.")
    if len(boxes) > _MAX_BOXES:
        raise ServiceError(f"{len(boxes)} patches are too many: use {_MAX_BOXES} at most.")
    checked: list[Box] = []
    for box in boxes:
        left, top, right, bottom = integer_array(box, "a box", ((4,),), "four integers (left, top, right, bottom)", OcclusionError).tolist()
        checked.append((left, top, right, bottom))
    return checked
