"""The state of two models on one photograph: its keys, and their check against both models."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from deconvwidgets.arguments import one_of
from deconvwidgets.errors import OcclusionError, PictureError
from deconvwidgets.instruments.comparison.pair_records import SIDES, Side
from deconvwidgets.instruments.comparison.service.protocol import SideBySideService
from deconvwidgets.instruments.occlusion.widget.state import checked_state as checked_occlusion
from deconvwidgets.instruments.occlusion.widget.state import class_number
from deconvwidgets.widgets.state import State, StateMessages

MESSAGES = StateMessages("SideBySideOcclusion", "{'image': 'crop:17', 'window': 48}")

_SHARED = ("image", "fill", "window", "patches", "stride", "border")  # as in an OcclusionExplorer on A
DEFAULTS: State = {
    "image": "crop:0",  # a crop of the image set
    "target_a": None,  # the name of a class or output of A; None: the most probable class of this image, or a regression's first output
    "target_b": None,  # of B; None: the one of the same name as that of A, or else as for A
    "fill": "gray",
    "window": None,  # lengths are in pixels of A's input; those of B are scaled
    "patches": None,
    "stride": None,
    "border": "inside",
    "tab": "maps",  # or "images"
}


def checked_state(state: Mapping[str, Any], current: Mapping[str, Any], service: SideBySideService) -> State:
    """Return the whole state after `state`, which may be a part, was set.

    Raises
    ------
    PictureError
        For anything but a crop of the image set.
    OcclusionError
        For an unknown class, and for an invalid fill, window, stride or patch.
    ServiceError
        For an unknown key or any other invalid value.
    """
    MESSAGES.known_keys(MESSAGES.mapping(state), DEFAULTS)
    merged = {**DEFAULTS, **current, **state}
    if isinstance(merged["image"], str) and merged["image"].startswith("upload:"):
        raise PictureError(f"Two models side by side show a crop of the image set, such as 'crop:17', not the upload {merged['image']!r}.")
    first = service.side("a")
    shared = {key: merged[key] for key in _SHARED}
    known = {key: current[key] for key in _SHARED} if current else {}
    checked = checked_occlusion(shared, known, first.overview(), first.occlusion.choices())
    merged.update({key: checked[key] for key in _SHARED})
    if merged["fill"].startswith("#") and not service.side("b").occlusion.choices().colours:
        raise OcclusionError(
            "Colours cannot be used, because the normalisation of B's transform is unknown: choose 'gray', 'mean' or 'blur'."
        )
    for side in SIDES:
        key = f"target_{side}"
        merged[key] = _target(side, merged[key], service)
    one_of(merged["tab"], "tab", ("maps", "images"))
    return merged


def _target(side: Side, name: object, service: SideBySideService) -> str | None:
    if name is None:
        return None
    if not isinstance(name, str):
        raise OcclusionError(f"target_{side} is the name of a class, or None, not {reprlib.repr(name)}.")
    one = service.side(side)
    classes = one.occlusion.choices().classes
    if classes is not None and name in classes:
        return name
    return (classes or ())[class_number(name, classes, one.overview().model)]
