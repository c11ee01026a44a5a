"""An OcclusionExplorer's state as a plain dict: what each key may hold, and what it asks of a desk."""

from __future__ import annotations

import math
import re
import sys
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from deconvwidgets.errors import LayerError, OcclusionError, PictureError, ServiceError
from deconvwidgets.instruments.layers.widget.state import find_layer, layer_id
from deconvwidgets.instruments.occlusion.defaults import default_grid
from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionChoices, OcclusionWanted, named_fill
from deconvwidgets.records.class_names import NAME_THEM, class_named
from deconvwidgets.records.layers import LayerInfo, Overview
from deconvwidgets.widgets.state_trait import State, StateWords, one_of, whole

WORDS = StateWords("OcclusionExplorer", "{'image': 'view:0', 'window': [48, 48]}")
MAPS = ("probability", "activity", "label")
_CHOICES: dict[str, tuple[str, ...]] = {
    "border": ("inside", "same"),
    "map": MAPS,
    "tab": ("maps", "chart", "images"),
}
DEFAULTS: State = {
    "image": "view:0",  # a view of the image set, or "upload:<id>"
    "layer": None,  # None: the last of the explorers' layers
    "unit": None,  # None: the map with the largest sum on this image
    "target": None,  # a class's name; None: the most probable class of this image
    "fill": "gray",  # the mean of the training pictures; or "mean" (this image's), "blur", or a colour, which becomes "#rrggbb"
    "window": None,  # rows, columns, in input pixels: of the patch, and of the maps' window; None becomes 48 x 48, less on small inputs
    "patches": None,  # centres as [row, column], in input pixels; None becomes one in the middle of the image
    "stride": None,  # None becomes 8 x 8, less on small inputs
    "border": "inside",
    "map": "probability",  # the map that lies over the image, and is charted
    "overlay": 0.0,  # its opacity
    "tab": "maps",
}
_MOST_PATCHES = 64
_BETWEEN = ("deconvwidgets", "traitlets", "ipywidgets", "anywidget")  # who stands between a caller and this module


def checked_state(wanted: Mapping[str, Any], now: Mapping[str, Any], overview: Overview, choices: OcclusionChoices) -> State:
    """The whole state after setting `wanted`; keys that it leaves out keep their value of `now`.

    What is merely carried over and no longer fits (a unit in another layer, a class of another classifier) is forgotten; opened anew
    (`now` empty), so are uploads of another kernel, with a warning to the caller. Raises ServiceError, PictureError, LayerError or
    OcclusionError in words.
    """
    WORDS.known_keys(WORDS.mapping(wanted), DEFAULTS)
    merged = {**DEFAULTS, **now, **wanted}
    if not now or merged["image"] != now["image"]:  # one that is merely carried over may have been dropped: the desk says so
        merged["image"] = _image(merged["image"], overview, choices, anew=not now)
    merged["layer"], merged["unit"] = _watched(wanted, now, merged, overview)
    asked = "target" in wanted and wanted["target"] != now.get("target")
    merged["target"] = _target(merged["target"], overview, choices, asked)
    merged["fill"] = _fill(merged["fill"], overview, choices)
    for key, default in zip(("window", "stride"), default_grid(choices.input), strict=True):
        merged[key] = _pair(default if merged[key] is None else merged[key], key, choices.input)
    merged["patches"] = _patches(merged["patches"], choices)
    for key, names in _CHOICES.items():
        one_of(merged[key], key, names)
    if choices.classes is None:
        merged["map"] = "activity"
    merged["overlay"] = _overlay(merged["overlay"])
    return merged


def wanted_of(state: Mapping[str, Any], choices: OcclusionChoices) -> OcclusionWanted:
    """What a checked state asks for. A class that the classifier of now does not have is left to the default."""
    named = state["target"] is not None and choices.classes is not None and state["target"] in choices.classes
    target = choices.classes.index(state["target"]) if named and choices.classes is not None else None
    return OcclusionWanted(state["image"], state["layer"], state["unit"], target, state["fill"])


def settings_of(state: Mapping[str, Any]) -> MapsSettings:
    """The grid of the maps that a checked state asks for."""
    (rows, columns), (down, right) = state["window"], state["stride"]
    return MapsSettings((rows, columns), (down, right), state["border"])


def class_of(name: str, classes: tuple[str, ...] | None, model: str) -> int:
    """The number of a class of a model that may have none. Raises OcclusionError."""
    if classes is None:
        raise OcclusionError(
            f"{model} has no classifier, so there is no class {name!r}: leave the target out, or give the model a head. {NAME_THEM}"
        )
    return class_named(name, classes, model, "The explorer lists them all.")


def _image(image: object, overview: Overview, choices: OcclusionChoices, anew: bool) -> str:
    if not isinstance(image, bool) and hasattr(image, "__index__"):
        image = f"view:{whole(image, 'view')}"
    if not isinstance(image, str):
        raise PictureError(f"An image is 'view:17', a view of the image set, or an upload, not {image!r}.")
    if image.startswith("upload:"):
        if image in choices.uploads:
            return image
        if anew:
            _warn_of_lost_upload(image)
            return f"{DEFAULTS['image']}"
        raise PictureError(f"There is no upload {image!r} in this kernel: bring the picture again.")
    found = re.fullmatch(r"view:([0-9]{1,12})", image)
    if found is None or int(found[1]) >= overview.views:
        raise PictureError(f"{overview.images} has the views 'view:0' to 'view:{overview.views - 1}': there is no image {image!r}.")
    return f"view:{int(found[1])}"


def _warn_of_lost_upload(image: str) -> None:
    """Say it where the explorer is opened: the first place outside of the package and of what calls its checks."""
    level = 1
    frame = sys._getframe()
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).split(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(
        f"The picture {image!r} is not in this kernel: it was uploaded to another one, or long ago. The first image of the set, "
        f"{DEFAULTS['image']!r}, is shown instead, and the rest of the state is as it was. To see the picture again, upload it again in "
        "the widget, or pass it: OcclusionExplorer(service, image='your picture.jpg', state=...).",
        stacklevel=level,
    )


def _watched(
    wanted: Mapping[str, Any], now: Mapping[str, Any], merged: Mapping[str, Any], overview: Overview
) -> tuple[str | None, int | None]:
    """The layer and the unit. A unit belongs to its layer: another layer forgets one that is merely carried over."""
    layer, unit = merged["layer"], merged["unit"]
    info: LayerInfo = overview.layers[-1].info if layer is None else find_layer(overview, layer)
    named = None if layer is None else layer_id(info)
    moved = bool(now) and named != now.get("layer") and ("unit" not in wanted or wanted["unit"] == now.get("unit"))
    if unit is None or moved:
        return named, None
    number = whole(unit, "unit")
    if not 0 <= number < info.channels:
        raise LayerError(f"{layer_id(info)} has {info.channels} units, 0 to {info.channels - 1}: there is no unit {number}.")
    return named, number


def _target(target: object, overview: Overview, choices: OcclusionChoices, asked: bool) -> str | None:
    if target is None:
        return None
    if not isinstance(target, str):
        raise OcclusionError(f"The target is a class's name, or None for the most probable one, not {target!r}.")
    if choices.classes is not None and target in choices.classes:
        return target
    if not asked:  # of a classifier that answers no more
        return None
    return (choices.classes or ())[class_of(target, choices.classes, overview.model)]


def _fill(fill: object, overview: Overview, choices: OcclusionChoices) -> str:
    name = named_fill(fill) if isinstance(fill, str) else None
    if name is None:
        raise OcclusionError(f"A fill is 'gray', 'mean', 'blur' or a colour like '#7f7f7f' or 'red', not {fill!r}.")
    if name.startswith("#") and not choices.colours:
        raise OcclusionError(f"What a colour is after the transform of {overview.model} is not known: choose 'gray', 'mean' or 'blur'.")
    return name


def _listed(value: object) -> object:
    """A NumPy array as the lists and numbers that it holds; anything else as it is."""
    return value.tolist() if isinstance(value, np.ndarray) else value


def _pair(value: object, what: str, most: tuple[int, int]) -> list[int]:
    """[rows, columns] of one whole number or two, from 1 to `most`."""
    value = _listed(value)
    several = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(several) != 2:
        raise OcclusionError(f"A {what} is written [rows, columns], in pixels, not {value!r}.")
    rows, columns = (whole(side, f"{what}'s side") for side in several)
    if not (1 <= rows <= most[0] and 1 <= columns <= most[1]):
        raise OcclusionError(f"A {what} is 1 to {most[0]} rows and 1 to {most[1]} columns of the model's input, not {rows} x {columns}.")
    return [rows, columns]


def _patches(patches: object, choices: OcclusionChoices) -> list[list[float]]:
    height, width = choices.input
    patches = _listed(patches)
    if patches is None:
        return [[height / 2, width / 2]]
    if not isinstance(patches, list | tuple) or len(patches) > _MOST_PATCHES:
        raise OcclusionError(f"Patches are a list of at most {_MOST_PATCHES} centres, [[row, column], ...], not {patches!r}.")
    return [_centre(one, height, width) for one in patches]


def _centre(centre: object, height: int, width: int) -> list[float]:
    centre = _listed(centre)
    numbers = [_number(one) for one in centre] if isinstance(centre, list | tuple) else []
    if len(numbers) != 2 or None in numbers:
        raise OcclusionError(f"A patch is written by its centre, [row, column], in pixels, not {centre!r}.")
    row, column = (float(number or 0) for number in numbers)
    return [min(max(row, 0.0), float(height)), min(max(column, 0.0), float(width))]


def _number(value: object) -> float | None:
    if isinstance(value, bool | str) or not hasattr(value, "__float__"):
        return None
    number = float(value.__float__())
    return number if math.isfinite(number) else None


def _overlay(value: object) -> float:
    number = _number(value)
    if number is None or not 0 <= number <= 1:
        raise ServiceError(f"The overlay is the map's opacity over the image, from 0 to 1, not {value!r}.")
    return number
