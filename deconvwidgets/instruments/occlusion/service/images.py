"""The images that can be occluded: views of the image set, and uploads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from deconvwidgets.errors import PictureError, ServiceError
from deconvwidgets.images.image_set import ImageSet, label_name
from deconvwidgets.instruments.occlusion.records import ImagePage, ImageTile
from deconvwidgets.instruments.occlusion.service.uploads import PREFIX, PictureUploads
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.thumbnails import Thumbnails, square_picture

_CROP = "crop:"
_MOST = 100  # tiles in one answer: photographs have to be decoded


@dataclass(frozen=True, slots=True)
class Shown:
    """An image as the model sees it."""

    pixels: Tensor  # (C, H, W)
    caption: str
    label: str | None  # its dataset label
    source: int | None  # the photograph of the image set; None for an upload


class ImageCatalog:
    """Thread-safe. `state` gives the service's snapshot."""

    def __init__(self, state: Callable[[], Snapshot]) -> None:
        self._state = state
        self.uploads = PictureUploads(lambda picture: state().bundle.prepare(picture))
        self._thumbnails = Thumbnails()
        self._words: tuple[ImageSet, list[str]] | None = None

    def get(self, state: Snapshot, image: str) -> Shown:
        """The image "crop:17" or "upload:<id>". Raises PictureError for one that is none, or that cannot be read."""
        if isinstance(image, str) and image.startswith(PREFIX):
            upload = self.uploads.get(image)
            return Shown(upload.pixels, upload.name, None, None)
        number, images = self._number(state, image), state.images
        crop = images.crop(number)
        name = images.source_name(crop.source)
        caption = name if crop.number == 0 else f"{name}, crop {crop.number + 1}"
        return Shown(state.bundle.prepare(images.open_crop(number)), caption, label_name(images, crop.source), crop.source)

    def page(self, start: int, count: int, words: str, size: int) -> ImagePage:
        """Uploads, newest first, then the first view of each photograph; of them those whose name or label has the `words`."""
        if start < 0 or not 1 <= count <= _MOST or not 16 <= size <= 1024:
            raise ServiceError(f"A page has 1 to {_MOST} images of 16 to 1,024 pixels, from 0 on: not {count} of {size} from {start} on.")
        images, wanted = self._state().images, words.casefold().split()
        uploads = [name for name in self.uploads.names() if _has(self.uploads.get(name).name.casefold(), wanted)]
        sources = range(images.source_count)
        found = [source for source in sources if _has(self._searched(images)[source], wanted)] if wanted else sources
        tiles = [self._upload_tile(name, size) for name in uploads[start : start + count]]
        first = max(0, start - len(uploads))
        tiles += [self._tile(images, source, size) for source in found[first : first + count - len(tiles)]]
        return ImagePage(len(uploads) + len(found), start, tuple(tiles))

    def _number(self, state: Snapshot, image: object) -> int:
        digits = image[len(_CROP) :] if isinstance(image, str) and image.startswith(_CROP) else ""
        if not (digits.isascii() and digits.isdigit()):
            raise PictureError(f"An image is named like 'crop:0' or by its upload, not {image!r}.")
        if len(digits) > 12 or int(digits) >= len(state.images):
            raise PictureError(
                f"{state.images.name} has the crops 0 to {len(state.images) - 1:,}: there is no {image!r}. Choose one of them."
            )
        return int(digits)

    def _searched(self, images: ImageSet) -> list[str]:
        """What is searched for words: names and labels, read once."""
        kept = self._words
        if kept is None or kept[0] is not images:
            texts = [f"{images.source_name(source)} {label_name(images, source) or ''}" for source in range(images.source_count)]
            self._words = kept = (images, [text.replace("_", " ").casefold() for text in texts])
        return kept[1]

    def _tile(self, images: ImageSet, source: int, size: int) -> ImageTile:
        (picture,) = self._thumbnails.get(images, [source], size)
        image = f"{_CROP}{images.crops_of(source)[0]}"
        return ImageTile(image, images.source_name(source), label_name(images, source), picture)

    def _upload_tile(self, image: str, size: int) -> ImageTile:
        upload = self.uploads.get(image)
        return ImageTile(image, upload.name, None, square_picture(upload.glance, size))


def _has(text: str, wanted: list[str]) -> bool:
    return all(word.replace("_", " ") in text for word in wanted)
