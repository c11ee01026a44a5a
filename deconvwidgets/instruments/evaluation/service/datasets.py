"""The image sets that a model can be evaluated on."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

from deconvwidgets.errors import EvaluationError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.open import open_images
from deconvwidgets.instruments.evaluation.settings import OWN, EvaluationDataChoice, EvaluationSettings
from deconvwidgets.service.datasets import CALTECH, PHOTO_CROPS, OpenDatasets, missing_reason, naming_host, require_absolute
from deconvwidgets.service.unpacked import uploaded_folders

_PROBED = 64  # photographs whose labels are looked at, to say whether a set has any


class EvaluationDatasets:
    """Lists and opens image sets. Thread-safe.

    Parameters
    ----------
    own_images : callable
        Returns the image set of the service.
    host : str
        The name of this machine if the user's notebook runs on another one; else empty.
    """

    def __init__(self, own_images: Callable[[], ImageSet], host: str = "") -> None:
        self._own_images = own_images
        self._host = host
        self._datasets = OpenDatasets(own_images, host=host)
        self._lock = Lock()
        self._added: dict[str, ImageSet] = {}
        self._labelled: tuple[ImageSet, bool] | None = None

    def add(self, images: Any) -> str:
        """Add an image set, and return its name; "images" for that of the service. Raises PictureError if it cannot be opened."""
        require_absolute(images, self._host)
        with naming_host(self._host):
            opened = open_images(images)
        if opened is self._own_images():
            return OWN
        with self._lock:
            for name, known in self._added.items():
                if known is opened:
                    return name
            name = f"{OWN}:{len(self._added) + 1}"
            self._added[name] = opened
        return name

    def choices(self) -> tuple[EvaluationDataChoice, ...]:
        """Return the image sets that a panel offers, without opening them."""
        hint = "" if self._own_labelled() else "These photographs have no labels."
        with self._lock:
            added = [EvaluationDataChoice(name, images.name) for name, images in self._added.items()]
        return (
            *added,
            EvaluationDataChoice(OWN, "This service's photographs", hint),
            *(EvaluationDataChoice(name, title, missing_reason(name)) for name, title in CALTECH.items()),
            *(EvaluationDataChoice(str(folder), f"{folder.name} (uploaded)") for folder in uploaded_folders()),
            EvaluationDataChoice(PHOTO_CROPS, "Crops of the default photographs"),
        )

    def images(self, settings: EvaluationSettings, fresh: bool = False) -> ImageSet:
        """Return the image set of the settings, at most `limit` photographs. It is opened again if its folder changed, or if `fresh`.

        Raises
        ------
        PictureError, AssetError
            If it cannot be opened.
        EvaluationError
            For the name of an image set that was not added.
        """
        data = settings.data
        with self._lock:
            added = self._added.get(data) if isinstance(data, str) else None
        if added is None and isinstance(data, str) and data.startswith(f"{OWN}:"):
            raise EvaluationError(f"There are no images {data!r} in this session: add them again with add_images(...), or choose others.")
        images = added if added is not None else self._datasets.get(data, settings.root, fresh)
        return images if settings.limit is None else open_images(images, limit=settings.limit)

    def _own_labelled(self) -> bool:
        own, known = self._own_images(), self._labelled
        if known is None or known[0] is not own:
            probed = range(min(own.source_count, _PROBED))
            self._labelled = known = (own, any(own.target(source) is not None for source in probed))
        return known[1]
