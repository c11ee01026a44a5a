"""The model's result for an image without a window: the baseline of every occlusion experiment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.arguments import as_integer, describe
from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.scores import class_number, most_probable, require_outputs, scores_of
from deconvwidgets.errors import LayerError, OcclusionError
from deconvwidgets.instruments.occlusion.compute.checks import resolve_layer
from deconvwidgets.instruments.occlusion.records import Unoccluded
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.class_names import CLASS_NAMES_HINT
from deconvwidgets.records.quantity import Quantity

AUTO = "auto"
_STRONGEST = 12  # number of units that `UnoccludedResult.strongest` lists


@dataclass(frozen=True, slots=True)
class UnoccludedResult:
    """The observed layer, unit and class, and the model's result for the image without a window."""

    layer: str  # its alias, or its dotted name if it has none
    unit: int
    target: int | None  # None if the model predicts nothing
    unoccluded: Unoccluded
    strongest: tuple[int, ...]  # the units of the layer with the largest sums on this image, largest first
    map: NDArray[np.float32]  # (h, w): the chosen feature map
    scores: NDArray[np.float64] | None  # (classes,): probabilities, or values of a regression; None if the model predicts nothing
    against: int | None = None  # the class that the target is compared with


def run_unoccluded(
    bundle: ModelBundle,
    pixels: Tensor,
    layer: str | None = None,
    unit: int | None = None,
    target: int | str | None = None,
    against: int | str | None = None,
    label: int | None = None,
) -> UnoccludedResult:
    """Run the model on an image without a window, and resolve the defaults of the observed layer, unit and class.

    It takes at most two forward passes.

    Parameters
    ----------
    bundle : ModelBundle
        The model.
    pixels : Tensor (C, H, W)
        The model's input.
    layer : str, optional
        Name or alias; by default the last of the explorers' layers.
    unit : int, optional
        The feature map; by default the one with the largest sum over space, of equal ones the lowest.
    target : int or str, optional
        The number or the name of a class, or of an output of a regression; by default the most probable class, or the first output.
    against : int or str, optional
        The number or the name of another one, that the target is compared with. "auto": the class `label` if that is not the target, else
        the most probable other one.
    label : int, optional
        The true class.

    Raises
    ------
    LayerError
        For an unknown layer or unit.
    OcclusionError
        For an unknown class, and for any class if the model has no classifier.
    ModelError
        If the model does not return outputs (N, classes), with as many classes as the bundle has names.
    """
    network, batch = bundle.network, to_model(pixels[None], bundle.model)
    layer = resolve_layer(network, layer)
    with torch.no_grad():
        maps = network.map(batch, layer)[0].clone()
        scores = _scores(bundle, batch)
    sums = maps.cpu().double().sum(dim=(1, 2)).numpy()
    ranked = np.argsort(-sums, kind="stable")
    chosen = int(ranked[0]) if unit is None else _unit_of(unit, len(sums), layer)
    number = _target_of(bundle, target, scores)
    other = _against_of(bundle, against, scores, number, label)
    return UnoccludedResult(
        layer=layer,
        unit=chosen,
        target=number,
        unoccluded=unoccluded_of(float(sums[chosen]), scores, number, bundle.quantity, other),
        strongest=tuple(ranked[:_STRONGEST].tolist()),
        map=maps[chosen].float().cpu().numpy(),
        scores=scores,
        against=other,
    )


def no_classifier_error(bundle: ModelBundle, consequence: str) -> OcclusionError:
    """Return the error for a request that needs a classifier."""
    if bundle.quantity is not None:
        return OcclusionError(
            f"{bundle.name} returns maps, {consequence}, or choose a position of them: dw.occlude(..., target=(class, row, column))."
        )
    return OcclusionError(f"{bundle.name} has no classifier, {consequence}, or use bundle.with_head(...). {CLASS_NAMES_HINT}")


def _unit_of(unit: int, channels: int, layer: str) -> int:
    number = as_integer(unit)
    if number is None or not 0 <= number < channels:
        raise LayerError(f"{layer} has {channels} units, 0 to {channels - 1}: there is no unit {describe(unit)}.")
    return number


def _scores(bundle: ModelBundle, batch: Tensor) -> NDArray[np.float64] | None:
    if bundle.classifier is None or bundle.quantity is None:
        return None
    scores: NDArray[np.float64] = scores_of(require_outputs(bundle.model(batch), bundle), bundle.quantity, bundle.name)[0]
    return scores


def _target_of(bundle: ModelBundle, target: int | str | None, scores: NDArray[np.float64] | None) -> int | None:
    if scores is None:
        if target is not None:
            raise no_classifier_error(bundle, "so there is no target class: leave target out")
        return None
    if target is None:
        is_value = bundle.quantity is not None and bundle.quantity.kind == "value"
        return 0 if is_value else int(most_probable(scores))
    return class_number(target, len(scores), bundle.categories, bundle.name)


def _against_of(
    bundle: ModelBundle, against: int | str | None, scores: NDArray[np.float64] | None, target: int | None, label: int | None
) -> int | None:
    """Return the class that the target is compared with."""
    if against is None:
        return None
    is_auto = isinstance(against, str) and against == AUTO  # arrays are compared element by element
    if scores is None or target is None:
        if is_auto:
            return None
        raise no_classifier_error(bundle, "so there is no class to compare with: leave against out")
    if not is_auto:
        return class_number(against, len(scores), bundle.categories, bundle.name, "against")
    if label is not None and label != target:
        return label
    others = [number for number in np.argsort(-scores, kind="stable").tolist() if number != target]
    return others[0] if others else None


def unoccluded_of(
    activity: float, scores: NDArray[np.float64] | None, target: int | None, quantity: Quantity | None, against: int | None = None
) -> Unoccluded:
    """Return the record of a result without a window."""
    if scores is None or target is None or quantity is None:
        return Unoccluded(None, None, None, activity)
    other = None if against is None else float(scores[against])
    if quantity.kind == "value":
        return Unoccluded(None, None, None, activity, float(scores[target]), other)
    best = int(most_probable(scores))
    return Unoccluded(float(scores[target]), best, float(scores[best]), activity, against=other)
