"""The data sets that heads can be trained on."""

from __future__ import annotations

from collections.abc import Callable

from deconvwidgets.errors import HeadError
from deconvwidgets.images.empty_classes import without_empty_classes
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import class_sizes
from deconvwidgets.instruments.transfer.records import DataChoice, TransferSettings
from deconvwidgets.instruments.transfer.service.uploads import Uploads
from deconvwidgets.service.datasets import CALTECH, OWN, PHOTO_CROPS, OpenDatasets, missing_reason

_COMMON_NUMBERS = (30, 20, 15, 10, 5, 4, 3, 2, 1)  # of training images per class
_TRAINING_SHARE = 0.75  # at most, of a class that has fewer than the paper's 30
_PHOTO_CROPS_PER_CLASS = 4  # of eight crops of each photograph


class DatasetCatalog:
    """Lists and opens data sets. Thread-safe.

    Parameters
    ----------
    own_images : callable
        Returns the image set of the service.
    uploads : Uploads
        The uploaded zips.
    host : str
        The name of this machine if the user's notebook runs on another one; else empty.
    """

    def __init__(self, own_images: Callable[[], ImageSet], uploads: Uploads, host: str = "") -> None:
        self._own_images = own_images
        self._uploads = uploads
        self._datasets = OpenDatasets(own_images, without_empty_classes, host)
        self._smallest: tuple[ImageSet, int] | None = None

    def choices(self) -> tuple[DataChoice, ...]:
        """Return the data sets that a panel offers, without opening them: first the photographs of the service, if they have labels."""
        caltech = [DataChoice(name, title, missing_reason(name)) for name, title in CALTECH.items()]
        crops = DataChoice(PHOTO_CROPS, "Default photographs (for a quick try)", images_per_class=_PHOTO_CROPS_PER_CLASS)
        uploads = [DataChoice(str(folder), f"{folder.name} (uploaded)") for folder in self._uploads.folders()]
        return (*self._own_choice(), *caltech, crops, *uploads)

    def _own_choice(self) -> tuple[DataChoice, ...]:
        """Return the choice of the photographs of the service; none if they have no labels, or a class has a single photograph."""
        own = self._own_images()
        smallest = self._smallest_class(own)
        if smallest < 2:
            return ()
        few = [number for number in _COMMON_NUMBERS if number <= _TRAINING_SHARE * smallest]
        number = _COMMON_NUMBERS[0] if smallest > _COMMON_NUMBERS[0] else max(few, default=1)
        return (DataChoice(OWN, "This service's photographs", images_per_class=number),)

    def images(self, settings: TransferSettings, fresh: bool = False) -> ImageSet:
        """Return the image set of `settings.data`, without empty classes. It is opened again if its folder changed since, or if `fresh`.

        Raises
        ------
        PictureError
            If there is no such data set.
        AssetError
            If "photo-crops" cannot be fetched.
        """
        return self._datasets.get(settings.data, settings.root, fresh)

    def _smallest_class(self, images: ImageSet) -> int:
        """Return the number of photographs of the smallest class that has any; 0 without labels."""
        known = self._smallest
        if known is None or known[0] is not images:
            try:
                smallest = min(filter(None, class_sizes(images)))
            except HeadError:  # no labels
                smallest = 0
            self._smallest = known = (images, smallest)
        return known[1]
