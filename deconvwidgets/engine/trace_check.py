"""Checking a trace against the model: the outputs, the map of every layer, and whether images of a batch affect each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from deconvwidgets.engine.autograd_graph import autograd_nodes
from deconvwidgets.engine.example import example_batch
from deconvwidgets.engine.executor import Executor
from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.hook_runner import run_with_hooks
from deconvwidgets.engine.model_copy import copy_sharing_tensors
from deconvwidgets.errors import GraphError

_TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-3}  # of the largest value; batches of another size sum in another order
_HALF_TOLERANCE = 3e-2
RANDOM = "it draws random numbers"


def check_trace(graph: Graph, model: nn.Module, size: Iterable[int]) -> bool:
    """Check that a graph computes what the model computes.

    Parameters
    ----------
    graph : Graph
    model : nn.Module
        The model, which is left unchanged.
    size : iterable of int
        (C, H, W) of the input.

    Returns
    -------
    bool
        Whether a batch has to be run image by image, because its images affect each other or because the trace is for one.

    Raises
    ------
    GraphError
        If the graph does not reproduce the model's output, or the output of one of its modules.
    """
    images = _two_images(model, size)
    expected = _maps_of_model(model, images[:1])
    if not graph.trace.single and not graph.couples_batch and _difference(graph, model, images, expected) is None:
        return False
    difference = _difference(graph, model, images[:1], expected)
    if difference is None:
        return True
    name, again = type(model).__name__, _maps_of_model(model, images[:1])
    if any(key not in again or not _agree(again[key], value) for key, value in expected.items()):
        raise GraphError(f"{name} returns something else each time that it is given the same image: {RANDOM}")
    raise GraphError(f"the traced graph does not reproduce {difference} of {name}")


def couples_batch(model: nn.Module, size: Iterable[int]) -> bool:
    """Return whether a model that cannot be traced has to be run image by image: its output for an image depends on the others."""
    images = _two_images(model, size)
    with torch.no_grad():
        alone = _flatten(copy_sharing_tensors(model)(images[:1].clone()))
        try:
            together = _flatten(copy_sharing_tensors(model)(images.clone()))
        except (RuntimeError, ValueError, TypeError, IndexError):  # it takes one image only
            return True
    return len(alone) != len(together) or not all(_agree(first[:1], one) for first, one in zip(together, alone, strict=True))


def _two_images(model: nn.Module, size: Iterable[int]) -> Tensor:
    """Return (2, C, H, W): an example, and one with smaller and larger values, so that a batch's extremes are not those of the first."""
    images = example_batch(model, tuple(size), 2)
    images[1] = 4 * images[1] - 2
    return images


def _maps_of_model(model: nn.Module, image: Tensor) -> dict[str, Tensor]:
    """Return the output of each module call, and the model's outputs as "output 0", "output 1", ..."""
    maps: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module, args: tuple[Any, ...], output: Any) -> bool:
        if isinstance(output, Tensor):
            maps[name] = output.detach().clone()  # a later in-place operation may overwrite it
        return False

    with torch.enable_grad(), torch.inference_mode(False):
        outputs = _flatten(run_with_hooks(model, image.clone().requires_grad_().clone(), keep))
    for number, output in enumerate(outputs):
        _reject_custom_functions(output, model)
        maps[f"output {number}"] = output.detach()
    return maps


def _difference(graph: Graph, model: nn.Module, images: Tensor, expected: dict[str, Tensor]) -> str | None:
    """Return what the graph computes differently for the first image; None if everything is equal."""
    names: dict[Any, list[str]] = {}
    for call, node in graph.calls.items():
        names.setdefault(node, []).append(call)
    for number, node in enumerate(node for node in graph.trace.outputs if graph.is_tensor(node)):
        names.setdefault(node, []).append(f"output {number}")
    operations = graph.ancestors(names)
    with torch.no_grad():
        try:
            for operation, value in Executor(graph, operations, graph.trace.bind(model)).execute(images):
                for name in names.get(operation.node, ()):
                    if name in expected and not _agree(value[: len(expected[name])], expected[name]):
                        return f"the output of '{name}'" if name in graph.calls else f"{name}"
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
            return f"any output ({error}), which is needed for the layers"
    return None


def _flatten(output: Any) -> list[Tensor]:
    return [value for value in pytree.tree_leaves(output) if isinstance(value, Tensor)]


def _agree(found: Tensor, expected: Tensor) -> bool:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return False
    if not expected.is_floating_point():
        return torch.equal(found, expected)
    if not expected.numel():
        return True
    finite = torch.where(torch.isfinite(expected), expected, 0)
    tolerance = _TOLERANCE.get(expected.dtype, _HALF_TOLERANCE) * float(finite.abs().max())
    return torch.allclose(found, expected, rtol=0, atol=tolerance, equal_nan=True)


def _reject_custom_functions(output: Tensor, model: nn.Module) -> None:
    """Raise GraphError if a custom autograd function is part of the model: the graph has its forward pass, but not its derivative."""
    for node in autograd_nodes(output):
        if isinstance(node, torch.autograd.function.BackwardCFunction):
            raise GraphError(f"{type(model).__name__} calls a custom autograd function ({type(node).__name__.removesuffix('Backward')})")
