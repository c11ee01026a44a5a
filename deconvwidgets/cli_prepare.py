"""What the commands need before they start: the model, the images, and their activation index."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deconvwidgets.cli_options import UsageError, refused_as_usage
from deconvwidgets.errors import ModelError

if TYPE_CHECKING:
    from deconvwidgets.images.image_set import ImageSet
    from deconvwidgets.index.activation_index import ActivationIndex
    from deconvwidgets.local_service import LocalModelService
    from deconvwidgets.models.bundle import ModelBundle
    from deconvwidgets.records.images import SkippedImage

_LISTED = 5  # skipped images that are named


@dataclass(frozen=True, slots=True)
class Prepared:
    """The model, the image set and their activation index."""

    bundle: ModelBundle
    images: ImageSet
    index: ActivationIndex

    def service(self, device: str) -> LocalModelService:
        """Return a model service."""
        from deconvwidgets.local_service import LocalModelService

        return LocalModelService(self.bundle, self.images, index=self.index, device=device)


def prepare(options: argparse.Namespace) -> Prepared:
    """Load the model and the images, and load the index that the explorers use from the cache, or build it."""
    from deconvwidgets.index.activation_index import ActivationIndex
    from deconvwidgets.index.cached import EXPLORER_OPTIONS, default_path

    bundle, images = load_inputs(options)
    path = default_path(bundle, images)
    index = ActivationIndex.build(bundle, images, options=EXPLORER_OPTIONS, path=path, device=options.device)
    print(f"Index: {index.k} top activations of every unit, in {path}", flush=True)
    return Prepared(bundle, images, index)


def load_inputs(options: argparse.Namespace) -> tuple[ModelBundle, ImageSet]:
    """Load the model and open the images, and print what they are. An unknown device or model is refused before anything is loaded."""
    from deconvwidgets.images.open import open_images
    from deconvwidgets.models.zoo import load_model

    require_device(options.device)
    require_model(options.model)
    bundle = load_model(options.model)
    print_model(bundle)
    images = open_images(options.images)
    print_images(images)
    return bundle, images


def print_model(bundle: ModelBundle) -> None:
    """Print what a model is."""
    print(f"Model: {bundle.label} ({bundle.weights})")
    for note in bundle.notes:
        print(f"  {note}")


def print_images(images: ImageSet) -> None:
    """Print what an image set is."""
    print(f"Images: {images.name}, {images.source_count:,} photographs, {len(images):,} crops")
    print_skipped(images.skipped, "dw.open_images(...).skipped")


def print_skipped(images: Sequence[SkippedImage], rest: str) -> None:
    """Print the first of some skipped images with their reasons, which name them; `rest` is an expression that lists all of them."""
    for image in images[:_LISTED]:
        print(f"  skipped: {image.reason if image.name in image.reason else f'{image.name}: {image.reason}'}")
    if len(images) > _LISTED:
        print(f"  ... and {len(images) - _LISTED:,} more; {rest} lists them")


def require_model(name: str) -> None:
    """Refuse a name that is neither of torchvision nor of this package; those of other libraries have a colon."""
    from deconvwidgets.models.architectures import require_known

    if ":" not in name:
        with refused_as_usage(ModelError):
            require_known(name)


def require_device(name: str) -> None:
    """Refuse a device that PyTorch does not have."""
    from deconvwidgets.models.devices import pick_device

    try:
        pick_device(name)
    except ModelError as error:
        advice = "choose --device auto or cpu, or cuda or mps if the machine has one"
        raise UsageError(f"PyTorch has no device {name!r} here; {advice}.") from error
