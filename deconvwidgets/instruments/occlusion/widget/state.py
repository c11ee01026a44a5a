"""The state of an OcclusionExplorer: its keys, their check, and the request for the service that follows from it."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Mapping
from typing import Any, Literal

from deconvwidgets.arguments import finite_number, integer, one_of
from deconvwidgets.errors import LayerError, OcclusionError, PictureError, ServiceError
from deconvwidgets.instruments.occlusion.defaults import default_grid
from deconvwidgets.instruments.occlusion.fill_names import named_fill
from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionChoices, OcclusionRequest
from deconvwidgets.records.class_names import CLASS_NAMES_HINT, class_index
from deconvwidgets.records.find_layer import find_layer
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.overview import Overview
from deconvwidgets.widgets.state import State, StateMessages

MESSAGES = StateMessages("OcclusionExplorer", "{'image': 'crop:0', 'window': [48, 48]}")
MAPS = ("probability", "value", "activity", "label")
_CHOICES: dict[str, tuple[str, ...]] = {
    "border": ("inside", "same"),
    "map": MAPS,
    "tab": ("maps", "chart", "why", "images"),
}
DEFAULTS: State = {
    "image": "crop:0",  # a crop of the image set, or "upload:<id>"
    "layer": None,  # None: the last of the explorers' layers
    "unit": None,  # None: the map with the largest sum on this image
    "target": None,  # the name of a class or output; None: the most probable class of this image, or a regression's first output
    "against": None,  # another one, that it is compared with; None: the true class of this image, or the most probable other class
    "fill": "gray",  # the mean of the training images; or "mean" (of this image), "blur", or a color, which becomes "#rrggbb"
    "window": None,  # rows, columns, in input pixels: of the patch, and of the maps' window; None becomes 48 x 48, less on small inputs
    "patches": None,  # centers as [row, column], in input pixels; None becomes one in the middle of the image
    "stride": None,  # None becomes 8 x 8, less on small inputs
    "border": "inside",
    "map": "probability",  # the map over the image and in the chart; "value" for a regression, "activity" if nothing is predicted
    "overlay": 0.0,  # its opacity
    "tab": "maps",
}
_MAX_PATCHES = 64
_INTERNAL_PACKAGES = ("deconvwidgets", "traitlets", "ipywidgets", "anywidget")  # between a caller and this module


def checked_state(state: Mapping[str, Any], current: Mapping[str, Any], overview: Overview, choices: OcclusionChoices) -> State:
    """Return the whole state after `state`, which may be a part, was set.

    A unit that is carried over to another layer is dropped. In a new widget (`current` is empty) so are uploads of another kernel, with a
    warning.

    Raises
    ------
    PictureError
        For an unknown image.
    LayerError
        For an unknown layer or unit.
    OcclusionError
        For an unknown class, and for an invalid fill, window, stride or patch.
    ServiceError
        For an unknown key or any other invalid value.
    """
    MESSAGES.known_keys(MESSAGES.mapping(state), DEFAULTS)
    merged = {**DEFAULTS, **current, **state}
    is_carried = bool(current) and merged["image"] == current["image"]
    if not (is_carried and str(merged["image"]).startswith("upload:")):  # an upload that is carried over may be gone: the service tells
        merged["image"] = _image(merged["image"], overview, choices, is_new=not current)
    merged["layer"], merged["unit"] = _layer_and_unit(state, current, merged, overview)
    for key in ("target", "against"):
        merged[key] = _class(key, merged[key], overview, choices)
    merged["fill"] = _fill(merged["fill"], overview, choices)
    for key, default in zip(("window", "stride"), default_grid(choices.input), strict=True):
        merged[key] = _pair(default if merged[key] is None else merged[key], key, choices.input)
    merged["patches"] = _patches(merged["patches"], choices)
    for key, names in _CHOICES.items():
        one_of(merged[key], key, names)
    merged["map"] = _map(merged["map"], choices)
    merged["overlay"] = _overlay(merged["overlay"])
    return merged


def occlusion_request(state: Mapping[str, Any], choices: OcclusionChoices) -> OcclusionRequest:
    """Return the request of a checked state. A class that the current classifier does not have is replaced by the default.

    The target is compared with another class if one is set, and while the tab "why" is shown.
    """
    classes = choices.classes or ()
    target, against = (classes.index(state[key]) if state[key] in classes else None for key in ("target", "against"))
    compared: int | Literal["auto"] | None = "auto" if against is None and state["tab"] == "why" else against
    return OcclusionRequest(state["image"], state["layer"], state["unit"], target, state["fill"], compared)


def maps_settings(state: Mapping[str, Any]) -> MapsSettings:
    """Return the grid of the maps of a checked state."""
    (rows, columns), (down, right) = state["window"], state["stride"]
    return MapsSettings((rows, columns), (down, right), state["border"])


def class_number(name: str, classes: tuple[str, ...] | None, model: str) -> int:
    """Return the number of a class. Raises OcclusionError for an unknown class, and if the model has no classifier."""
    if classes is None:
        raise OcclusionError(
            f"{model} has no classifier, so there is no class {name!r}: leave the target out, or give the model a head. {CLASS_NAMES_HINT}"
        )
    return class_index(name, classes, model, "The explorer lists them all.")


def _image(image: object, overview: Overview, choices: OcclusionChoices, is_new: bool) -> str:
    if isinstance(image, int) and not isinstance(image, bool):
        image = f"crop:{image}"
    if not isinstance(image, str):
        raise PictureError(f"An image is 'crop:17', a crop of the image set, or an upload, not {image!r}.")
    if image.startswith("upload:"):
        if image in choices.uploads:
            return image
        if is_new:
            _warn_of_lost_upload(image)
            return f"{DEFAULTS['image']}"
        raise PictureError(f"The upload {image!r} is not in this kernel: upload the image again.")
    found = re.fullmatch(r"crop:([0-9]{1,12})", image)
    if found is None or int(found[1]) >= overview.crops:
        raise PictureError(f"{overview.images} has the crops 'crop:0' to 'crop:{overview.crops - 1}': there is no image {image!r}.")
    return f"crop:{int(found[1])}"


def _warn_of_lost_upload(image: str) -> None:
    """Warn at the line that makes the explorer: the innermost one outside of this package and of the widget libraries."""
    level = 1
    frame = sys._getframe()
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).split(".")[0] in _INTERNAL_PACKAGES:
        frame, level = frame.f_back, level + 1
    warnings.warn(
        f"The image {image!r} is not in this kernel: it was uploaded to another one, or long ago. The first image of the set, "
        f"{DEFAULTS['image']!r}, is shown instead; the rest of the state is unchanged. To see the image again, upload it again in the "
        "widget, or pass it: OcclusionExplorer(service, image='your image.jpg', state=...).",
        stacklevel=level,
    )


def _layer_and_unit(
    state: Mapping[str, Any], current: Mapping[str, Any], merged: Mapping[str, Any], overview: Overview
) -> tuple[str | None, int | None]:
    """Return the layer and the unit. A unit that is carried over to another layer is dropped."""
    layer, unit = merged["layer"], merged["unit"]
    info: LayerInfo = overview.layers[-1].info if layer is None else find_layer(overview, layer)
    name = None if layer is None else info.short_name
    moved = bool(current) and name != current.get("layer") and ("unit" not in state or state["unit"] == current.get("unit"))
    if unit is None or moved:
        return name, None
    number = integer(unit, "unit")
    if not 0 <= number < info.channels:
        raise LayerError(f"{info.short_name} has {info.channels} units, 0 to {info.channels - 1}: there is no unit {number}.")
    return name, number


def _class(key: str, name: object, overview: Overview, choices: OcclusionChoices) -> str | None:
    """Return the class of the key "target" or "against"."""
    if name is None:
        return None
    if not isinstance(name, str):
        default = "most probable one" if key == "target" else "true class"
        raise OcclusionError(f"The {key} is the name of a class, or None for the {default}, not {name!r}.")
    if choices.classes is not None and name in choices.classes:
        return name
    return (choices.classes or ())[class_number(name, choices.classes, overview.model)]


def _fill(fill: object, overview: Overview, choices: OcclusionChoices) -> str:
    name = named_fill(fill) if isinstance(fill, str) else None
    if name is None:
        raise OcclusionError(f"A fill is 'gray', 'mean', 'blur' or a colour like '#7f7f7f' or 'red', not {fill!r}.")
    if name.startswith("#") and not choices.colours:
        raise OcclusionError(
            f"Colours cannot be used, because the normalisation of {overview.model}'s transform is unknown: "
            "choose 'gray', 'mean' or 'blur'."
        )
    return name


def _pair(value: object, name: str, limit: tuple[int, int]) -> list[int]:
    """Return [rows, columns] of one integer or two, from 1 to `limit`."""
    sides = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(sides) != 2:
        raise OcclusionError(f"A {name} is written [rows, columns], in pixels, not {value!r}.")
    rows, columns = (integer(side, f"side of a {name}") for side in sides)
    if not (1 <= rows <= limit[0] and 1 <= columns <= limit[1]):
        raise OcclusionError(f"A {name} is 1 to {limit[0]} rows and 1 to {limit[1]} columns of the model's input, not {rows} x {columns}.")
    return [rows, columns]


def _patches(patches: object, choices: OcclusionChoices) -> list[list[float]]:
    height, width = choices.input
    if patches is None:
        return [[height / 2, width / 2]]
    if not isinstance(patches, list | tuple) or len(patches) > _MAX_PATCHES:
        raise OcclusionError(f"Patches are a list of at most {_MAX_PATCHES} centres, [[row, column], ...], not {patches!r}.")
    return [_center(patch, height, width) for patch in patches]


def _center(center: object, height: int, width: int) -> list[float]:
    numbers = [finite_number(part) for part in center] if isinstance(center, list | tuple) else []
    if len(numbers) != 2 or None in numbers:
        raise OcclusionError(f"A patch is written as its centre, [row, column], in pixels, not {center!r}.")
    row, column = (float(number or 0) for number in numbers)
    return [min(max(row, 0.0), float(height)), min(max(column, 0.0), float(width))]


def _map(name: str, choices: OcclusionChoices) -> str:
    """Return the name of a map, or of the one in its place if the model predicts something else: a state may be that of another model."""
    if choices.quantity is None or choices.classes is None or name == "activity":
        return "activity"
    if choices.quantity.kind == "value":
        return "value"
    return "probability" if name == "value" else name


def _overlay(value: object) -> float:
    number = finite_number(value)
    if number is None or not 0 <= number <= 1:
        raise ServiceError(f"The overlay is the opacity of the map over the image, from 0 to 1, not {value!r}.")
    return number
