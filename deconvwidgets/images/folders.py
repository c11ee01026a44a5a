"""Image sets of files: folders with or without a subfolder per class, and Caltech-101 and Caltech-256."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deconvwidgets.assets.cache import cache_dir
from deconvwidgets.errors import PictureError
from deconvwidgets.images.files import FileImages
from deconvwidgets.paths import as_path

_EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif", ".jp2", ".ppm", ".pgm")
_MAX_FOLDERS = 50_000  # ImageNet with all its classes has 22,000
_MAX_DEPTH = 64
_WAY_ON = "Give the folder that holds the images, or the folders of the classes."


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
        raise PictureError(f"There is no folder {folder}. Give a folder of images, 'photos', 'imagenette' or 'caltech101'.")
    name = folder.resolve().name
    if not _has_classes(folder):
        return FileImages(name, folder, image_paths(folder), lambda path: None)
    classes = subfolders(folder)
    labels = {class_name: label for label, class_name in enumerate(classes)}
    return FileImages(name, folder, image_paths(folder), lambda path: labels.get(path.split(os.sep)[0]), classes)


def _has_classes(folder: Path) -> bool:
    """Return whether two or more subfolders contain images."""
    first = None
    for path in image_paths(folder):
        if os.sep in path:
            first = first or path.split(os.sep)[0]
            if path.split(os.sep)[0] != first:
                return True
    return False


def subfolders(folder: Path) -> list[str]:
    """Return the names of the direct subfolders in torchvision's order, without ignored ones."""
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not is_ignored(entry.name))


def image_paths(folder: Path) -> Iterator[str]:
    """Iterate over the relative paths of the image files below a folder, in natural order. One folder at a time is listed.

    Symbolic links are followed. Each real folder is visited once, so a loop of links ends. A folder that cannot be read is left out, with
    a warning.

    Raises
    ------
    PictureError
        If there are too many folders, or if they are nested too deeply, to be a folder of images: a whole disk, or `/proc`.
    """
    unreadable: list[OSError] = []
    visited = {os.path.realpath(folder)}
    open_folders = [iter(_entries(folder, "", visited, unreadable))]
    while open_folders:
        path = next(open_folders[-1], None)
        if path is None:
            open_folders.pop()
        elif not path.endswith(os.sep):
            yield path
        elif len(visited) > _MAX_FOLDERS:
            raise PictureError(f"{folder} has more than {_MAX_FOLDERS:,} folders. {_WAY_ON}")
        elif len(open_folders) > _MAX_DEPTH:
            raise PictureError(f"{folder} has folders that are nested more than {_MAX_DEPTH} deep. {_WAY_ON}")
        else:
            open_folders.append(iter(_entries(folder, path, visited, unreadable)))
    if unreadable:
        first, others = unreadable[0], f" and {len(unreadable) - 1} more folders are" if len(unreadable) > 1 else " is"
        warnings.warn(f"{first.filename}{others} left out: {first.strerror}.", stacklevel=3)


def _entries(folder: Path, inner: str, visited: set[str], unreadable: list[OSError]) -> list[str]:
    """Return the paths of the image files and the folders, which end in a separator, in folder / `inner`, in natural order."""
    parent = os.path.join(folder, inner)
    try:
        with os.scandir(parent) as scanned:
            is_folder = {entry.name: entry.is_dir() for entry in scanned if entry.is_dir() or is_image_file(entry.name)}
    except OSError as error:
        unreadable.append(error)
        return []
    folders = {name for name in sorted(is_folder) if is_folder[name] and _enter(parent, name, visited)}
    names = [name + os.sep if name in folders else name for name in is_folder if name in folders or not is_folder[name]]
    names.sort()  # decides where natural keys are equal
    names.sort(key=_natural)
    return [inner + name for name in names]


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


def _natural(name: str) -> str:
    """Return a sort key that compares digits by their value ("dog2" before "dog10"), before any other character, and ignores case."""
    return re.sub(r"\d+", _number_key, name.casefold())


def _number_key(digits: re.Match[str]) -> str:
    number = str(int(digits[0]))
    return f"\0{len(number):03}{number}"  # a longer number is larger; no file name contains NUL


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


def has_caltech(name: str, root: str | os.PathLike[str] | None = None) -> bool:
    """Return whether there is a folder of "caltech101" or "caltech256"."""
    try:
        find_caltech(name, root)
    except PictureError:
        return False
    return True


def _open_caltech(data: _Caltech, root: str | os.PathLike[str] | None, include_background: bool) -> FileImages:
    folder = _caltech_folder(data, root)
    excluded = set() if include_background else {data.background}
    classes = [name for name in subfolders(folder) if name not in excluded]
    if include_background and data.background in classes:
        classes = [*(name for name in classes if name != data.background), data.background]
    labels = {class_name: label for label, class_name in enumerate(classes)}
    paths = (path for background in (False, True) for path in _caltech_paths(data, folder, labels, background))  # the background is last
    return FileImages(data.name, folder, paths, lambda path: labels[path.split(os.sep)[0]], [data.class_name(name) for name in classes])


def _caltech_paths(data: _Caltech, folder: Path, labels: Mapping[str, int], background: bool) -> Iterator[str]:
    """Iterate over the images of the background class, or of all others. Like torchvision, ignore deeper folders (Caltech-256 has some)."""
    if background and data.background not in labels:
        return
    for path in image_paths(folder):
        parts = path.split(os.sep)
        if len(parts) == 2 and parts[0] in labels and (parts[0] == data.background) == background:
            yield path


def _caltech_folder(data: _Caltech, root: str | os.PathLike[str] | None) -> Path:
    configured = root if root is not None else os.environ.get(DATA_VARIABLE)
    download = f'dw.open_images("{data.folders[0]}", download=True) downloads it'
    base, (outer, inner) = as_path(configured, "root", PictureError) if configured else cache_dir() / "datasets", data.folders
    if not configured and not (base / outer / inner).is_dir():
        raise PictureError(f"The folder of {data.name} is not known. Pass root=..., or set {DATA_VARIABLE}; {download}.")
    for folder in (base / outer / inner, base / inner, base):
        if folder.name == inner and folder.is_dir():
            return folder
    raise PictureError(f"There is no {Path(outer) / inner} in {base}; {download}.")
