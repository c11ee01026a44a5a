"""Undoing operations, and repeating them on another bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deconvwidgets.arguments import describe
from deconvwidgets.errors import ModelError
from deconvwidgets.models.bundle import ModelBundle, require_bundle
from deconvwidgets.models.surgery.first_layer import change_first_layer
from deconvwidgets.models.surgery.normalizing import insert_normalization
from deconvwidgets.models.surgery.pooling import swap_pooling
from deconvwidgets.models.surgery.removing import remove_layers
from deconvwidgets.models.surgery.removing_units import remove_units
from deconvwidgets.models.surgery.resizing import merge_units, resize_layer
from deconvwidgets.models.surgery.strides import blur_strides
from deconvwidgets.records.surgery import SurgeryStep

OPERATIONS: Mapping[str, Callable[..., ModelBundle]] = {
    "remove_layers": remove_layers,
    "resize_layer": resize_layer,
    "remove_units": remove_units,
    "change_first_layer": change_first_layer,
    "swap_pooling": swap_pooling,
    "blur_strides": blur_strides,
    "insert_normalization": insert_normalization,
    "merge_units": merge_units,
}


def undo(bundle: ModelBundle) -> ModelBundle:
    """Return the bundle as it was before the last operation of `dw.surgery`: the same object, not a copy.

    Parameters
    ----------
    bundle : ModelBundle
        A bundle after surgery. It is not changed. A head or factors of units that it was given since are not those of the result.

    Raises
    ------
    ModelError
        If nothing was done to it.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> bundle = dw.load_model("alexnet", weights=None)
    >>> dw.surgery.undo(dw.surgery.swap_pooling(bundle)) is bundle
    True
    """
    before = require_bundle(bundle).before_surgery
    if before is None:
        raise ModelError(f"Nothing was done to this {bundle.name} by dw.surgery: there is nothing to undo.")
    return before


def apply(bundle: ModelBundle, steps: Sequence[SurgeryStep | Mapping[str, Any]]) -> ModelBundle:
    """Return a bundle after operations that were done to another one, in order: `dw.surgery.apply(other, operated.surgery)`.

    Parameters
    ----------
    bundle : ModelBundle
        The network. It is not changed.
    steps : sequence of SurgeryStep or mapping
        Mappings have the keys "operation" and "arguments", as a step in a JSON file has.

    Returns
    -------
    ModelBundle

    Raises
    ------
    ModelError, LayerError
        If a step is none, or those of its function.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> steps = [{"operation": "swap_pooling", "arguments": {"layers": ["pool1"], "to": "average"}}]
    >>> dw.surgery.apply(dw.load_model("alexnet", weights=None), steps).label
    'alexnet (random weights, average pooling)'
    """
    result = require_bundle(bundle)
    if not isinstance(steps, list | tuple):
        raise ModelError(f"steps must be steps of surgery, such as bundle.surgery, not {describe(steps)}.")
    for step in steps:
        operation, arguments = _parts(step)
        result = operation(result, **arguments)
    return result


def _parts(step: object) -> tuple[Callable[..., ModelBundle], Mapping[str, Any]]:
    if isinstance(step, SurgeryStep):
        return OPERATIONS[step.operation], step.arguments
    name, arguments = (step.get("operation"), step.get("arguments")) if isinstance(step, Mapping) else (None, None)
    if not isinstance(name, str) or name not in OPERATIONS or not isinstance(arguments, Mapping):
        known = ", ".join(OPERATIONS)
        raise ModelError(
            f'each of steps must be a SurgeryStep, or {{"operation": one of {known}, "arguments": {{...}}}}, not {describe(step)}.'
        )
    return OPERATIONS[name], arguments
