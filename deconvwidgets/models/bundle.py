"""A model with all that is needed to feed it and to read its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from deconvwidgets.engine import Network
from deconvwidgets.errors import ModelError
from deconvwidgets.models.head_files import HeadSource, as_head, describe_classes
from deconvwidgets.models.headed_model import attach_head
from deconvwidgets.models.preprocess import Preprocess, as_preprocess, default_preprocess, unit_range_to_rgb
from deconvwidgets.models.traced import TracedNetwork
from deconvwidgets.records.geometry import Geometry
from deconvwidgets.records.heads import Head
from deconvwidgets.records.repr import compact_repr

Transform = Callable[[Image.Image], Tensor]


@dataclass(frozen=True)
class ModelBundle:
    """A model in evaluation mode, its transform, and what is known about it. Nothing here is ever mutated.

    `model` maps a normalised batch (N, *input_size) to logits (N, classes) where it has a classifier, else to feature
    maps. `classifier` says in words whose classes it answers with; None where it has none. `notes` are sentences that
    every view should show. `head` is the softmax head that the model answers with, and `headless` the bundle that it was put on.
    """

    name: str
    model: nn.Module
    transform: Transform
    categories: tuple[str, ...] | None
    input_size: tuple[int, int, int]
    weights: str
    trained: bool
    classifier: str | None
    notes: tuple[str, ...] = ()
    head: Head | None = field(default=None, compare=False, repr=False)
    headless: ModelBundle | None = field(default=None, compare=False, repr=False)
    traced: TracedNetwork = field(default_factory=TracedNetwork, compare=False, repr=False)

    __repr__ = compact_repr

    def __post_init__(self) -> None:
        if self.model.training:
            raise ModelError(
                f"{self.name} is in training mode, where dropout and batch norm answer differently each time. Call model.eval() first."
            )
        if len(self.input_size) != 3 or min(self.input_size) < 1:
            raise ModelError(f"input_size is (channels, height, width), not {self.input_size}.")

    @classmethod
    def from_module(
        cls,
        net: nn.Module,
        transform: Transform | None = None,
        categories: Sequence[str] | None = None,
        input_size: tuple[int, int, int] | None = None,
        name: str | None = None,
    ) -> ModelBundle:
        """A bundle of your own model, which is used as it is: neither copied nor changed.

        `transform` turns a PIL picture into a float tensor `input_size`. A `Preprocess`, a torchvision preset, and a
        `Compose` of Resize, CenterCrop, ToTensor and Normalize keep their geometry; for any other callable the explorers
        show the model's input instead of the photograph. None means: shorter side resized to fit, centre crop, ImageNet's mean and std
        (for one channel: gray, with their average). `input_size` defaults to the transform's own, else (3, 224, 224).

        Raises ModelError where the model is in training mode or does not fit its transform.
        """
        known = as_preprocess(transform)
        size = input_size or (known.input_size if known else (3, 224, 224))
        if known is not None and known.input_size != tuple(size):
            raise ModelError(f"The transform makes inputs of {known.input_size}, but input_size is {tuple(size)}. Leave one of them out.")
        if transform is None and size[0] not in (1, 3):
            raise ModelError(f"A model with {size[0]} input channels needs a transform of its own: pass transform=...")
        return cls(
            name=name or type(net).__name__,
            model=net,
            transform=known or transform or default_preprocess(size),
            categories=tuple(categories) if categories is not None else None,
            input_size=size,
            weights="your model's own weights",
            trained=True,
            classifier="your model's own classes" if categories is not None else None,
            notes=_notes_on_default(transform, size),
        )

    @property
    def network(self) -> Network:
        """The traced model: its layers, their receptive fields, and how to run up to them. It is traced once, on first use.

        Raises
        ------
        ModelError
            If the model rejects inputs of `input_size`.
        """
        return self.traced.get(self.model, self.input_size)

    def with_network(self, network: Network) -> ModelBundle:
        """Return the bundle with a network that was traced before. Raises ModelError if it is the network of another model."""
        if network.model is not self.model or network.input_size != tuple(self.input_size):
            raise ModelError(f"The network is not that of {self.name} for inputs of {tuple(self.input_size)}: leave it out.")
        return replace(self, traced=TracedNetwork(network))

    def with_head(self, head: HeadSource | None) -> ModelBundle:
        """A new bundle that answers with `head`: a Head, the path of a saved one, or "caltech101" for the one that is shipped for AlexNet.

        A head that the bundle has already is replaced. Layers keep their names and digests, so an activation index still fits; parameters
        are shared. None: the model without a classifier.

        Raises HeadError for a head of another model or layer, for one whose features do not fit, and for a file that is none.
        """
        base = self.headless or self
        if head is None:
            return replace(base, categories=None, classifier=None)
        chosen = as_head(head)
        model = attach_head(base.model, chosen, base.input_size, base.name)
        words = describe_classes(chosen)
        return replace(
            base, model=model, categories=chosen.categories, classifier=words, head=chosen, headless=base, traced=TracedNetwork()
        )

    def prepare(self, picture: Image.Image) -> Tensor:
        """The model's input for a picture: float32, shape `input_size`, on the CPU.

        Raises ModelError where an opaque transform returns something else.
        """
        pixels = self.transform(picture)
        if not isinstance(pixels, Tensor) or tuple(pixels.shape) != tuple(self.input_size):
            got = f"a tensor of {tuple(pixels.shape)}" if isinstance(pixels, Tensor) else f"a {type(pixels).__name__}"
            raise ModelError(f"The transform of {self.name} returned {got}, not a tensor of {tuple(self.input_size)}. Pass input_size=...")
        return pixels.to(torch.float32)

    def geometry(self, size: tuple[int, int]) -> Geometry | None:
        """The map from pixels of a picture of `size` (width, height) to input pixels; None for an opaque transform."""
        return self.transform.geometry(*size) if isinstance(self.transform, Preprocess) else None

    def to_picture(self, pixels: Tensor) -> NDArray[np.uint8]:
        """The picture of an input (channels, height, width): uint8 (height, width, 3).

        For an opaque transform the normalisation is not known, and the values are stretched from their smallest to
        their largest; of inputs with neither one nor three channels the mean over channels is shown.
        """
        if isinstance(self.transform, Preprocess):
            return self.transform.unnormalise(pixels)
        return _stretched(pixels)


def _notes_on_default(transform: Transform | None, size: tuple[int, int, int]) -> tuple[str, ...]:
    if transform is not None:
        return ()
    return (f"No transform was given: pictures are resized and cropped to {size[1]} x {size[2]} and normalised as for ImageNet.",)


def _stretched(pixels: Tensor) -> NDArray[np.uint8]:
    values = pixels.detach().to("cpu", torch.float32)
    if values.shape[0] not in (1, 3):
        values = values.mean(0, keepdim=True)
    low, high = float(values.min()), float(values.max())
    return unit_range_to_rgb((values - low) / (high - low) if high > low else values * 0)


def require_bundle(value: object) -> ModelBundle:
    """`value`, if it is a ModelBundle. Raises ModelError with the way to one: a bare network is the likeliest mistake."""
    if isinstance(value, ModelBundle):
        return value
    what = f"{value!r}" if isinstance(value, str) else f"a {type(value).__name__}"
    raise ModelError(
        f"A ModelBundle is needed here, not {what}: make one with dw.load_model(name) or dw.ModelBundle.from_module(net, ...)."
    )
