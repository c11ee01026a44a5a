"""A model with its transform, the names of its classes, and its traced network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from deconvwidgets.arguments import describe
from deconvwidgets.engine import Network
from deconvwidgets.engine.input_kind import check_input_kind, checked_size
from deconvwidgets.errors import ModelError, PictureError
from deconvwidgets.models.bundle_checks import (
    checked_categories,
    checked_display_channels,
    checked_model,
    checked_name,
    checked_transform,
    notes_on_display,
)
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
    """A model in evaluation mode, its transform and its classes. Bundles are immutable.

    Use `load_model` or `ModelBundle.from_module` to create one.

    Attributes
    ----------
    name : str
        The name of the model.
    model : torch.nn.Module
        Maps a normalised batch (N, *input_size) to logits (N, classes), or to feature maps if it has no classifier.
    transform : callable
        Maps a PIL image to a float tensor of shape `input_size`.
    categories : tuple of str or None
        The names of the classes.
    input_size : tuple of (int, int, int)
        (channels, height, width) of the input.
    weights : str
        A description of the weights and their source.
    trained : bool
        Whether the weights are trained.
    classifier : str or None
        A description of the classes that the model predicts; None without a classifier.
    notes : tuple of str
        Messages about the model to show to the user.
    display_channels : tuple of int
        The channels of inputs and projections that are displayed: three as red, green and blue, or one in gray. None becomes the first
        three, or the first one if there are fewer than three.
    head : Head or None
        The softmax head of the model.
    headless : ModelBundle or None
        The bundle that the head was attached to.

    Examples
    --------
    >>> from deconvwidgets import load_model
    >>> bundle = load_model("alexnet")
    >>> bundle.input_size, len(bundle.categories)
    ((3, 224, 224), 101)
    >>> bundle.network.layer("conv5").channels
    256
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
    display_channels: tuple[int, int, int] | tuple[int] | None = None
    head: Head | None = field(default=None, compare=False, repr=False)
    headless: ModelBundle | None = field(default=None, compare=False, repr=False)
    traced: TracedNetwork = field(default_factory=TracedNetwork, compare=False, repr=False)

    __repr__ = compact_repr

    def __post_init__(self) -> None:
        if checked_model(self.model).training:
            raise ModelError(f"{self.name} is in training mode, in which dropout and batch norm are random. Call model.eval() first.")
        object.__setattr__(self, "input_size", checked_size(self.input_size))
        object.__setattr__(self, "display_channels", checked_display_channels(self.display_channels, self.input_size[0]))

    @classmethod
    def from_module(
        cls,
        net: nn.Module,
        transform: Transform | None = None,
        categories: Sequence[str] | None = None,
        input_size: tuple[int, int, int] | None = None,
        name: str | None = None,
        display_channels: tuple[int, int, int] | tuple[int] | None = None,
    ) -> ModelBundle:
        """Create a bundle of any PyTorch model. The model is neither copied nor changed.

        Parameters
        ----------
        net : torch.nn.Module
            The model, in evaluation mode.
        transform : callable, optional
            Maps a PIL image to a float tensor of shape `input_size`. Boxes are drawn on the photograph if it is a `Preprocess`, a preset of
            torchvision, or a `Compose` of Resize, CenterCrop, ToTensor and Normalize, and on the model's input for any other callable. By
            default the shorter side is resized, the centre is cropped, and ImageNet's mean and standard deviation are used (their average
            for one channel).
        categories : sequence of str, optional
            The names of the classes, if the output is class logits.
        input_size : tuple of (int, int, int), optional
            (channels, height, width). Defaults to that of the transform, or (3, 224, 224).
        name : str, optional
            The name of the model. Defaults to the name of its class.
        display_channels : tuple of (int, int, int) or (int,), optional
            The input channels that are displayed as red, green and blue, or the one that is displayed in gray: (3, 2, 1) for a satellite
            image whose bands are coastal, blue, green, red, ... Defaults to the first three; `notes` says so if there are more.

        Returns
        -------
        ModelBundle
            The bundle.

        Raises
        ------
        ModelError
            If an argument is invalid, if the model is in training mode or one of signals or volumes, or if the transform does not fit
            `input_size`.

        Examples
        --------
        >>> net = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 24 * 24, 10)).eval()
        >>> bundle = ModelBundle.from_module(net, input_size=(1, 28, 28), categories=list("0123456789"), name="digits")
        >>> bundle.prepare(Image.new("L", (40, 30))).shape
        torch.Size([1, 28, 28])
        """
        check_input_kind(checked_model(net), checked_name(name, type(net).__name__))
        known = as_preprocess(checked_transform(transform))
        default_size = known.input_size if known else (3, 224, 224)
        size = default_size if input_size is None else checked_size(input_size)
        if known is not None and known.input_size != size:
            raise ModelError(f"The transform returns inputs of {known.input_size}, but input_size is {size}. Pass only one of them.")
        if transform is None and size[0] not in (1, 3):
            raise ModelError(f"There is no default transform for {size[0]} input channels: pass transform=...")
        return cls(
            name=checked_name(name, type(net).__name__),
            model=net,
            transform=known or transform or default_preprocess(size),
            categories=checked_categories(categories),
            input_size=size,
            weights="your model's own weights",
            trained=True,
            classifier="your model's own classes" if categories is not None else None,
            notes=(*_notes_on_default(transform, size), *notes_on_display(display_channels, size[0])),
            display_channels=display_channels,
        )

    @property
    def network(self) -> Network:
        """The traced model, with its layers and their receptive fields. It is traced once, on first use.

        Raises
        ------
        ModelError
            If the model rejects inputs of `input_size`.
        """
        return self.traced.get(self.model, self.input_size)

    def with_network(self, network: Network) -> ModelBundle:
        """Return the bundle with a network that is already traced. Raises ModelError if it is the network of another model."""
        if not isinstance(network, Network) or network.model is not self.model or network.input_size != tuple(self.input_size):
            raise ModelError(f"The network is not that of {self.name} for inputs of {tuple(self.input_size)}: do not pass it.")
        return replace(self, traced=TracedNetwork(network))

    def with_head(self, head: HeadSource | None) -> ModelBundle:
        """Return a new bundle whose classifier is a softmax head. A head that the bundle already has is replaced.

        Parameters are shared. Layers keep their names and digests, so an activation index remains valid.

        Parameters
        ----------
        head : Head, str, path or None
            A head, the path of a saved head, or "caltech101" for the head of AlexNet that is bundled with the package. None returns a
            bundle without a classifier.

        Returns
        -------
        ModelBundle
            The new bundle.

        Raises
        ------
        HeadError
            If the head was trained on another model, other weights or another layer, if its features do not fit, or if the file is not a
            head.

        Examples
        --------
        >>> from deconvwidgets import load_model
        >>> load_model("alexnet").with_head("caltech101").classifier
        "Caltech-101's 101 classes (head on pool5, 85.7%)"
        """
        base = self.headless or self
        if head is None:
            return replace(base, categories=None, classifier=None)
        loaded = as_head(head)
        return replace(
            base,
            model=attach_head(base.model, loaded, base.input_size, base.name),
            categories=loaded.categories,
            classifier=describe_classes(loaded),
            head=loaded,
            headless=base,
            traced=TracedNetwork(),
        )

    def prepare(self, image: Image.Image) -> Tensor:
        """Return the model's input for an image: float32, shape `input_size`, on the CPU.

        A transform that is no `Preprocess` is given the image as it is; all experiments and services convert images to RGB before.

        Raises
        ------
        ModelError
            If the transform returns anything else.
        PictureError
            For anything but a PIL image.
        """
        if not isinstance(image, Image.Image):
            raise PictureError(f"image must be a PIL image, not {describe(image)}: open_images(path).open_source(0) opens a file.")
        pixels = self.transform(image)
        if not isinstance(pixels, Tensor) or tuple(pixels.shape) != tuple(self.input_size):
            got = f"a tensor of {tuple(pixels.shape)}" if isinstance(pixels, Tensor) else f"a {type(pixels).__name__}"
            raise ModelError(f"The transform of {self.name} returned {got}, not a tensor of {tuple(self.input_size)}. Pass input_size=...")
        return pixels.to(torch.float32)

    def geometry(self, size: tuple[int, int]) -> Geometry | None:
        """Return the map from pixels of an image of `size` (width, height) to input pixels; None if the transform's geometry is unknown."""
        return self.transform.geometry(*size) if isinstance(self.transform, Preprocess) else None

    def to_picture(self, pixels: Tensor) -> NDArray[np.uint8]:
        """Return the displayed channels of an input (channels, height, width) as an image, uint8 (height, width, 3).

        If the normalisation of the transform is unknown, the values are scaled from minimum to maximum.
        """
        if isinstance(self.transform, Preprocess):
            chosen = self.transform.unnormalise(pixels)[..., self.channels_to_display]
            return np.ascontiguousarray(np.broadcast_to(chosen, (*chosen.shape[:2], 3)))
        return _rescaled(pixels[self.channels_to_display])

    @property
    def channels_to_display(self) -> list[int]:
        """`display_channels` as an index of an array (channels, ...) of inputs or projections."""
        return list(self.display_channels or (0,))


def _notes_on_default(transform: Transform | None, size: tuple[int, int, int]) -> tuple[str, ...]:
    if transform is not None:
        return ()
    return (f"No transform was given: images are resized and cropped to {size[1]} x {size[2]} and normalised as for ImageNet.",)


def _rescaled(pixels: Tensor) -> NDArray[np.uint8]:
    values = pixels.detach().to("cpu", torch.float32)
    low, high = float(values.min()), float(values.max())
    return unit_range_to_rgb((values - low) / (high - low) if high > low else values * 0)


def require_bundle(value: object) -> ModelBundle:
    """Return `value` if it is a ModelBundle, and raise ModelError otherwise."""
    if isinstance(value, ModelBundle):
        return value
    got = f"{value!r}" if isinstance(value, str) else f"a {type(value).__name__}"
    raise ModelError(f"A ModelBundle is expected, not {got}: create one with dw.load_model(name) or dw.ModelBundle.from_module(net, ...).")
