"""Caltech-101 and Caltech-256, in the folders that torchvision unpacks them to. torchvision's own reader of Caltech-101 has no background
class; these leave both sets' background out unless asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from deconvwidgets.errors import PictureError
from deconvwidgets.images.folders import FileImages, picture_paths, subfolders

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
    paths = [path for path in picture_paths(folder) if path.count(os.sep) == 1 and path.split(os.sep)[0] in numbers]
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
