"""Image sets of files below a folder, with a compact list of their paths."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.images.decode import check_header, open_image, open_with_content
from deconvwidgets.images.image_set import ImageSet, OpenedPhotograph, digest_of, require_not_empty
from deconvwidgets.images.path_list import PathList
from deconvwidgets.paths import refuse_special_file
from deconvwidgets.records.images import SkippedImage

CHECKED_FILES = 2000  # up to this number the header of every file is read when a set is opened, which takes less than a second
_NO_LABEL = -(1 << 63)


class FileImages(ImageSet):
    """Image files below a folder.

    In a set of up to 2,000 files, all headers are read on construction, and files that are not images are skipped. In a larger set no file
    is opened: those that are not images are found when they are decoded. The digest covers the relative paths, sizes and modification
    times of the files, not their pixels.

    Parameters
    ----------
    name : str
        The name of the set.
    root : pathlib.Path
        The folder.
    paths : iterable of str
        The paths of the files, relative to `root`.
    labels : iterable of int or None, or callable
        The class of each file, or a function that returns it for a path.
    categories : sequence of str, optional
        The names of the classes.

    Raises
    ------
    PictureError
        If no file is an image.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        paths: Iterable[str],
        labels: Iterable[int | None] | Callable[[str], int | None],
        categories: Sequence[str] | None = None,
    ) -> None:
        self._root = root
        self._paths = PathList()
        self._labels = array("q")
        skipped: list[SkippedImage] = []
        files = ((path, labels(path)) for path in paths) if callable(labels) else zip(paths, labels, strict=True)
        digest = digest_of(self._added(files, skipped))
        super().__init__(name, digest, categories, skipped)
        require_not_empty(self)

    def _added(self, files: Iterator[tuple[str, int | None]], skipped: list[SkippedImage]) -> Iterator[str]:
        """Add files, and iterate over their identities."""
        first = list(islice(files, CHECKED_FILES + 1))
        checked = len(first) <= CHECKED_FILES
        for path, label in chain(first, files):
            try:
                identity = _identity(self._root, path, checked)
            except PictureError as error:
                skipped.append(SkippedImage(path, str(error)))
                continue
            self._paths.append(path)
            self._labels.append(_NO_LABEL if label is None else label)
            yield identity

    def _set_labels(self, labels: Iterable[int | None]) -> None:
        """Replace the labels."""
        self._labels = array("q", (_NO_LABEL if label is None else label for label in labels))

    @property
    def source_count(self) -> int:
        """The number of photographs."""
        return len(self._paths)

    def source_name(self, source: int) -> str:
        """Return the path relative to the folder, with forward slashes."""
        return Path(self._paths[source]).as_posix()

    def label(self, source: int) -> int | None:
        label = self._labels[source]
        return None if label == _NO_LABEL else label

    def open_source(self, source: int) -> Image.Image:
        return open_image(self._root / self._paths[source], self.source_name(source))

    def read_source(self, source: int, side: int | None = None) -> OpenedPhotograph:
        image, content = open_with_content(self._root / self._paths[source], self.source_name(source), side)
        return OpenedPhotograph(image, content, self.label(source))

    def open_thumbnail(self, source: int, side: int) -> Image.Image:
        return open_image(self._root / self._paths[source], self.source_name(source), side)


def _identity(root: Path, path: str, checked: bool) -> str:
    """Return the identity of a file. Raises PictureError if it cannot be read; if `checked`, also if it is not an image."""
    place = root / path
    if checked:
        check_header(place, path)
    try:
        status = os.stat(place)
    except OSError as error:
        raise PictureError(f"{path} cannot be opened: {error.strerror}. Replace it or remove it.") from error
    if not stat.S_ISREG(status.st_mode):
        refuse_special_file(place, PictureError, "Give the path of an image.")
    return f"{Path(path).as_posix()}\0{status.st_size}\0{status.st_mtime_ns}"
