"""Scores of a model's outputs (probabilities or values, by its task), the most probable class, and the number of a class by its name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.arguments import as_integer, describe
from deconvwidgets.errors import ModelError, OcclusionError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.class_names import class_index
from deconvwidgets.records.quantity import Quantity

# float32 sums differ slightly between batches of different sizes. Probabilities within this relative distance count as equal, so that
# the predicted class does not depend on the batch.
_EQUAL = 1e-5
_TOLERANCE = 1e-2  # of probabilities that the model returns: 1,000 of half precision sum to 1 within that


def scores_of(outputs: Tensor, quantity: Quantity, model: str) -> NDArray[np.float64]:
    """Return the scores of all classes, or the values of all outputs.

    Parameters
    ----------
    outputs : Tensor (N, outputs)
        What the model returns.
    quantity : Quantity
        What they are.
    model : str
        The name of the model, for error messages.

    Returns
    -------
    array (N, classes) float64
        Probabilities from 0 to 1, which sum to 1 if the classes exclude each other; the outputs themselves for a regression. "binary" has
        one output and two classes.

    Raises
    ------
    ModelError
        If the model is to return probabilities, but returns anything else.
    """
    values = outputs.detach().cpu().double()
    if quantity.activation == "softmax":
        values = values.softmax(dim=1)
    elif quantity.activation == "sigmoid":
        values = values.sigmoid()
    elif quantity.kind == "probability":
        values = _checked_probabilities(values, quantity, model)
    if quantity.task == "binary":
        values = torch.cat([1 - values, values], dim=1)
    scores: NDArray[np.float64] = values.numpy()
    return scores


def require_outputs(outputs: object, bundle: ModelBundle) -> Tensor:
    """Return what a bundle's model returned, (N, outputs), if it is as many finite numbers as the bundle has names for.

    Raises
    ------
    ModelError
        If it is anything else.
    """
    if not isinstance(outputs, Tensor) or outputs.dim() != 2:
        raise ModelError(
            f"{bundle.name} does not return outputs (N, classes): create its bundle without categories, or choose an output with "
            "dw.ModelBundle.from_module(net, ..., output=...)."
        )
    names = len(bundle.categories or ())
    binary = bundle.quantity is not None and bundle.quantity.task == "binary"
    if bundle.categories is not None and (1 if binary else names) != outputs.shape[1]:
        raise ModelError(
            f"{bundle.name} returns {outputs.shape[1]:,} outputs, but its bundle names {names:,} classes: pass a name for each, "
            "dw.ModelBundle.from_module(net, ..., categories=[...]), in the order of the outputs."
        )
    if not bool(torch.isfinite(outputs).all()):
        raise ModelError(f"{bundle.name} returns NaN or infinite outputs for this image: check its weights and its transform.")
    return outputs


def most_probable(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the most probable class (...) for probabilities (..., classes); the lowest of equally probable ones."""
    best = probabilities.max(axis=-1, keepdims=True)
    lowest: NDArray[np.int64] = np.asarray((probabilities >= best * (1 - _EQUAL)).argmax(axis=-1), np.int64)
    return lowest


def class_number(target: int | str, classes: int, categories: Sequence[str] | None, model: str, argument: str = "target") -> int:
    """Return the number of a class.

    Parameters
    ----------
    target : int or str
        The number or the name of the class. Of equal names the lowest number is returned.
    classes : int
        Number of classes.
    categories : sequence of str, optional
        The names of the classes.
    model : str
        The name of the model, for error messages.
    argument : str
        The name of the argument, for error messages.

    Raises
    ------
    OcclusionError
        If there is no such class. The message lists the closest names.
    """
    names = list(categories or ())[:classes]
    if isinstance(target, str):
        return class_index(target, names, model, "bundle.categories lists them all.")
    number = as_integer(target)
    if number is None:
        raise OcclusionError(f"{argument} must be the number or the name of a class, not {describe(target)}.")
    if not 0 <= number < classes:
        raise OcclusionError(f"{model} has {classes:,} classes, 0 to {classes - 1}: there is no class {number}.")
    return number


def _checked_probabilities(values: Tensor, quantity: Quantity, model: str) -> Tensor:
    """Return probabilities clipped to [0, 1]. Raises ModelError for values that are none: the task was a wrong one."""
    if bool(((values < -_TOLERANCE) | (values > 1 + _TOLERANCE)).any()):
        logits = {"probabilities": "softmax"}.get(quantity.task, quantity.task)
        raise ModelError(
            f"{model} was taken to return probabilities, but returned {float(values.min()):.4g} to {float(values.max()):.4g} for this "
            f"image: if its outputs are logits, return them by a module without the activation, and pass task={logits!r}; if they are "
            "values, pass task='regression' to dw.ModelBundle.from_module."
        )
    if quantity.task == "probabilities" and bool(((values.sum(dim=1) - 1).abs() > _TOLERANCE).any()):
        raise ModelError(
            f"{model} was taken to return probabilities of classes that exclude each other, but for this image they do not sum to 1: pass "
            "task='multilabel' to dw.ModelBundle.from_module if each class has a probability of its own."
        )
    return values.clamp(0, 1)
