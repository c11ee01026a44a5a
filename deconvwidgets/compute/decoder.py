"""Decodes crops of an image set to the pixels that a model's transform needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from deconvwidgets.compute.decoded import DecodedBatch
from deconvwidgets.errors import PictureError
from deconvwidgets.images.image_set import Crop, ImageSet
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.transforms import Transform, transformed
from deconvwidgets.records.images import SkippedImage


@dataclass(frozen=True)
class CropDecoder:
    """Opens crops, and prepares them for a model up to its normalisation, which `to_inputs` does on the model's device.

    Decoders have no model, so that they can be sent to other processes: they are picklable if the image set and the transform are.

    Parameters
    ----------
    images : ImageSet
        The photographs.
    transform : callable
        The transform of the bundle. The pixels before the normalisation of a `Preprocess` are uint8; the output of any other is float32.
    input_size : tuple of (int, int, int)
        (channels, height, width) of the model's input.
    model : str
        The name of the model, for error messages.
    scaled_jpeg : bool
        Whether JPEG files may be decoded at a half, a quarter or an eighth of their size, if that is not smaller than the transform needs.
        This changes pixels: for AlexNet and 58 photographs of Caltech-101, enlarged to about 900 pixels, by 0.5 of 255 on average and 25 at
        most, which changes 3 to 4 % of the places among a unit's nine strongest, and the values there by 1 % (median) or 22 % (most). It
        was 2.6 times as fast, and 3.7 times at 2048 x 1536 pixels. It has no effect on photographs less than twice as large as needed
        (Caltech-101 as it is), on transforms that do not resize, and on crops that are not the whole photograph.

    Examples
    --------
    >>> import torch
    >>> from deconvwidgets import load_model, open_images
    >>> bundle, images = load_model("alexnet"), open_images("photos")
    >>> decoder = CropDecoder.of(bundle, images)
    >>> batch = decoder.decode([0, 9])
    >>> batch.pixels.dtype, batch.pixels.shape
    (dtype('uint8'), (2, 3, 224, 224))
    >>> inputs = decoder.to_inputs(torch.from_numpy(batch.pixels))
    >>> bool((inputs[1] == bundle.prepare(images.open_crop(9))).all())
    True
    """

    images: ImageSet
    transform: Transform
    input_size: tuple[int, int, int]
    model: str
    scaled_jpeg: bool = False

    @classmethod
    def of(cls, bundle: ModelBundle, images: ImageSet, scaled_jpeg: bool = False) -> CropDecoder:
        """Return the decoder of images for the model of a bundle."""
        return cls(images, bundle.transform, bundle.input_size, bundle.name, scaled_jpeg)

    def decode(self, crops: Sequence[int] | range) -> DecodedBatch:
        """Return crops, given by ascending numbers. Each photograph is opened once.

        Photographs that cannot be read are skipped, with the reason.

        Raises
        ------
        ModelError
            If the transform returns anything but a tensor of `input_size`.
        """
        found = _Found(self._empty(len(crops)))
        records = zip(crops, map(self.images.crop, crops), strict=True)
        for source, group in groupby(records, key=lambda record: record[1].source):
            self._decode_source(source, list(group), found)
        return found.batch()

    def _decode_source(self, source: int, crops: Sequence[tuple[int, Crop]], found: _Found) -> None:
        whole = all(crop.box is None for _, crop in crops)
        try:
            opened = self.images.read_source(source, self._side if whole else None)
        except PictureError as error:
            skipped = SkippedImage(self.images.source_name(source), str(error))
            found.skipped.extend((number, skipped) for number, _ in crops)
            return
        label = -1 if opened.label is None else opened.label
        for number, crop in crops:
            part = opened.image if crop.box is None else opened.image.crop(crop.box)
            found.pixels[len(found.contents)] = self._prepared(part)
            found.places.append((number, source, crop.number, label))
            found.contents.append(opened.content)

    def to_inputs(self, pixels: Tensor) -> Tensor:
        """Return the model's inputs for decoded pixels, float32 (N, channels, height, width), on their device and in their memory format.

        On the CPU they are equal, bit for bit, to those of `ModelBundle.prepare`.
        """
        return self.transform.normalise(pixels) if isinstance(self.transform, Preprocess) else pixels

    @property
    def _side(self) -> int | None:
        """The shorter side of photographs that suffices; None for the full size."""
        return self.transform.resize if self.scaled_jpeg and isinstance(self.transform, Preprocess) else None

    def _empty(self, crops: int) -> NDArray[np.uint8] | NDArray[np.float32]:
        shape = (crops, *self.input_size)
        return np.empty(shape, np.uint8) if isinstance(self.transform, Preprocess) else np.empty(shape, np.float32)

    def _prepared(self, image: Image.Image) -> NDArray[np.uint8] | NDArray[np.float32]:
        if isinstance(self.transform, Preprocess):
            return self.transform.pixels(image)
        inputs: NDArray[np.float32] = transformed(self.transform, image, self.input_size, self.model).detach().cpu().numpy()
        return inputs


@dataclass(frozen=True)
class _Found:
    """The decoded crops so far: `pixels` of the first ones, (crop, photograph, number, label) and the content id of each."""

    pixels: NDArray[np.uint8] | NDArray[np.float32]
    places: list[tuple[int, int, int, int]] = field(default_factory=list)
    contents: list[int] = field(default_factory=list)
    skipped: list[tuple[int, SkippedImage]] = field(default_factory=list)

    def batch(self) -> DecodedBatch:
        crops, sources, numbers, labels = np.ascontiguousarray(np.array(self.places, np.int64).reshape(-1, 4).T)
        pixels, contents = self.pixels[: len(self.contents)], np.array(self.contents, np.uint64)
        return DecodedBatch(crops, sources, numbers, contents, labels, pixels, tuple(self.skipped))
