"""What the loaders of timm's and Hugging Face's models share: optional imports, the hub's reachability, and their bundles."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import Tensor, nn

from deconvwidgets.assets.reachability import unreachable_reason
from deconvwidgets.errors import ModelError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.torchvision_import import import_torchvision
from deconvwidgets.models.transforms import Transform
from deconvwidgets.models.untrained_weights import UNTRAINED, UNTRAINED_NOTE


def import_library(name: str, extra: str) -> Any:
    """Return an optional library. Raises ModelError with the install command if it is not installed."""
    import_torchvision()  # these libraries import it, which fails where its wheel does not fit PyTorch's
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ModelError(f"{name} is not installed: run `python -m pip install 'deconvwidgets[{extra}]'`.") from error


def hub_unreachable_reason() -> str | None:
    """Return why the Hugging Face Hub cannot be used, or None if it responds. This takes 5 seconds at most.

    Without this check the libraries try for about 25 seconds.
    """
    constants = importlib.import_module("huggingface_hub").constants
    return "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else unreachable_reason(constants.ENDPOINT)


@dataclass(frozen=True, slots=True)
class RgbTransform:
    """A transform that is applied to an image in RGB: photographs can be gray or have a palette."""

    transform: Callable[[Image.Image], Tensor]

    def __call__(self, image: Image.Image) -> Tensor:
        """Return the normalised input (channels, height, width)."""
        return self.transform(image.convert("RGB"))


@dataclass(frozen=True, slots=True)
class LibraryWeights:
    """A description of the weights of a model, see `ModelBundle`."""

    description: str
    categories: Sequence[str] | None = None
    classifier: str | None = None
    notes: tuple[str, ...] = ()
    trained: bool = True


RANDOM_WEIGHTS = LibraryWeights(UNTRAINED, notes=(UNTRAINED_NOTE,), trained=False)


def library_bundle(name: str, model: nn.Module, transform: Transform, weights: LibraryWeights) -> ModelBundle:
    """Return the bundle of a model. The input size is that of the transform's output.

    Raises
    ------
    ModelError
        If the transform does not return inputs of (channels, height, width).
    """
    shape = transform.input_size if isinstance(transform, Preprocess) else tuple(transform(Image.new("RGB", (320, 240))).shape)
    if len(shape) != 3:
        raise ModelError(f"The transform of {name} returns a tensor of {shape}, not (channels, height, width).")
    return ModelBundle(
        name=name,
        model=model.eval(),
        transform=transform,
        categories=tuple(weights.categories) if weights.categories is not None else None,
        input_size=(shape[0], shape[1], shape[2]),
        weights=weights.description,
        trained=weights.trained,
        classifier=weights.classifier,
        notes=weights.notes,
    )
