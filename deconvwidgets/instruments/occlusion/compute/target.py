"""Targets that are not a class of the model's output: one position of a segmentation, and a number that a function computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import index
from typing import Any

import torch
from torch import Tensor

from deconvwidgets.engine.example import example_batch, example_output
from deconvwidgets.errors import OcclusionError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.output_selection import describe_output
from deconvwidgets.models.selected_output import SelectedOutput

ClassTarget = int | str | None
Target = ClassTarget | tuple[int | str, int, int] | Callable[[Any], Tensor]


class AtPosition:
    """Selects the outputs (N, classes) of one position of maps (N, classes, rows, columns)."""

    def __init__(self, row: int, column: int) -> None:
        self.row, self.column = row, column

    def __call__(self, maps: Tensor) -> Tensor:
        """Return the outputs of the position."""
        return maps[:, :, self.row, self.column]


def bundle_for_target(bundle: ModelBundle, target: Target) -> tuple[ModelBundle, ClassTarget]:
    """Return a bundle of which the target is a class or an output, and that class.

    Parameters
    ----------
    bundle : ModelBundle
    target : int, str, (class, row, column), callable or None
        A class and the position in the model's maps (N, classes, rows, columns), whose classes are then predicted as by a classifier; or a
        function that takes what the model returns for N images and returns one number per image, (N,), which is a value.

    Raises
    ------
    OcclusionError
        If the model does not return maps, if the position is outside them, or if the function returns anything else.
    """
    if isinstance(target, tuple):
        return _at_position(bundle, target)
    return (_with_function(bundle, target), 0) if callable(target) else (bundle, target)


def _at_position(bundle: ModelBundle, target: tuple[Any, ...]) -> tuple[ModelBundle, ClassTarget]:
    maps = _outputs(bundle)
    if not isinstance(maps, Tensor) or maps.dim() != 4:
        raise OcclusionError(
            f"target=(class, row, column) is for models that return maps (N, classes, rows, columns), but {bundle.name} returns "
            f"{describe_output(maps)}: choose an output, dw.ModelBundle.from_module(net, ..., output=...), or pass a class as target."
        )
    label, row, column = _position(target, (maps.shape[2], maps.shape[3]), bundle.name)
    if bundle.quantity is None:
        names = ["value"] if maps.shape[1] == 1 else [f"class {number}" for number in range(maps.shape[1])]
        bundle = bundle.with_output(categories=names)
    what = f"position ({row}, {column}) of the model's maps"
    unchanged = bundle.unchanged or bundle
    model = SelectedOutput(unchanged.model, AtPosition(row, column))
    at_position = replace(unchanged, model=model, classifier=what, head=None, headless=None)
    return at_position.with_units(bundle.units), label


def _position(target: tuple[Any, ...], size: tuple[int, int], model: str) -> tuple[ClassTarget, int, int]:
    try:
        label, row, column = target[0], *(index(number) for number in target[1:])
    except (TypeError, ValueError, IndexError):
        raise OcclusionError(f"A target in a map is (class, row, column), with whole numbers for the position, not {target!r}.") from None
    if not (0 <= row < size[0] and 0 <= column < size[1]):
        raise OcclusionError(
            f"{model} returns maps of {size[0]} x {size[1]} positions, counted from 0: there is no row {row}, column {column}."
        )
    return label, row, column


def _with_function(bundle: ModelBundle, function: Callable[[Any], Any]) -> ModelBundle:
    outputs = _outputs(bundle)
    try:
        numbers = function(outputs)
    except Exception as error:  # it is the user's own code
        raise OcclusionError(
            f"The function target={function!r} fails for what {bundle.name} returns, which is {describe_output(outputs)} "
            f"({type(error).__name__}: {error}). It must return one number per image, a tensor (N,)."
        ) from error
    if not isinstance(numbers, Tensor) or tuple(numbers.shape) not in ((_IMAGES,), (_IMAGES, 1)):
        got = f"a tensor of {tuple(numbers.shape)}" if isinstance(numbers, Tensor) else f"a {type(numbers).__name__}"
        raise OcclusionError(
            f"A target function takes what {bundle.name} returns and returns one number per image, a tensor (N,), but for {_IMAGES} images "
            f"it returned {got}. The model returns {describe_output(_outputs(bundle))}."
        )
    name = str(getattr(function, "__name__", type(function).__name__))
    return bundle.with_output(function, task="regression", categories=["target" if name == "<lambda>" else name])


_IMAGES = 2  # a batch of two tells the images from the classes


@torch.no_grad()
def _outputs(bundle: ModelBundle) -> Any:
    return example_output(bundle.model, example_batch(bundle.model, bundle.input_size).repeat(_IMAGES, 1, 1, 1))
