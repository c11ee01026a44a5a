"""A model with its transform, the names of its classes, and its traced network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from torch import nn
from torch.export import ExportedProgram

from deconvwidgets.arguments import flag
from deconvwidgets.engine import Network
from deconvwidgets.engine.input_kind import check_input_kind, checked_size
from deconvwidgets.errors import ModelError
from deconvwidgets.models.bundle_checks import (
    checked_categories,
    checked_display_channels,
    checked_model,
    checked_name,
    notes_on_display,
)
from deconvwidgets.models.exported_programs import as_module, check_mode_and_size
from deconvwidgets.models.head_files import HeadSource, as_head
from deconvwidgets.models.headed_model import head_fields
from deconvwidgets.models.image_conversion import ImageConversion
from deconvwidgets.models.output_selection import Output
from deconvwidgets.models.surgery_history import SurgeryHistory
from deconvwidgets.models.task import TaskName, decide_task
from deconvwidgets.models.transforms import Transform, transform_and_size
from deconvwidgets.models.unit_factors import Units, UnitsSource, checked_units, scale_units
from deconvwidgets.models.untrained_weights import UNTRAINED, labelled_notes, labelled_weights
from deconvwidgets.records.heads import Head
from deconvwidgets.records.quantity import SOFTMAX, Quantity, Task
from deconvwidgets.records.repr import compact_repr


@dataclass(frozen=True)
class ModelBundle(SurgeryHistory, ImageConversion):
    """A model in evaluation mode, its transform and its classes. It is immutable. Create one with `load_model` or `from_module`.

    Attributes
    ----------
    name : str
        The name of the model.
    model : torch.nn.Module
        Maps a normalised batch (N, ``*input_size``) to outputs (N, classes), or to anything else if it predicts nothing.
    transform : callable
        Maps a PIL image to a float tensor of shape `input_size`.
    categories : tuple of str or None
        The names of the classes, or of the values of a regression.
    input_size : tuple of (int, int, int)
        (channels, height, width) of the input.
    weights : str
        A description of the weights and their source.
    trained : bool
        Whether the weights are trained. Random ones are labelled as such, in `weights`, `notes` and `label`, and by every view.
    classifier : str or None
        A description of the classes or values that the model predicts; None if it predicts none.
    notes : tuple of str
        Messages about the model to show to the user, such as what was found of its outputs.
    display_channels : tuple of int
        The channels of inputs and projections that are displayed: three as red, green and blue, or one in gray. None becomes the first
        three, or the first one if there are fewer than three.
    quantity : Quantity or None
        What the outputs are (probabilities by a softmax, values in metres, ...); None if the model predicts nothing.
    output_notes : tuple of str
        Those of the notes that are about the outputs.
    head, headless : Head and ModelBundle, or None
        The softmax head of the model, and the bundle that it was attached to.
    units, unchanged : mapping of (str, int) to float, and ModelBundle or None
        The factors by (dotted name of the layer, unit) that `with_units` set, and the bundle without them.
    surgery, before_surgery : tuple of SurgeryStep, and ModelBundle or None
        What `dw.surgery` did to the model, and the bundle before the last step.

    Examples
    --------
    >>> from deconvwidgets import load_model
    >>> load_model("alexnet").network.layer("conv5").channels
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
    display_channels: tuple[int, int, int] | tuple[int] | None = field(default=None, repr=False)
    quantity: Quantity | None = None
    output_notes: tuple[str, ...] = field(default=(), repr=False)
    head: Head | None = field(default=None, compare=False, repr=False)
    headless: ModelBundle | None = field(default=None, compare=False, repr=False)
    units: Units = field(default_factory=dict, compare=False, repr=False)
    unchanged: ModelBundle | None = field(default=None, compare=False, repr=False)

    __repr__ = compact_repr

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_size", checked_size(self.input_size))
        check_mode_and_size(checked_model(self.model), self.input_size, self.name)
        object.__setattr__(self, "display_channels", checked_display_channels(self.display_channels, self.input_size[0]))
        if not self.trained:
            object.__setattr__(self, "weights", labelled_weights(self.weights))
            object.__setattr__(self, "notes", labelled_notes(self.notes))
        if self.classifier is None and self.categories is None:
            object.__setattr__(self, "quantity", None)
        elif self.classifier is not None and self.quantity is None:
            object.__setattr__(self, "quantity", SOFTMAX)

    @classmethod
    def from_module(
        cls,
        net: nn.Module | ExportedProgram,
        transform: Transform | None = None,
        categories: Sequence[str] | None = None,
        input_size: tuple[int, int, int] | None = None,
        name: str | None = None,
        display_channels: tuple[int, int, int] | tuple[int] | None = None,
        *,
        task: TaskName = "auto",
        output: Output | None = None,
        unit: str = "",
        trained: bool = True,
    ) -> ModelBundle:
        """Create a bundle of any PyTorch model. The model is neither copied nor changed.

        The model is run on five inputs to find out what its outputs are.

        Parameters
        ----------
        net : torch.nn.Module or torch.export.ExportedProgram
            The model, in evaluation mode. A program has the input size of its example inputs, unless another one or a transform is given.
        transform : callable, optional
            Maps a PIL image to a float tensor of shape `input_size`. Boxes are drawn on the photograph if it is a `Preprocess`, a preset of
            torchvision, or a `Compose` of Resize, CenterCrop, ToTensor and Normalize, else on the model's input. By default the shorter
            side is resized, the centre cropped, and ImageNet's mean and standard deviation used (their average for one channel).
        categories : sequence of str, optional
            The names of the classes, or of a regression's values. "binary" has two, such as ["no", "yes"], for one output.
        input_size : tuple of (int, int, int), optional
            (channels, height, width). Defaults to that of the transform, or (3, 224, 224).
        name : str, optional
            The name of the model. Defaults to the name of its class.
        display_channels : tuple of (int, int, int) or (int,), optional
            The input channels that are displayed as red, green and blue, or the one that is displayed in gray: (3, 2, 1) for a satellite
            image whose bands are coastal, blue, green, red, ... Defaults to the first three; `notes` says so if there are more.
        task : {"auto", "softmax", "probabilities", "multilabel", "binary", "regression"} or None
            What the outputs are. "softmax": logits. "probabilities": those of a network that ends in a softmax. "multilabel": classes
            that do not exclude each other. "binary": one number for two classes. "regression": values. For "multilabel" and "binary", a
            sigmoid is applied unless the network ends in one. None: nothing is predicted. "auto" finds out, and `notes` say what: with
            `categories`, "softmax" unless the outputs are certainly something else; else "regression" for one output, None for several.
        output : str, int or callable, optional
            Which output of several is used: its name or index, or a function of all that the model returns, which returns (N, classes), or
            (N,) for one number per image. By default the only one that is (N, classes).
        unit : str
            The unit of the values of a regression, such as "m".
        trained : bool
            Whether the weights are trained. Pass False for a network with random weights: every view labels it then.

        Raises
        ------
        ModelError
            If an argument is invalid, if the model is in training mode or one of signals or volumes, if the transform does not fit
            `input_size`, or if the outputs do not fit `task`, `categories` or `output`.

        Examples
        --------
        >>> net = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 24 * 24, 10)).eval()
        >>> bundle = ModelBundle.from_module(net, input_size=(1, 28, 28), categories=list("0123456789"), name="digits")
        >>> from PIL import Image
        >>> bundle.prepare(Image.new("L", (40, 30))).shape
        torch.Size([1, 28, 28])
        >>> depth = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 24 * 24, 1)).eval()
        >>> ModelBundle.from_module(depth, input_size=(1, 28, 28), categories=["depth"], unit="m").quantity
        Quantity(regression, m)
        """
        called = checked_name(name, type(net).__name__)
        net, own_size = as_module(net, input_size, called)
        check_input_kind(checked_model(net), called)
        prepare, size, notes = transform_and_size(transform, own_size if transform is None else input_size)
        bundle = cls(
            name=called,
            model=net,
            transform=prepare,
            categories=None,
            input_size=size,
            weights="your model's own weights" if flag(trained, "trained", ModelError) else UNTRAINED,
            trained=trained,
            classifier=None,
            notes=(*notes, *notes_on_display(display_channels, size[0])),
            display_channels=display_channels,
        )
        return bundle._predicting(task, categories, output, unit)

    @property
    def task(self) -> Task | None:
        """What the outputs are, as in `from_module`; None if the model predicts nothing."""
        return None if self.quantity is None else self.quantity.task

    def with_output(
        self, output: Output | None = None, task: TaskName = "auto", categories: Sequence[str] | None = None, unit: str = ""
    ) -> ModelBundle:
        """Return a new bundle that predicts from another output of `model`, with the same layers. Parameters are those of `from_module`."""
        plain = replace(self.unchanged or self, classifier=None, head=None, headless=None)
        return plain._predicting(task, categories, output, unit).with_units(self.units)

    def _predicting(self, task: TaskName, categories: Sequence[str] | None, output: Output | None, unit: str) -> ModelBundle:
        decision = decide_task(self.model, self.input_size, self.name, checked_categories(categories), task, output, unit)
        return replace(
            self,
            model=decision.model,
            categories=decision.categories,
            classifier=decision.classifier,
            quantity=decision.quantity,
            notes=(*_other_notes(self), *decision.notes),
            output_notes=decision.notes,
        )

    @property
    def network(self) -> Network:
        """The traced model, with its layers and their receptive fields. It is traced on first use, and again if its structure changes.

        Raises
        ------
        ModelError
            If the model rejects inputs of `input_size`.
        """
        return Network.of(self.model, self.input_size)

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
        unchanged = self.unchanged or self
        base = unchanged.headless or unchanged
        plain = replace(base, categories=None, classifier=None, notes=_other_notes(base), output_notes=())
        changes = {} if head is None else {**head_fields(as_head(head), base.model, base.input_size, base.name), "headless": base}
        return replace(plain, **changes).with_units(self.units)

    def with_units(self, units: UnitsSource | None) -> ModelBundle:
        """Return a new bundle in which the maps of units are multiplied by factors: 0 switches a unit off, 2 doubles it.

        The layer's name means the product then. Parameters are shared. Factors that the bundle had are replaced; `with_head` keeps them.

        Parameters
        ----------
        units : mapping of (str, int) to float, str, path or None
            Factors by (name or alias of the layer, unit): {("conv5", 133): 0.0}, or a file of them. None returns the unchanged bundle.

        Raises
        ------
        LayerError
            If a layer or unit does not exist, if the answer does not depend on it, if a factor is no finite number, or if a model that
            cannot be traced reads values that a forward hook cannot replace.

        Examples
        --------
        >>> from deconvwidgets import load_model
        >>> load_model("alexnet").with_units({("conv5", 133): 0.0}).units
        {('features.11', 133): 0.0}
        """
        base = self.unchanged or self
        checked = checked_units(base.network, {} if units is None else units, base.name)
        if not checked:
            return base
        model = scale_units(base.model, base.input_size, checked, base.name, predicts=base.classifier is not None)
        return replace(base, model=model, units=checked, unchanged=base)


def _other_notes(bundle: ModelBundle) -> tuple[str, ...]:
    return tuple(note for note in bundle.notes if note not in bundle.output_notes)


def require_bundle(value: object) -> ModelBundle:
    """Return `value` if it is a ModelBundle, and raise ModelError otherwise."""
    if isinstance(value, ModelBundle):
        return value
    got = f"{value!r}" if isinstance(value, str) else f"a {type(value).__name__}"
    raise ModelError(f"A ModelBundle is expected, not {got}: create one with dw.load_model(name) or dw.ModelBundle.from_module(net, ...).")
