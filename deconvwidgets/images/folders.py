"""Image sets of files: folders with or without a subfolder per class, and Caltech-101 and Caltech-256."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.images.decode import check_header, open_image, open_with_content
from deconvwidgets.images.image_set import ImageSet, OpenedPhotograph, digest_of, require_not_empty
from deconvwidgets.paths import as_path
from deconvwidgets.records.images import SkippedImage

_EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif", ".jp2", ".ppm", ".pgm")
_MAX_FOLDERS = 50_000  # ImageNet with all its classes has 22,000
_MAX_DEPTH = 64
_WAY_ON = "Give the folder that holds the images, or the folders of the classes."


class FileImages(ImageSet):
    """Image files below a folder.

    Only the headers are read on construction; files that are not images are skipped. The digest covers the relative paths, sizes
    and modification times of the files, not their pixels.

    Parameters
    ----------
    name : str
        The name of the set.
    root : pathlib.Path
        The folder.
    paths : sequence of str
        The paths of the files, relative to `root`.
    labels : sequence of int or None
        The class of each file.
    categories : sequence of str, optional
        The names of the classes.

    Raises
    ------
    PictureError
        If no file is an image.
    """

    def __init__(
        self, name: str, root: Path, paths: Sequence[str], labels: Sequence[int | None], categories: Sequence[str] | None = None
    ) -> None:
        self._root = root
        self._paths: list[str] = []
        self._labels: list[int | None] = []
        identities: list[str] = []
        skipped: list[SkippedImage] = []
        for path, label in zip(paths, labels, strict=True):
            try:
                identities.append(_identity(root, path))
            except PictureError as error:
                skipped.append(SkippedImage(path, str(error)))
                continue
            self._paths.append(path)
            self._labels.append(label)
        super().__init__(name, digest_of(identities), categories, skipped)
        require_not_empty(self)

    @property
    def source_count(self) -> int:
        """The number of photographs."""
        return len(self._paths)

    def source_name(self, source: int) -> str:
        """Return the path relative to the folder, with forward slashes."""
        return Path(self._paths[source]).as_posix()

    def label(self, source: int) -> int | None:
        return self._labels[source]

    def open_source(self, source: int) -> Image.Image:
        return open_image(self._root / self._paths[source], self.source_name(source))

    def read_source(self, source: int, side: int | None = None) -> OpenedPhotograph:
        image, content = open_with_content(self._root / self._paths[source], self.source_name(source), side)
        return OpenedPhotograph(image, content, self.label(source))

    def open_thumbnail(self, source: int, side: int) -> Image.Image:
        return open_image(self._root / self._paths[source], self.source_name(source), side)


def _identity(root: Path, path: str) -> str:
    check_header(root / path, path)
    status = (root / path).stat()
    return f"{Path(path).as_posix()}\0{status.st_size}\0{status.st_mtime_ns}"


def open_folder(folder: Path) -> FileImages:
    """Open all images below a folder, in natural order ("2" before "10").

    If two or more subfolders contain images, the subfolders are classes, numbered like torchvision's ImageFolder. A subfolder
    without images is then an empty class. Otherwise the images have no labels.

    Raises
    ------
    PictureError
        If the folder does not exist or contains no readable image.
    """
    if not folder.is_dir():
        raise PictureError(f"There is no folder {folder}. Give a folder of images, 'photos', 'caltech101', or a data set.")
    name, paths = folder.resolve().name, image_paths(folder)
    with_images = {path.split(os.sep)[0] for path in paths if os.sep in path}
    if len(with_images) < 2:
        return FileImages(name, folder, paths, [None] * len(paths))
    classes = sorted(with_images.union(subfolders(folder)))
    labels_by_name = {class_name: label for label, class_name in enumerate(classes)}
    labels = [labels_by_name[path.split(os.sep)[0]] if os.sep in path else None for path in paths]
    return FileImages(name, folder, paths, labels, classes)


def subfolders(folder: Path) -> list[str]:
    """Return the names of the direct subfolders in torchvision's order, without ignored ones."""
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not is_ignored(entry.name))


def image_paths(folder: Path) -> list[str]:
    """Return the relative paths of the image files below a folder, in natural order.

    Symbolic links are followed. Each real folder is visited once, so a loop of links ends. A folder that cannot be read is left out, with
    a warning.

    Raises
    ------
    PictureError
        If there are too many folders, or if they are nested too deeply, to be a folder of images: a whole disk, or `/proc`.
    """
    found: list[str] = []
    unreadable: list[OSError] = []
    visited = {os.path.realpath(folder)}
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=unreadable.append):
        folders[:] = [name for name in sorted(folders) if _enter(parent, name, visited)]
        if len(visited) > _MAX_FOLDERS:
            raise PictureError(f"{folder} has more than {_MAX_FOLDERS:,} folders. {_WAY_ON}")
        if folders and len(Path(parent).relative_to(folder).parts) >= _MAX_DEPTH:
            raise PictureError(f"{folder} has folders that are nested more than {_MAX_DEPTH} deep. {_WAY_ON}")
        found += [os.path.relpath(os.path.join(parent, name), folder) for name in names if is_image_file(name)]
    if unreadable:
        first, others = unreadable[0], f" and {len(unreadable) - 1} more folders are" if len(unreadable) > 1 else " is"
        warnings.warn(f"{first.filename}{others} left out: {first.strerror}.", stacklevel=3)
    return sorted(found, key=_natural)


def _enter(parent: str, name: str, visited: set[str]) -> bool:
    real = os.path.realpath(os.path.join(parent, name))
    if is_ignored(name) or real in visited:
        return False
    visited.add(real)
    return True


def is_ignored(name: str) -> bool:
    """Return whether a file or folder name is hidden, or macOS metadata in a zip."""
    return name.startswith(".") or name == "__MACOSX"


def is_image_file(name: str) -> bool:
    """Return whether a file name has the extension of an image and is not hidden."""
    return not name.startswith(".") and name.lower().endswith(_EXTENSIONS)


def _natural(path: str) -> tuple[list[tuple[int, int | str]], str]:
    """Return a sort key that compares digits by their value ("dog2" before "dog10"); the path itself breaks ties."""
    parts = re.split(r"(\d+)", path.casefold())
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts], path


DATA_VARIABLE = "DECONVWIDGETS_DATA"


@dataclass(frozen=True, slots=True)
class _Caltech:
    name: str
    folders: tuple[str, str]  # relative to the root
    background: str  # the folder of the background class
    numbered: bool  # whether class folders have a number, as in "001.ak47"

    def class_name(self, folder: str) -> str:
        """Return the name of the class in a folder."""
        return folder.partition(".")[2] or folder if self.numbered else folder


_CALTECH_101 = _Caltech("Caltech-101", ("caltech101", "101_ObjectCategories"), "BACKGROUND_Google", numbered=False)
_CALTECH_256 = _Caltech("Caltech-256", ("caltech256", "256_ObjectCategories"), "257.clutter", numbered=True)


def open_caltech101(root: str | os.PathLike[str] | None = None, include_background: bool = False) -> FileImages:
    """Open Caltech-101 in torchvision's layout: 101 classes, 8,677 photographs.

    Parameters
    ----------
    root : str or path, optional
        The folder that contains `caltech101/101_ObjectCategories/<class>/*.jpg`. Defaults to the value of the environment variable
        DECONVWIDGETS_DATA.
    include_background : bool
        Whether to add the background class. It is the last one, so the labels of the other classes do not change.

    Returns
    -------
    FileImages
        The photographs.

    Raises
    ------
    PictureError
        If the data set is not found.
    """
    return _open_caltech(_CALTECH_101, root, include_background)


def open_caltech256(root: str | os.PathLike[str] | None = None, include_background: bool = False) -> FileImages:
    """Open Caltech-256 in torchvision's layout (`caltech256/256_ObjectCategories/<NNN.class>/*.jpg`).

    Class names do not contain the number of the folder; labels agree with torchvision. The background class is "clutter". See
    `open_caltech101` for the parameters and errors.
    """
    return _open_caltech(_CALTECH_256, root, include_background)


def find_caltech(name: str, root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of "caltech101" or "caltech256" without reading it. Raises PictureError if it does not exist."""
    return _caltech_folder(_CALTECH_101 if name == "caltech101" else _CALTECH_256, root)


def _open_caltech(data: _Caltech, root: str | os.PathLike[str] | None, include_background: bool) -> FileImages:
    folder = _caltech_folder(data, root)
    excluded = set() if include_background else {data.background}
    classes = [name for name in subfolders(folder) if name not in excluded]
    if include_background and data.background in classes:
        classes = [*(name for name in classes if name != data.background), data.background]
    labels_by_name = {class_name: label for label, class_name in enumerate(classes)}
    # Like torchvision, ignore files in deeper folders (Caltech-256 has some).
    paths = [path for path in image_paths(folder) if path.count(os.sep) == 1 and path.split(os.sep)[0] in labels_by_name]
    paths.sort(key=lambda path: path.startswith(data.background + os.sep))  # stable: only moves the background to the end
    labels = [labels_by_name[path.split(os.sep)[0]] for path in paths]
    return FileImages(data.name, folder, paths, labels, [data.class_name(name) for name in classes])


def _caltech_folder(data: _Caltech, root: str | os.PathLike[str] | None) -> Path:
    configured = root if root is not None else os.environ.get(DATA_VARIABLE)
    download = f"torchvision.datasets.{data.name.replace('-', '')}(root, download=True) downloads it"
    if not configured:
        raise PictureError(f"The folder of {data.name} is not known. Pass root=..., or set {DATA_VARIABLE}; {download}.")
    base, (outer, inner) = as_path(configured, "root", PictureError), data.folders
    for folder in (base / outer / inner, base / inner, base):
        if folder.name == inner and folder.is_dir():
            return folder
    raise PictureError(f"There is no {Path(outer) / inner} in {base}; {download}.")
