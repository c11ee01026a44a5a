"""The model's result for an image without a window: the baseline of every occlusion experiment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.arguments import as_integer, describe
from deconvwidgets.compute.class_probabilities import class_number, most_probable, probabilities_of
from deconvwidgets.compute.devices import to_model
from deconvwidgets.errors import LayerError, ModelError, OcclusionError
from deconvwidgets.instruments.occlusion.compute.checks import resolve_layer
from deconvwidgets.instruments.occlusion.records import Unoccluded
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.class_names import CLASS_NAMES_HINT

_STRONGEST = 12  # number of units that `UnoccludedResult.strongest` lists


@dataclass(frozen=True, slots=True)
class UnoccludedResult:
    """The observed layer, unit and class, and the model's result for the image without a window."""

    layer: str  # its alias, or its dotted name if it has none
    unit: int
    target: int | None  # None without a classifier
    unoccluded: Unoccluded
    strongest: tuple[int, ...]  # the units of the layer with the largest sums on this image, largest first
    map: NDArray[np.float32]  # (h, w): the chosen feature map
    probabilities: NDArray[np.float64] | None  # (classes,), None without a classifier


def run_unoccluded(
    bundle: ModelBundle,
    pixels: Tensor,
    layer: str | None = None,
    unit: int | None = None,
    target: int | str | None = None,
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
        The number or the name of a class; by default the most probable class.

    Raises
    ------
    LayerError
        For an unknown layer or unit.
    OcclusionError
        For an unknown class, and for any class if the model has no classifier.
    ModelError
        If the model does not return logits (N, classes), with as many classes as the bundle has names.
    """
    network, batch = bundle.network, to_model(pixels[None], bundle.model)
    layer = resolve_layer(network, layer)
    with torch.no_grad():
        maps = network.map(batch, layer)[0].clone()
        logits = None if bundle.classifier is None else _logits(bundle, batch)
    sums = maps.double().sum(dim=(1, 2)).cpu().numpy()
    ranked = np.argsort(-sums, kind="stable")
    chosen = int(ranked[0]) if unit is None else _unit_of(unit, len(sums), layer)
    probabilities = None if logits is None else probabilities_of(logits)[0]
    number = _target_of(bundle, target, probabilities)
    return UnoccludedResult(
        layer=layer,
        unit=chosen,
        target=number,
        unoccluded=_unoccluded(float(sums[chosen]), probabilities, number),
        strongest=tuple(ranked[:_STRONGEST].tolist()),
        map=maps[chosen].float().cpu().numpy(),
        probabilities=probabilities,
    )


def no_classifier_error(bundle: ModelBundle, consequence: str) -> OcclusionError:
    """Return the error for a request that needs a classifier."""
    return OcclusionError(f"{bundle.name} has no classifier, {consequence}, or use bundle.with_head(...). {CLASS_NAMES_HINT}")


def _unit_of(unit: int, channels: int, layer: str) -> int:
    number = as_integer(unit)
    if number is None or not 0 <= number < channels:
        raise LayerError(f"{layer} has {channels} units, 0 to {channels - 1}: there is no unit {describe(unit)}.")
    return number


def _logits(bundle: ModelBundle, batch: Tensor) -> Tensor:
    logits = bundle.model(batch)
    if not isinstance(logits, Tensor) or logits.dim() != 2:
        raise ModelError(f"{bundle.name} does not return logits (N, classes): create its bundle without categories.")
    names = len(bundle.categories or ())
    if bundle.categories is not None and names != logits.shape[1]:
        raise ModelError(
            f"{bundle.name} returns {logits.shape[1]:,} logits, but its bundle names {names:,} classes: pass a name for each, "
            "dw.ModelBundle.from_module(net, ..., categories=[...]), in the order of the logits."
        )
    if not bool(torch.isfinite(logits).all()):
        raise ModelError(f"{bundle.name} returns NaN or infinite logits for this image: check its weights and its transform.")
    return logits


def _target_of(bundle: ModelBundle, target: int | str | None, probabilities: NDArray[np.float64] | None) -> int | None:
    if probabilities is None:
        if target is not None:
            raise no_classifier_error(bundle, "so there is no target class: leave target out")
        return None
    if target is None:
        return int(most_probable(probabilities))
    return class_number(target, len(probabilities), bundle.categories, bundle.name)


def _unoccluded(activity: float, probabilities: NDArray[np.float64] | None, target: int | None) -> Unoccluded:
    if probabilities is None or target is None:
        return Unoccluded(None, None, None, activity)
    best = int(most_probable(probabilities))
    return Unoccluded(float(probabilities[target]), best, float(probabilities[best]), activity)
