"""The strongest units of a transformed photograph, projected to pixel space (Zeiler & Fergus 2014, section 2.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from deconvwidgets import display
from deconvwidgets.compute.devices import to_model
from deconvwidgets.engine import Network, project
from deconvwidgets.errors import RuleError
from deconvwidgets.instruments.invariance.records import UnitPicture
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.geometry import Box
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.encoding import encode_image


def unit_pictures(
    bundle: ModelBundle, network: Network, pixels: Tensor, info: LayerInfo, units: Sequence[int], size: int, device_lock: DeviceLock
) -> tuple[UnitPicture, ...]:
    """Return the projection of each unit's strongest activation and its patch, one unit after another.

    Parameters
    ----------
    bundle : ModelBundle
    network : Network
        The network below the layer.
    pixels : Tensor (C, H, W)
        The model's input.
    info : LayerInfo
    units : sequence of int
    size : int
        Pixels of the longer side.
    device_lock : DeviceLock
        A request between two units waits for one at most.
    """
    picture = bundle.to_picture(pixels)
    return tuple(_unit_picture(bundle, network, pixels, picture, info, unit, size, device_lock) for unit in units)


def _unit_picture(
    bundle: ModelBundle,
    network: Network,
    pixels: Tensor,
    picture: display.Rgb,
    info: LayerInfo,
    unit: int,
    size: int,
    device_lock: DeviceLock,
) -> UnitPicture:
    whole: Box = (0, 0, picture.shape[1], picture.shape[0])
    try:
        with device_lock.request():
            projected = project(network, to_model(pixels[None], bundle.model), info.name, unit=unit)
            signed = projected.pixels[0].detach().float().cpu().numpy()[bundle.channels_to_display]
            value = float(projected.values[0])
            left, top, right, bottom = (int(edge) for edge in projected.boxes[0])
    except RuleError as error:
        return UnitPicture(unit, None, _encoded_patch(picture, whole, size), str(error))
    patch = _encoded_patch(picture, (left, top, right, bottom), size)
    if value <= 0:
        return UnitPicture(unit, None, patch, "The unit is not active in this photograph.")
    return UnitPicture(unit, encode_image(display.projection_to_rgb(np.asarray(signed), size)), patch)


def _encoded_patch(picture: display.Rgb, box: Box, size: int) -> EncodedImage:
    return encode_image(display.resize_image(display.crop_patch(picture, box), size))
