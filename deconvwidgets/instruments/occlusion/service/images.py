"""The images that can be occluded: crops of the image set, and uploads."""

from __future__ import annotations

from collections.abc import Callable

from deconvwidgets.arguments import describe, integer
from deconvwidgets.errors import ServiceError
from deconvwidgets.images.image_set import ImageSet, label_name
from deconvwidgets.instruments.occlusion.records import ImagePage, ImageTile
from deconvwidgets.service.image_uploads import ImageUploads
from deconvwidgets.service.input_images import CROP, InputImage, InputImages
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.thumbnails import Thumbnails, square_image

_MAX_TILES = 100  # in one page: photographs have to be decoded


class ImageCatalog:
    """Lists the images of a service, and finds them by id. Thread-safe.

    Parameters
    ----------
    get_snapshot : callable
        Returns the current snapshot.
    inputs : InputImages
        The images of the service.
    """

    def __init__(self, get_snapshot: Callable[[], Snapshot], inputs: InputImages) -> None:
        self._get_snapshot, self._inputs = get_snapshot, inputs
        self._thumbnails = Thumbnails()
        self._searchable: tuple[ImageSet, list[str]] | None = None

    @property
    def uploads(self) -> ImageUploads:
        """The uploaded images."""
        return self._inputs.uploads

    def get(self, snapshot: Snapshot, image: str) -> InputImage:
        """Return the image "crop:17" or "upload:<id>". Raises PictureError for an unknown one, or one that cannot be read."""
        return self._inputs.get(snapshot, image)

    def page(self, start: int, count: int, query: str, size: int) -> ImagePage:
        """Return a page of the images: uploads, newest first, then the first crop of each photograph.

        Parameters
        ----------
        query : str
            Keep only images whose name or label contains all of these words.

        Raises
        ------
        ServiceError
            For a page out of range.
        """
        start, count, size = integer(start, "start", 0), integer(count, "count", 1, _MAX_TILES), integer(size, "size", 16, 1024)
        if not isinstance(query, str):
            raise ServiceError(f"query must be a string, not {describe(query)}.")
        images, required = self._get_snapshot().images, query.casefold().split()
        uploads = [name for name in self.uploads.names() if _contains(self.uploads.get(name).name.casefold(), required)]
        sources = range(images.source_count)
        found = [source for source in sources if _contains(self._texts(images)[source], required)] if required else sources
        tiles = [self._upload_tile(name, size) for name in uploads[start : start + count]]
        first = max(0, start - len(uploads))
        tiles += [self._tile(images, source, size) for source in found[first : first + count - len(tiles)]]
        return ImagePage(len(uploads) + len(found), start, tuple(tiles))

    def _texts(self, images: ImageSet) -> list[str]:
        """Return the names and labels of all photographs, which are read once."""
        known = self._searchable
        if known is None or known[0] is not images:
            texts = [f"{images.source_name(source)} {label_name(images, source) or ''}" for source in range(images.source_count)]
            self._searchable = known = (images, [text.replace("_", " ").casefold() for text in texts])
        return known[1]

    def _tile(self, images: ImageSet, source: int, size: int) -> ImageTile:
        (thumbnail,) = self._thumbnails.get(images, [source], size)
        image = f"{CROP}{images.crops_of(source)[0]}"
        return ImageTile(image, images.source_name(source), label_name(images, source), thumbnail)

    def _upload_tile(self, image: str, size: int) -> ImageTile:
        upload = self.uploads.get(image)
        return ImageTile(image, upload.name, None, square_image(upload.small, size))


def _contains(text: str, words: list[str]) -> bool:
    return all(word.replace("_", " ") in text for word in words)
