"""A source photograph with the receptive field of one activation marked on it."""

from __future__ import annotations

import numpy as np

from deconvwidgets import display
from deconvwidgets.instruments.layers.records import SourceImage
from deconvwidgets.records.activations import Activation
from deconvwidgets.records.geometry import Box, Geometry
from deconvwidgets.service.encoding import encode_image
from deconvwidgets.service.prepared_images import PreparedImageCache
from deconvwidgets.service.snapshot import Snapshot

RelativeBox = tuple[float, float, float, float]  # left, top, right, bottom as shares of the image's width and height


def source_image(snapshot: Snapshot, images: PreparedImageCache, activation: Activation, caption: str, size: int) -> SourceImage:
    """Return the whole photograph, or the model's input if the geometry of the transform is unknown, `size` pixels on the longer side.

    The box and the crop (the part that is the model's input) are shares of the image; parts beyond its border are below 0 or above 1.
    """
    crop = snapshot.images.crop(activation.image)
    photograph = snapshot.images.open_source(crop.source)
    crop_size = photograph.size if crop.box is None else (crop.box[2] - crop.box[0], crop.box[3] - crop.box[1])
    geometry = snapshot.bundle.geometry(crop_size)
    _, height, width = snapshot.bundle.input_size
    if geometry is None:
        input_image = images.get(snapshot, [activation.image])[0][1]
        image = encode_image(display.resize_image(input_image, size))
        box = None if activation.box is None else _relative(activation.box, (width, height))
        return SourceImage(image, box, None, f"{caption} (the model's input)")
    to_input = geometry.after(crop.geometry)
    image = encode_image(display.resize_image(np.asarray(photograph), size))
    return SourceImage(
        image=image,
        box=None if activation.box is None else _relative_to_source(to_input, activation.box, photograph.size),
        crop=_relative_to_source(to_input, (0, 0, width, height), photograph.size),
        caption=caption,
    )


def _relative_to_source(to_input: Geometry, box: Box, size: tuple[int, int]) -> RelativeBox:
    return _relative(to_input.to_source(box), size)


def _relative(box: tuple[float, float, float, float], size: tuple[int, int]) -> RelativeBox:
    left, top, right, bottom = box
    return (left / size[0], top / size[1], right / size[0], bottom / size[1])
