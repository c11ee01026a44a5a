"""What a model returns for an image whose maps of one layer are changed, and what of it is explained: a class, or the difference of two."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from deconvwidgets.arguments import describe, text
from deconvwidgets.compute.scores import class_number, most_probable, require_outputs, scores_of
from deconvwidgets.engine.example import reference_tensor
from deconvwidgets.engine.layer_cut import CutValues, LayerCut
from deconvwidgets.engine.linear_head import LinearHead, find_linear_head
from deconvwidgets.errors import ContributionError, LayerError, OcclusionError
from deconvwidgets.models.bundle import ModelBundle, require_bundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.records.class_names import CLASS_NAMES_HINT
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.quantity import Quantity

TOLERANCES = {torch.float64: 1e-9, torch.float32: 1e-4}  # of sums, relative to their terms; other types have fewer digits
_TOLERANCE = 3e-2


@dataclass(frozen=True, slots=True)
class Target:
    """What is explained: outputs @ direction.

    Parameters
    ----------
    target, against : int, int or None
        The class, and the one that it is compared with.
    direction : Tensor (K,) float64
        On the CPU.
    parts : tuple of Tensor (K,), or None
        With `against`, the directions of the two classes, whose difference is `direction`.
    """

    target: int
    against: int | None
    direction: Tensor
    parts: tuple[Tensor, Tensor] | None

    def of(self, outputs: Tensor) -> Tensor:
        """Return the explained number for outputs (..., K), float64 (...,) on the CPU."""
        return outputs.detach().cpu().double() @ self.direction


class OutputsAbove:
    """A model, cut at a layer: its outputs for changed maps.

    Attributes
    ----------
    bundle : ModelBundle
    info : LayerInfo
    cut : LayerCut
    head : LinearHead or None
        The linear map from the layer to the outputs, if there is one.
    reason : str
        Why there is none, as a clause.
    """

    def __init__(self, bundle: ModelBundle, layer: str) -> None:
        self.bundle, self.quantity = bundle, _require_quantity(bundle)
        network = bundle.network
        self.info: LayerInfo = network.layer(text(layer, "layer", "the name of a layer", LayerError))
        self.cut = LayerCut.of(network, self.info.name)
        self._check_below_answer()
        head = self._linear_head()
        self.head: LinearHead | None = head if isinstance(head, LinearHead) else None
        self.reason = "" if isinstance(head, LinearHead) else head

    @property
    def layer(self) -> str:
        """The alias of the layer, or its dotted name."""
        return self.info.short_name

    @property
    def units(self) -> int:
        """Number of units of the layer."""
        return self.info.channels

    def save(self, batch: Tensor) -> CutValues:
        """Return what crosses the cut for a batch (N, C, H, W)."""
        with torch.no_grad():
            return self.cut.save(batch)

    def outputs(self, saved: CutValues, maps: Tensor | None = None) -> Tensor:
        """Return the outputs (N, K) for other maps of the layer. Gradients flow to them. Raises ModelError for anything but (N, K)."""
        return require_outputs(self.cut.outputs(saved, maps), self.bundle)

    def scores(self, outputs: Tensor) -> NDArray[np.float64]:
        """Return the probabilities, or values, (N, classes)."""
        return scores_of(outputs, self.quantity, self.bundle.name)

    def predicted(self, outputs: Tensor) -> NDArray[np.int64]:
        """Return the most probable classes (N,); of a regression, the first output."""
        return np.zeros(len(outputs), np.int64) if self.quantity.kind == "value" else most_probable(self.scores(outputs))

    def target(self, target: object, against: object = None) -> Target:
        """Return what is explained for two classes by number or name.

        Raises
        ------
        ContributionError
            For unknown or equal classes, and for a second one if there is only one output.
        """
        outputs = 1 if self.quantity.task == "binary" else self.classes
        first = self._class(target, "target")
        if against is None:
            return Target(first, None, self._direction(first, outputs), None)
        second = self._class(against, "against")
        if first == second:
            raise ContributionError(f"against must be another class than the target, {self.name(first)!r}.")
        if outputs == 1:
            raise ContributionError(
                f"{self.bundle.name} has one output, which is the difference between its two classes already: leave against out."
            )
        parts = (self._direction(first, outputs), self._direction(second, outputs))
        return Target(first, second, parts[0] - parts[1], parts)

    @property
    def classes(self) -> int:
        """Number of classes, or of outputs of a regression."""
        return len(self.bundle.categories or ())

    def name(self, label: int) -> str:
        """Return the name of a class."""
        return (self.bundle.categories or ())[label]

    def tolerance(self, values: Tensor) -> float:
        """Return the error of a sum relative to its terms that rounding explains, in the type of the layer's maps."""
        return TOLERANCES.get(values.dtype, _TOLERANCE)

    def _check_below_answer(self) -> None:
        """Raise LayerError if the layer is the answer itself."""
        graph = self.bundle.network.graph
        if graph is not None and self.bundle.network.node(self.info.name) in graph.trace.outputs:
            raise LayerError(f"{self.layer} is the answer of {self.bundle.name} itself: choose a layer below it.")

    def _class(self, value: object, argument: str) -> int:
        if not isinstance(value, str) and value is None:
            raise ContributionError(f"{argument} must be the number or the name of a class, not None.")
        try:
            return class_number(value, self.classes, self.bundle.categories, self.bundle.name)  # type: ignore[arg-type]
        except OcclusionError as error:
            message = str(error).replace("target must", f"{argument} must")
            raise ContributionError(message if argument in message else f"{argument}: {message}") from error

    def _direction(self, label: int, outputs: int) -> Tensor:
        direction = torch.zeros(outputs, dtype=torch.float64)
        if outputs == 1:
            direction[0] = 1.0 if label == 1 or self.quantity.task != "binary" else -1.0
        else:
            direction[label] = 1.0
        return direction

    def _linear_head(self) -> LinearHead | str:
        network = self.bundle.network
        graph, node = network.graph, network.node(self.info.name)
        if graph is None or node is None:
            return f"{self.bundle.name} cannot be traced, so it is not known what stands between the layer and the output"
        if network.single:
            return "its images affect each other, so that it is run image by image"
        outputs = [value for value in graph.trace.outputs if isinstance(value, fx.Node)]
        if len(outputs) != 1 or len(graph.operations[outputs[0]].shape or ()) != 2:
            return "the model does not return one tensor (N, classes)"
        return find_linear_head(graph, network.model, node, outputs[0])


def prepared_bundle(bundle: ModelBundle, device: str, dtype: str) -> ModelBundle:
    """Return the bundle on a device, in float64 if that is requested. Raises ContributionError for another type."""
    if not isinstance(dtype, str) or dtype not in ("model", "float64"):
        raise ContributionError(f"dtype must be 'model' or 'float64', not {describe(dtype)}.")
    bundle = on_device(require_bundle(bundle), device)
    if dtype == "model":
        return bundle
    if reference_tensor(bundle.model).device.type == "mps":
        raise ContributionError("dtype='float64' is not possible on Apple's MPS: pass device='cpu'.")
    return replace(bundle, model=copy.deepcopy(bundle.model).to(torch.float64))


def _require_quantity(bundle: ModelBundle) -> Quantity:
    if bundle.classifier is None or bundle.quantity is None or not bundle.categories:
        raise ContributionError(
            f"{bundle.name} has no classifier, so there is no output to contribute to: use bundle.with_head(...). {CLASS_NAMES_HINT}"
        )
    return bundle.quantity
