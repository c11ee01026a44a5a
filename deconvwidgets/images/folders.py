"""Photographs in files: folders, with class subfolders or flat."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.images.decode import check_header, open_image
from deconvwidgets.images.image_set import ImageSet, digest_of, require_not_empty
from deconvwidgets.records.images import SkippedImage

_ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif", ".jp2", ".ppm", ".pgm")


class FileImages(ImageSet):
    """Picture files below a folder. The digest covers their relative paths, sizes and modification times, not their pixels:
    it costs no reading. Files that do not open as pictures are skipped; nothing is decoded before it is asked for."""

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
        """Number of photographs."""
        return len(self._paths)

    def source_name(self, source: int) -> str:
        """The path below the folder, with forward slashes."""
        return Path(self._paths[source]).as_posix()

    def label(self, source: int) -> int | None:
        return self._labels[source]

    def open_source(self, source: int) -> Image.Image:
        return open_image(self._root / self._paths[source], self.source_name(source))

    def open_thumbnail(self, source: int, side: int) -> Image.Image:
        return open_image(self._root / self._paths[source], self.source_name(source), side)


def _identity(root: Path, path: str) -> str:
    check_header(root / path, path)
    status = (root / path).stat()
    return f"{Path(path).as_posix()}\0{status.st_size}\0{status.st_mtime_ns}"


def open_folder(folder: Path) -> FileImages:
    """All pictures below a folder, in natural order (2 before 10). Two or more subfolders with pictures are taken for
    classes, numbered in torchvision's order, so that labels agree with a model trained there; subfolders without one are classes
    too then, empty ones.

    Raises PictureError where there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise PictureError(f"There is no folder {folder}. Give a folder of pictures, 'photos', 'caltech101', or a data set.")
    name, paths = folder.resolve().name, image_paths(folder)
    with_pictures = {path.split(os.sep)[0] for path in paths if os.sep in path}
    if len(with_pictures) < 2:
        return FileImages(name, folder, paths, [None] * len(paths))
    classes = sorted(with_pictures.union(subfolders(folder)))
    numbers = {label: number for number, label in enumerate(classes)}
    labels = [numbers[path.split(os.sep)[0]] if os.sep in path else None for path in paths]
    return FileImages(name, folder, paths, labels, classes)


def subfolders(folder: Path) -> list[str]:
    """The names of the folders directly below, in torchvision's order; hidden ones left out."""
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not is_ignored(entry.name))


def image_paths(folder: Path) -> list[str]:
    """Relative paths of picture files, in natural order. Links are followed, each real folder visited once, so that no loop is endless."""
    found: list[str] = []
    visited = {os.path.realpath(folder)}
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in sorted(folders) if _enter(parent, name, visited)]
        found += [os.path.relpath(os.path.join(parent, name), folder) for name in names if is_image_file(name)]
    return sorted(found, key=_natural)


def _enter(parent: str, name: str, visited: set[str]) -> bool:
    real = os.path.realpath(os.path.join(parent, name))
    if is_ignored(name) or real in visited:
        return False
    visited.add(real)
    return True


def is_ignored(name: str) -> bool:
    """Whether a folder is hidden, or what zips made on a Mac carry beside the pictures."""
    return name.startswith(".") or name == "__MACOSX"


def is_image_file(name: str) -> bool:
    """Whether a file is a picture by its name, and not hidden."""
    return not name.startswith(".") and name.lower().endswith(_ENDINGS)


def _natural(path: str) -> tuple[list[tuple[int, int | str]], str]:
    """Numbers inside names sort by value: dog2 before dog10. The path itself breaks ties."""
    pieces = re.split(r"(\d+)", path.casefold())
    return [(0, int(piece)) if piece.isdecimal() else (1, piece) for piece in pieces], path


DATA_VARIABLE = "DECONVWIDGETS_DATA"


@dataclass(frozen=True, slots=True)
class _Caltech:
    name: str
    folders: tuple[str, str]  # below the root
    background: str  # the folder of pictures of anything
    numbered: bool  # class folders are called "001.ak47"

    def words(self, folder: str) -> str:
        """The class that a folder holds."""
        return folder.partition(".")[2] or folder if self.numbered else folder


_CALTECH_101 = _Caltech("Caltech-101", ("caltech101", "101_ObjectCategories"), "BACKGROUND_Google", numbered=False)
_CALTECH_256 = _Caltech("Caltech-256", ("caltech256", "256_ObjectCategories"), "257.clutter", numbered=True)


def open_caltech101(root: str | os.PathLike[str] | None = None, include_background: bool = False) -> FileImages:
    """Caltech-101 in torchvision's layout (`root/caltech101/101_ObjectCategories/<class>/*.jpg`): 101 classes, 8,677 photographs.

    `root` defaults to the environment variable DECONVWIDGETS_DATA. `include_background` adds the background class as the last, so that the
    others keep their numbers.

    Raises PictureError where it is not there, with the way to get it.
    """
    return _open(_CALTECH_101, root, include_background)


def open_caltech256(root: str | os.PathLike[str] | None = None, include_background: bool = False) -> FileImages:
    """Caltech-256 in torchvision's layout (`root/caltech256/256_ObjectCategories/<NNN.class>/*.jpg`): classes are called by their names
    alone and numbered as in torchvision. `root` and `include_background` (its class "clutter") as for Caltech-101.

    Raises PictureError where it is not there, with the way to get it.
    """
    return _open(_CALTECH_256, root, include_background)


def find_caltech(what: str, root: str | os.PathLike[str] | None = None) -> Path:
    """The folder of "caltech101" or "caltech256" below `root`; nothing in it is looked at. Raises PictureError where it is not there."""
    return _folder(_CALTECH_101 if what == "caltech101" else _CALTECH_256, root)


def _open(data: _Caltech, root: str | os.PathLike[str] | None, include_background: bool) -> FileImages:
    folder = _folder(data, root)
    left_out = set() if include_background else {data.background}
    classes = [name for name in subfolders(folder) if name not in left_out]
    if include_background and data.background in classes:
        classes = [*(name for name in classes if name != data.background), data.background]
    numbers = {name: number for number, name in enumerate(classes)}
    # Pictures lie directly in their class folder; torchvision does not look deeper either (Caltech-256 has strays there).
    paths = [path for path in image_paths(folder) if path.count(os.sep) == 1 and path.split(os.sep)[0] in numbers]
    paths.sort(key=lambda path: path.startswith(data.background + os.sep))  # stable: the background comes last here as well
    labels = [numbers[path.split(os.sep)[0]] for path in paths]
    return FileImages(data.name, folder, paths, labels, [data.words(name) for name in classes])


def _folder(data: _Caltech, root: str | os.PathLike[str] | None) -> Path:
    chosen = root if root is not None else os.environ.get(DATA_VARIABLE)
    how = f"torchvision.datasets.{data.name.replace('-', '')}(root, download=True) fetches it"
    if not chosen:
        raise PictureError(f"Where is {data.name}? Pass root=..., or set {DATA_VARIABLE}; {how}.")
    base, (outer, inner) = Path(chosen).expanduser(), data.folders
    for folder in (base / outer / inner, base / inner, base):
        if folder.name == inner and folder.is_dir():
            return folder
    raise PictureError(f"There is no {Path(outer) / inner} in {base}; {how}.")
