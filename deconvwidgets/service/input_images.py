"""The images that experiments on one image take: crops of the image set, and uploads. Every instrument names them in the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from deconvwidgets.errors import PictureError
from deconvwidgets.images.image_set import ImageSet, label_name
from deconvwidgets.service.image_uploads import PREFIX, ImageUploads
from deconvwidgets.service.snapshot import Snapshot

CROP = "crop:"


@dataclass(frozen=True, slots=True)
class InputImage:
    """An image as the model's input."""

    pixels: Tensor  # (C, H, W)
    caption: str
    label: str | None  # its label in the image set
    source: int | None  # the photograph of the image set; None for an upload


@dataclass(frozen=True, slots=True)
class WholeImage:
    """An image at the size from which the model's transform takes its crop (`ModelBundle.resized`)."""

    image: Image.Image
    caption: str
    label: str | None


class InputImages:
    """Finds images by id. Thread-safe.

    Parameters
    ----------
    get_snapshot : callable
        Returns the current snapshot.

    Attributes
    ----------
    uploads : ImageUploads
        The uploaded images.
    """

    def __init__(self, get_snapshot: Callable[[], Snapshot]) -> None:
        self.uploads = ImageUploads(lambda image: get_snapshot().bundle.prepare(image), lambda image: get_snapshot().bundle.resized(image))

    def get(self, snapshot: Snapshot, image: str) -> InputImage:
        """Return the image "crop:17" or "upload:<id>". Raises PictureError for an unknown one, or one that cannot be read."""
        if isinstance(image, str) and image.startswith(PREFIX):
            upload = self.uploads.get(image)
            return InputImage(upload.pixels, upload.name, upload.label, None)
        number, images = crop_number(snapshot, image), snapshot.images
        source = images.crop(number).source
        pixels = snapshot.bundle.prepare(images.open_crop(number))
        return InputImage(pixels, _caption(images, number), label_name(images, source), source)

    def whole(self, snapshot: Snapshot, image: str) -> WholeImage:
        """Return the image "crop:17" or "upload:<id>" before the transform's crop. Raises what `get` raises."""
        if isinstance(image, str) and image.startswith(PREFIX):
            upload = self.uploads.get(image)
            return WholeImage(upload.resized, upload.name, upload.label)
        number, images = crop_number(snapshot, image), snapshot.images
        resized = snapshot.bundle.resized(images.open_crop(number))
        return WholeImage(resized, _caption(images, number), label_name(images, images.crop(number).source))


def _caption(images: ImageSet, number: int) -> str:
    """Return the name of a crop."""
    crop = images.crop(number)
    name = images.source_name(crop.source)
    return name if crop.number == 0 else f"{name}, crop {crop.number + 1}"


def require_image_id(snapshot: Snapshot, image: object) -> None:
    """Raise PictureError unless an image is "crop:17", of the image set, or "upload:<id>"."""
    if not (isinstance(image, str) and image.startswith(PREFIX)):
        crop_number(snapshot, image)


def crop_number(snapshot: Snapshot, image: object) -> int:
    """Return the number of the crop "crop:17". Raises PictureError if there is none, or if that is no name of an image."""
    digits = image[len(CROP) :] if isinstance(image, str) and image.startswith(CROP) else ""
    if not (digits.isascii() and digits.isdigit()):
        raise PictureError(f"An image is named like 'crop:0', or by the id of its upload, not {image!r}.")
    if len(digits) > 12 or int(digits) >= len(snapshot.images):
        raise PictureError(
            f"{snapshot.images.name} has the crops 0 to {len(snapshot.images) - 1:,}: there is no {image!r}. Choose one of them."
        )
    return int(digits)
