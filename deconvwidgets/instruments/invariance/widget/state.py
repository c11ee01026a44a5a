"""The state of an InvarianceExplorer: its keys and their check."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from deconvwidgets.arguments import describe, one_of
from deconvwidgets.errors import InvarianceError, LayerError, PictureError
from deconvwidgets.instruments.invariance.records import InvarianceChoices, InvarianceRequest
from deconvwidgets.instruments.invariance.transforms import TRANSFORMS, kind_of
from deconvwidgets.records.overview import Overview
from deconvwidgets.widgets.state import State, StateMessages

MESSAGES = StateMessages("InvarianceExplorer", "{'transform': 'rotate', 'amount': 30}")
MAX_IMAGES = 12
MAX_LAYERS = 12
DEFAULTS: State = {
    "images": None,  # those with a curve; None: five of the image set, evenly spread
    "image": None,  # the one that is shown; None: the first of them
    "transform": "translate",
    "amount": None,  # None: the one that changes nothing, or the largest
    "layers": None,  # those with a chart; None: the first and the deepest feature map, and the last hidden fully connected layer
    "layer": None,  # whose strongest units are shown; None: the last of the layers
    "measure": "relative",
    "tab": "units",
}
_CHOICES = {"measure": ("relative", "distance"), "tab": ("units", "images")}


def checked_state(state: Mapping[str, Any], current: Mapping[str, Any], overview: Overview, choices: InvarianceChoices) -> State:
    """Return the whole state after `state`, which may be a part, was set.

    An amount that is carried over to another transformation becomes the one that changes nothing. An image that is shown is among those
    with a curve: otherwise it takes the place of the last one, or is added.

    Raises
    ------
    PictureError
        For an unknown image, or too many.
    LayerError
        For an unknown layer, or too many.
    InvarianceError
        For an unknown transformation, or an amount out of range.
    ServiceError
        For an unknown key, or any other invalid value.
    """
    MESSAGES.known_keys(MESSAGES.mapping(state), DEFAULTS)
    merged = _without_lost({**DEFAULTS, **current, **state}, current, choices)
    for key, names in _CHOICES.items():
        one_of(merged[key], key, names)
    one_of(merged["transform"], "transform", TRANSFORMS, InvarianceError)
    if current and merged["transform"] != current["transform"] and "amount" not in state:
        merged["amount"] = None
    merged["amount"] = _amount(merged["transform"], merged["amount"])
    merged["images"], merged["image"] = _images(merged, current, overview, choices)
    merged["layers"] = _layers(merged["layers"], choices)
    layer = merged["layer"]
    merged["layer"] = merged["layers"][-1] if layer is None else _layer(layer, choices)
    return merged


def _without_lost(merged: State, current: Mapping[str, Any], choices: InvarianceChoices) -> State:
    """Return a state without the layers and uploads that it had before and that are gone, so that anything else can still be changed."""
    found = dict(merged)
    for key, lost in (("layers", _lost_layers(current, choices)), ("images", _lost_uploads(current, choices))):
        if lost and isinstance(merged[key], list | tuple):
            found[key] = [one for one in merged[key] if one not in lost] or None
    for key, lost in (("layer", _lost_layers(current, choices)), ("image", _lost_uploads(current, choices))):
        found[key] = None if merged[key] in lost else merged[key]
    return found


def _lost_layers(current: Mapping[str, Any], choices: InvarianceChoices) -> list[str]:
    return [name for name in [*current.get("layers", ()), current.get("layer")] if name is not None and name not in choices.layers]


def _lost_uploads(current: Mapping[str, Any], choices: InvarianceChoices) -> list[str]:
    named = [name for name in [*current.get("images", ()), current.get("image")] if name is not None]
    return [name for name in named if name.startswith("upload:") and name not in choices.uploads]


def view_request(state: Mapping[str, Any]) -> InvarianceRequest:
    """Return the request of a checked state."""
    return InvarianceRequest(state["image"], state["transform"], state["amount"], tuple(state["layers"]), state["layer"])


def _amount(transform: str, amount: object) -> float:
    kind = kind_of(transform)
    return float(kind.last if kind.neutral is None else kind.neutral) if amount is None else kind.checked(amount)


def _images(merged: Mapping[str, Any], current: Mapping[str, Any], overview: Overview, choices: InvarianceChoices) -> tuple[list[str], str]:
    given = list(choices.images) if merged["images"] is None else merged["images"]
    if not isinstance(given, list | tuple) or not given or len(given) > MAX_IMAGES:
        raise PictureError(f"images must be 1 to {MAX_IMAGES} images, such as ['crop:0', 'crop:9'], not {describe(merged['images'])}.")
    images = list(dict.fromkeys(_image(image, overview, choices) for image in given))
    if merged["image"] is None:
        return images, images[0]
    image = _image(merged["image"], overview, choices)
    if image in images:
        return images, image
    if merged["image"] == current.get("image"):  # it was removed from those with a curve
        return images, images[0]
    return [*images[: MAX_IMAGES - 1], image], image


def _image(image: object, overview: Overview, choices: InvarianceChoices) -> str:
    if isinstance(image, int) and not isinstance(image, bool):
        image = f"crop:{image}"
    if not isinstance(image, str):
        raise PictureError(f"An image is 'crop:17', a crop of the image set, or an upload, not {describe(image)}.")
    if image.startswith("upload:"):
        if image in choices.uploads:
            return image
        raise PictureError(f"The upload {image!r} is not in this kernel: upload the image again.")
    found = re.fullmatch(r"crop:([0-9]{1,12})", image)
    if found is None or int(found[1]) >= overview.crops:
        raise PictureError(f"{overview.images} has the crops 'crop:0' to 'crop:{overview.crops - 1}': there is no image {image!r}.")
    return f"crop:{int(found[1])}"


def _layers(layers: object, choices: InvarianceChoices) -> list[str]:
    given = list(choices.default_layers) if layers is None else [layers] if isinstance(layers, str) else layers
    if not isinstance(given, list | tuple) or not given or len(given) > MAX_LAYERS:
        raise LayerError(f"layers must be 1 to {MAX_LAYERS} names of layers, such as ['conv1', 'conv5'], not {describe(layers)}.")
    return list(dict.fromkeys(_layer(name, choices) for name in given))


def _layer(name: object, choices: InvarianceChoices) -> str:
    if not isinstance(name, str) or name not in choices.layers:
        known = ", ".join(choices.layers[:24]) + (", ..." if len(choices.layers) > 24 else "")
        raise LayerError(f"An InvarianceExplorer has no layer {describe(name)}: choose one of {known}.")
    return name
