"""A model with its transform, the names of its classes, and its traced network."""

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
from deconvwidgets.models.output_selection import Output
from deconvwidgets.models.preprocess import Preprocess, as_preprocess, default_preprocess, stretched_to_rgb
from deconvwidgets.models.task import TaskName, decide_task
from deconvwidgets.models.traced import TracedNetwork
from deconvwidgets.records.geometry import Geometry
from deconvwidgets.records.heads import Head
from deconvwidgets.records.quantity import SOFTMAX, Quantity, Task
from deconvwidgets.records.repr import compact_repr

Transform = Callable[[Image.Image], Tensor]
_DEFAULT_TRANSFORM = "No transform was given: images are resized and cropped to {} x {} and normalised as for ImageNet."


@dataclass(frozen=True)
class ModelBundle:
    """A model in evaluation mode, its transform and its classes. Bundles are immutable.

    Use `load_model` or `from_module` to create one.

    Attributes
    ----------
    name : str
        The name of the model.
    model : torch.nn.Module
        Maps a normalised batch (N, *input_size) to outputs (N, classes), or to anything else if it predicts nothing.
    transform : callable
        Maps a PIL image to a float tensor of shape `input_size`.
    categories : tuple of str or None
        The names of the classes, or of the values of a regression.
    input_size : tuple of (int, int, int)
        (channels, height, width) of the input.
    weights : str
        A description of the weights and their source.
    trained : bool
        Whether the weights are trained.
    classifier : str or None
        A description of the classes or values that the model predicts; None if it predicts none.
    notes : tuple of str
        Messages about the model to show to the user, such as what was found of its outputs.
    quantity : Quantity or None
        What the outputs are (probabilities by a softmax, values in metres, ...); None if the model predicts nothing.
    output_notes : tuple of str
        Those of the notes that are about the outputs.
    head, headless : Head and ModelBundle, or None
        The softmax head of the model, and the bundle that it was attached to.
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
    quantity: Quantity | None = None
    output_notes: tuple[str, ...] = field(default=(), repr=False)
    head: Head | None = field(default=None, compare=False, repr=False)
    headless: ModelBundle | None = field(default=None, compare=False, repr=False)
    traced: TracedNetwork = field(default_factory=TracedNetwork, compare=False, repr=False)

    __repr__ = compact_repr

    def __post_init__(self) -> None:
        if self.model.training:
            raise ModelError(f"{self.name} is in training mode, in which dropout and batch norm are random. Call model.eval() first.")
        if len(self.input_size) != 3 or min(self.input_size) < 1:
            raise ModelError(f"input_size is (channels, height, width), not {self.input_size}.")
        if self.classifier is None and self.categories is None:
            object.__setattr__(self, "quantity", None)
        elif self.classifier is not None and self.quantity is None:
            object.__setattr__(self, "quantity", SOFTMAX)

    @classmethod
    def from_module(
        cls,
        net: nn.Module,
        transform: Transform | None = None,
        categories: Sequence[str] | None = None,
        input_size: tuple[int, int, int] | None = None,
        name: str | None = None,
        *,
        task: TaskName = "auto",
        output: Output | None = None,
        unit: str = "",
    ) -> ModelBundle:
        """Create a bundle of any PyTorch model. The model is neither copied nor changed.

        The model is run on five inputs to find out what its outputs are.

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
            The names of the classes, or of the values of a regression. "binary" has two, such as ["no", "yes"], for one output.
        input_size : tuple of (int, int, int), optional
            (channels, height, width). Defaults to that of the transform, or (3, 224, 224).
        name : str, optional
            The name of the model. Defaults to the name of its class.
        task : {"auto", "softmax", "probabilities", "multilabel", "binary", "regression"} or None
            What the outputs are. "softmax": logits. "probabilities": those of a network that ends in a softmax. "multilabel": classes
            that do not exclude each other. "binary": one number for two classes. "regression": values. For "multilabel" and "binary", a
            sigmoid is applied unless the network ends in one. None: nothing is predicted. "auto" finds out, and `notes` say what it
            found: with `categories`, "softmax" unless it is certain that the outputs are something else; without, "regression" for one
            output, and None for several.
        output : str, int or callable, optional
            Which output of a model that returns several is used, by its name or index, or as a function that takes all of what the model
            returns and returns (N, classes), or (N,) for one number per image. By default the only one that is (N, classes).
        unit : str
            The unit of the values of a regression, such as "m".

        Raises
        ------
        ModelError
            If the model is in training mode, if the transform does not fit `input_size`, or if the outputs do not fit `task`,
            `categories` or `output`.

        Examples
        --------
        >>> net = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 24 * 24, 10)).eval()
        >>> bundle = ModelBundle.from_module(net, input_size=(1, 28, 28), categories=list("0123456789"), name="digits")
        >>> bundle.prepare(Image.new("L", (40, 30))).shape
        torch.Size([1, 28, 28])
        >>> depth = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 24 * 24, 1)).eval()
        >>> ModelBundle.from_module(depth, input_size=(1, 28, 28), categories=["depth"], unit="m").quantity
        Quantity(regression, m)
        """
        known = as_preprocess(transform)
        size = input_size or (known.input_size if known else (3, 224, 224))
        if known is not None and known.input_size != tuple(size):
            raise ModelError(f"The transform returns inputs of {known.input_size}, but input_size is {tuple(size)}. Pass only one of them.")
        if transform is None and size[0] not in (1, 3):
            raise ModelError(f"There is no default transform for {size[0]} input channels: pass transform=...")
        bundle = cls(
            name=name or type(net).__name__,
            model=net,
            transform=known or transform or default_preprocess(size),
            categories=None,
            input_size=size,
            weights="your model's own weights",
            trained=True,
            classifier=None,
            notes=() if transform is not None else (_DEFAULT_TRANSFORM.format(*size[1:]),),
        )
        return bundle._predicting(task, categories, output, unit)

    @property
    def task(self) -> Task | None:
        """What the outputs are, as in `from_module`; None if the model predicts nothing."""
        return None if self.quantity is None else self.quantity.task

    def with_output(
        self, output: Output | None = None, task: TaskName = "auto", categories: Sequence[str] | None = None, unit: str = ""
    ) -> ModelBundle:
        """Return a new bundle that predicts from another output of `model`. Layers and their names are the same.

        The parameters and errors are those of `from_module`.

        Examples
        --------
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 1)).eval()
        >>> streets = ModelBundle.from_module(net, categories=["road", "car", "sky"], input_size=(3, 32, 32))
        >>> streets.with_output(lambda maps: maps[:, :, 20, 12], categories=streets.categories).classifier
        "your model's own classes (softmax of its logits)"
        """
        plain = replace(self, classifier=None, head=None, headless=None, traced=TracedNetwork())
        return plain._predicting(task, categories, output, unit)

    def _predicting(self, task: TaskName, categories: Sequence[str] | None, output: Output | None, unit: str) -> ModelBundle:
        decision = decide_task(self.model, self.input_size, self.name, categories, task, output, unit)
        return replace(
            self,
            model=decision.model,
            categories=decision.categories,
            classifier=decision.classifier,
            quantity=decision.quantity,
            notes=(*self._other_notes, *decision.notes),
            output_notes=decision.notes,
        )

    @property
    def _other_notes(self) -> tuple[str, ...]:
        return tuple(note for note in self.notes if note not in self.output_notes)

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
        if network.model is not self.model or network.input_size != tuple(self.input_size):
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
            return replace(base, categories=None, classifier=None, notes=base._other_notes, output_notes=())
        loaded = as_head(head)
        return replace(
            base,
            model=attach_head(base.model, loaded, base.input_size, base.name),
            categories=loaded.categories,
            classifier=describe_classes(loaded),
            quantity=SOFTMAX,
            notes=base._other_notes,
            output_notes=(),
            head=loaded,
            headless=base,
            traced=TracedNetwork(),
        )

    def prepare(self, image: Image.Image) -> Tensor:
        """Return the model's input for an image: float32, shape `input_size`, on the CPU.

        Raises
        ------
        ModelError
            If the transform returns anything else.
        """
        pixels = self.transform(image)
        if not isinstance(pixels, Tensor) or tuple(pixels.shape) != tuple(self.input_size):
            got = f"a tensor of {tuple(pixels.shape)}" if isinstance(pixels, Tensor) else f"a {type(pixels).__name__}"
            raise ModelError(f"The transform of {self.name} returned {got}, not a tensor of {tuple(self.input_size)}. Pass input_size=...")
        return pixels.to(torch.float32)

    def geometry(self, size: tuple[int, int]) -> Geometry | None:
        """Return the map from pixels of an image of `size` (width, height) to input pixels; None if the transform's geometry is unknown."""
        return self.transform.geometry(*size) if isinstance(self.transform, Preprocess) else None

    def to_picture(self, pixels: Tensor) -> NDArray[np.uint8]:
        """Return an input (channels, height, width) as an image, uint8 (height, width, 3).

        Without a known normalisation, values are scaled from minimum to maximum, and channels averaged if there are not one or three.
        """
        if isinstance(self.transform, Preprocess):
            return self.transform.unnormalise(pixels)
        return stretched_to_rgb(pixels)


def require_bundle(value: object) -> ModelBundle:
    """Return `value` if it is a ModelBundle, and raise ModelError otherwise."""
    if isinstance(value, ModelBundle):
        return value
    got = f"{value!r}" if isinstance(value, str) else f"a {type(value).__name__}"
    raise ModelError(f"A ModelBundle is expected, not {got}: create one with dw.load_model(name) or dw.ModelBundle.from_module(net, ...).")
