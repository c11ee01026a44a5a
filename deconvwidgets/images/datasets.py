"""Image sets of Python objects: lists of images and paths, and torchvision data sets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor
from torch.utils.data import Subset

from deconvwidgets.assets.cache import sha256_of_bytes
from deconvwidgets.errors import PictureError
from deconvwidgets.images.content import content_of_image
from deconvwidgets.images.decode import as_rgb, check_header, open_with_content
from deconvwidgets.images.files import CHECKED_FILES, FileImages
from deconvwidgets.images.image_set import ImageSet, OpenedPhotograph, digest_of, require_not_empty
from deconvwidgets.paths import as_path
from deconvwidgets.records.images import SkippedImage

_PROBES = 8

Item = Image.Image | str | os.PathLike[str]


class ListImages(ImageSet):
    """A list of images and paths. The digest covers the pixels of images, and path, size and modification time of files.

    As in `FileImages`, files that are not images are skipped on construction in a list of up to 2,000.
    """

    def __init__(self, items: Sequence[Item], name: str = "your images") -> None:
        self._items: list[Item] = []
        self._names: list[str] = []
        identities: list[str] = []
        skipped: list[SkippedImage] = []
        for number, item in enumerate(items):
            label = f"image {number + 1}" if isinstance(item, Image.Image) else Path(item).name
            try:
                checked = item if isinstance(item, Image.Image) else as_path(item, "The path of an image", PictureError)
                identities.append(_item_identity(checked, label, len(items) <= CHECKED_FILES))
            except PictureError as error:
                skipped.append(SkippedImage(label, str(error)))
                continue
            self._items.append(checked)
            self._names.append(label)
        super().__init__(name, digest_of(identities), skipped=skipped)
        require_not_empty(self)

    @property
    def source_count(self) -> int:
        """The number of images."""
        return len(self._items)

    def source_name(self, source: int) -> str:
        return self._names[source]

    def label(self, source: int) -> int | None:
        return None

    def open_source(self, source: int) -> Image.Image:
        return as_rgb(self._items[source], self._names[source])

    def read_source(self, source: int, side: int | None = None) -> OpenedPhotograph:
        item, name = self._items[source], self._names[source]
        if isinstance(item, Image.Image):
            image = as_rgb(item, name)
            return OpenedPhotograph(image, content_of_image(image), None)
        image, content = open_with_content(item, name, side)
        return OpenedPhotograph(image, content, None)


def _item_identity(item: Item, name: str, check: bool) -> str:
    if isinstance(item, Image.Image):
        return _pixel_identity(as_rgb(item, name))
    if check:
        check_header(item)
    try:
        status = os.stat(item)
    except OSError as error:
        raise PictureError(f"{name} cannot be opened: {error.strerror}. Replace it or remove it.") from error
    return f"{os.fspath(item)}\0{status.st_size}\0{status.st_mtime_ns}"


def _pixel_identity(image: Image.Image) -> str:
    return f"{image.mode} {image.size} {sha256_of_bytes(image.tobytes())}"


class DatasetImages(ImageSet):
    """A data set of (image, class) pairs; images are PIL images, arrays or tensors, as `deconvwidgets.images.decode.as_rgb` takes them.

    The digest covers the type, the length, the labels if the data set lists them, and the pixels of up to eight evenly spaced
    items: reading all items may take hours.
    """

    def __init__(self, dataset: Any, name: str | None = None) -> None:
        self._dataset = dataset
        self._listed = _listed_targets(dataset)
        self._targets = None if self._listed is None else [_as_label(value) for value in self._listed]
        kind = type(dataset).__name__
        count = len(dataset)
        probes = sorted({round(step * (count - 1) / (_PROBES - 1)) for step in range(_PROBES)}) if count else []
        pixels = [_pixel_identity(_item_image(dataset[probe], f"item {probe}")) for probe in probes]
        digest = digest_of([kind, str(count), str(self._targets), *pixels])
        super().__init__(name or kind, digest, _categories(dataset))
        require_not_empty(self)

    @property
    def source_count(self) -> int:
        """The number of items."""
        return len(self._dataset)

    def source_name(self, source: int) -> str:
        return f"{self.name} {source}"

    def label(self, source: int) -> int | None:
        """Return the class. The item is loaded if the data set does not list its labels."""
        if self._targets is not None:
            return self._targets[source]
        return _as_label(_item_target(self._dataset[source]))

    def target(self, source: int) -> object:
        """Return the target of an item as the data set has it. The item is loaded if the data set does not list its targets."""
        return _item_target(self._dataset[source]) if self._listed is None else self._listed[source]

    def open_source(self, source: int) -> Image.Image:
        return _item_image(self._item(source), self.source_name(source))

    def read_source(self, source: int, side: int | None = None) -> OpenedPhotograph:
        item = self._item(source)
        image = _item_image(item, self.source_name(source))
        label = _as_label(_item_target(item)) if self._targets is None else self._targets[source]
        return OpenedPhotograph(image, content_of_image(image), label)

    def _item(self, source: int) -> Any:
        name = self.source_name(source)
        try:
            return self._dataset[source]
        except (OSError, ValueError, SyntaxError) as error:
            raise PictureError(f"{name} cannot be read: {error}. Exclude it with images.subset([...]).") from error


def open_dataset(dataset: Any) -> ImageSet:
    """Return a torchvision data set as an image set.

    A data set that lists its files (ImageFolder) is read file by file, so that damaged files are skipped. Its transform is not
    applied then: the model's transform prepares the images.
    """
    samples = getattr(dataset, "samples", None)
    if isinstance(samples, list) and samples and all(isinstance(sample[0], str) for sample in samples):
        root = Path(getattr(dataset, "root", "."))
        paths, labels = (os.path.relpath(path, root) for path, _ in samples), [_as_label(target) for _, target in samples]
        images = FileImages(type(dataset).__name__, root, paths, labels, _categories(dataset))
        images.digest = digest_of([images.digest, *map(str, labels)])  # the paths need not say the labels
        return images
    return DatasetImages(dataset)


def _listed_targets(dataset: Any) -> Sequence[Any] | None:
    """Return the targets that a data set lists without loading its images, as they are; None if it lists none."""
    if isinstance(dataset, Subset):
        inner = _listed_targets(dataset.dataset)
        return [inner[index] for index in dataset.indices] if inner is not None else None
    for attribute in ("targets", "labels", "_labels", "y"):
        listed: Sequence[Any] | None = getattr(dataset, attribute, None)
        if listed is not None and hasattr(listed, "__len__") and len(listed) == len(dataset):
            return listed
    return None


def _item_target(item: Any) -> object:
    return item[1] if isinstance(item, tuple | list) and len(item) > 1 else None


def _categories(dataset: Any) -> list[str] | None:
    if isinstance(dataset, Subset):
        return _categories(dataset.dataset)
    for attribute in ("classes", "categories"):
        listed = getattr(dataset, attribute, None)
        if isinstance(listed, list | tuple) and listed:
            # torchvision's ImageNet has a tuple of names for each class, and two pairs of classes share their first name.
            names = [str(entry[0]) if isinstance(entry, tuple) else str(entry) for entry in listed]
            ids = getattr(dataset, "wnids", ())
            if len(ids) != len(names):
                return names
            return [f"{name} ({ids[number]})" if names.count(name) > 1 else name for number, name in enumerate(names)]
    return None


def _as_label(value: object) -> int | None:
    """Return a target as a class index; None if it is not one (boxes, masks, several labels)."""
    if isinstance(value, Tensor | np.ndarray):
        return int(value.item()) if value.ndim == 0 else None
    return int(value) if isinstance(value, int | np.integer) else None


def _item_image(item: Any, name: str) -> Image.Image:
    image = item[0] if isinstance(item, tuple | list) and item else item
    if not isinstance(image, Image.Image | Tensor | np.ndarray):
        raise PictureError(f"{name} is a {type(image).__name__}, not an image. The items of a data set are (image, class) pairs.")
    return as_rgb(image, name)
