"""Factors of units: what is given is checked against a model, and the model is made that applies them.

Multiplying a unit's map by 0 switches it off, as in the ablation of Zeiler & Fergus 2014, section 4.4, one unit at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from deconvwidgets.arguments import as_integer, describe, finite_number
from deconvwidgets.engine import Network
from deconvwidgets.engine.example import example_batch, reference_tensor
from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.hook_runner import run_with_hooks
from deconvwidgets.engine.map_views import view_positions, view_source
from deconvwidgets.engine.model_copy import copy_sharing_tensors
from deconvwidgets.errors import LayerError
from deconvwidgets.models.scaled_model import ScaledModel
from deconvwidgets.models.unit_files import read_units
from deconvwidgets.records.layers import LayerInfo

Units = Mapping[tuple[str, int], float]  # {("conv5", 133): 0.0}
UnitsSource = Units | str | os.PathLike[str]  # or a file that `save_units` has written


def checked_units(network: Network, units: object, model: str) -> dict[tuple[str, int], float]:
    """Return factors by (dotted name of the layer, unit), in the order of the layers, without factors of 1.

    Parameters
    ----------
    network : Network
        The model that the units belong to.
    units : mapping of (str, int) to float, str or path
        Factors by (name or alias of the layer, unit), or the path of a file with units.
    model : str
        The name of the model, for error messages.

    Raises
    ------
    LayerError
        If it is no such mapping, if a layer or a unit does not exist, if a factor is no finite number, or if a unit has two factors.
    """
    kept = [item for item in _by_unit(network, units, model).items() if item[1] != 1]
    order = {info.name: number for number, info in enumerate(network.layers)}
    return dict(sorted(kept, key=lambda item: (order[item[0][0]], item[0][1])))


def updated_units(network: Network, current: Units, changes: object, model: str) -> dict[tuple[str, int], float]:
    """Return the factors after some were changed. A factor of 1 restores a unit. Parameters and errors are those of `checked_units`."""
    return {**current, **_by_unit(network, changes, model)}


def _by_unit(network: Network, units: object, model: str) -> dict[tuple[str, int], float]:
    """Return factors by (dotted name of the layer, unit)."""
    if isinstance(units, str | os.PathLike):
        return read_units(units, network, model)
    if not isinstance(units, Mapping):
        raise LayerError(f'units must be factors by (layer, unit), such as {{("conv5", 133): 0.0}}, not {describe(units)}.')
    factors: dict[tuple[str, int], float] = {}
    for key, factor in units.items():
        info, unit = _checked_key(network, key, model)
        number = finite_number(factor)
        if number is None:
            raise LayerError(
                f"The factor of {info.alias or info.name} {unit} must be a finite number, 0 to switch it off, not {describe(factor)}."
            )
        if factors.setdefault((info.name, unit), number) != number:
            raise LayerError(f"{info.alias or info.name} {unit} has two factors, {factors[info.name, unit]:g} and {number:g}: give one.")
    return factors


def _checked_key(network: Network, key: object, model: str) -> tuple[LayerInfo, int]:
    if not isinstance(key, tuple) or len(key) != 2 or not isinstance(key[0], str):
        raise LayerError(f'A unit is given as (layer, unit), such as ("conv5", 133), not {describe(key)}.')
    info, unit = network.layer(key[0]), as_integer(key[1])
    if unit is None or not 0 <= unit < info.channels:
        name = info.alias or info.name
        raise LayerError(f"{name} of {model} has {info.channels:,} units, 0 to {info.channels - 1}: there is no unit {describe(key[1])}.")
    return info, unit


def scale_units(model: nn.Module, input_size: tuple[int, int, int], units: Units, name: str, *, predicts: bool) -> ScaledModel:
    """Return a model in which the maps of units are multiplied. It shares the parameters of `model`, which is not changed.

    Parameters
    ----------
    model : torch.nn.Module
        The model.
    input_size : tuple of (int, int, int)
        (channels, height, width) of the input.
    units : mapping of (str, int) to float
        Factors, as returned by `checked_units`.
    name : str
        The name of the model, for error messages.
    predicts : bool
        Whether the model has an answer, which all layers must contribute to.

    Raises
    ------
    LayerError
        If the answer does not depend on a layer, or if a model that cannot be traced overwrites the values of a layer.
    """
    network = Network.of(model, input_size)
    graph = network.graph
    layers = list(dict.fromkeys(layer for layer, _ in units))
    if graph is None:
        factors = _module_factors(network, layers, units)
        _check_hooks(network, factors, name, predicts)
    else:
        if predicts:
            _check_below_answer(network, graph, layers, name)
        factors = {layer: _node_factors(network, graph, layer, units) for layer in layers}
    return ScaledModel(model, factors, graph is not None)


def _of_layer(units: Units, layer: str, channels: int) -> Tensor:
    factors = torch.ones(channels, dtype=torch.float64)
    for (name, unit), factor in units.items():
        if name == layer:
            factors[unit] = factor
    return factors


def _node_factors(network: Network, graph: Graph, layer: str, units: Units) -> Tensor:
    """Return the factors of a layer of a traced model, in the shape of the values of its node for one image, or broadcast to it."""
    node = network.node(layer)
    assert node is not None
    source, factors = view_source(graph.trace, node), _of_layer(units, layer, network.layer(layer).channels)
    value = source.meta["val"]
    if source is node:
        shaped = factors.reshape(-1, *[1] * (value.dim() - 2))
    else:  # channels stand on another axis, and some tokens may belong to no position
        positions = view_positions(graph.trace, node)
        shaped = torch.ones([int(size) for size in value.shape[1:]], dtype=torch.float64)
        shaped.view(-1)[positions] = factors[:, None, None].expand(positions.shape)
    return _in_type(shaped, value.dtype, network.layer(layer)).to(reference_tensor(network.model).device)


def _check_below_answer(network: Network, graph: Graph, layers: list[str], name: str) -> None:
    outputs = [value for value in graph.trace.outputs if isinstance(value, fx.Node)]
    below = {operation.node for operation in graph.ancestors(outputs)}
    for layer in layers:
        if view_source(graph.trace, network.node(layer)) not in below:
            raise LayerError(_after_answer(network.layer(layer), name))


def _after_answer(info: LayerInfo, name: str) -> str:
    return (
        f"The answer of {name} does not depend on {info.alias or info.name}: its units cannot change it. Choose a layer below the answer "
        "(after bundle.with_head(...), one below the head)."
    )


def _module_factors(network: Network, layers: list[str], units: Units) -> dict[str, Tensor]:
    """Return the factors of layers of a model that cannot be traced, broadcast to the output of their modules."""
    values: dict[str, Tensor] = {}
    example = example_batch(network.model, network.input_size, 1)
    with torch.no_grad():
        network.visit(example, layers, lambda layer, value: values.update({layer: value}))
    return {
        layer: _in_type(_of_layer(units, layer, value.shape[1]), value.dtype, network.layer(layer))
        .reshape(-1, *[1] * (value.dim() - 2))
        .to(value.device)
        for layer, value in values.items()
    }


def _in_type(factors: Tensor, dtype: torch.dtype, info: LayerInfo) -> Tensor:
    """Return factors in the type of a layer's values. Raises LayerError if one is infinite in it: 0 times it is no number."""
    converted = factors.to(dtype)
    if not bool(torch.isfinite(converted).all()):
        largest = float(factors.abs().max())
        raise LayerError(
            f"A factor of {info.short_name} is as large as {largest:.2g}, but its values are of {str(dtype).removeprefix('torch.')}, which "
            f"ends at {torch.finfo(dtype).max:.2g}: give a smaller factor."
        )
    return converted


def _check_hooks(network: Network, factors: Mapping[str, Tensor], name: str, predicts: bool) -> None:
    """Check that the outputs of modules can be replaced in a model that cannot be traced.

    A model that reads values of an in-place module by another name would not see what a hook returns: then the result would differ from
    multiplying the values themselves.
    """
    for layer, factor in factors.items():
        varied = torch.linspace(0.5, 1.5, factor.numel(), dtype=factor.dtype, device=factor.device).reshape(factor.shape)
        unchanged, replaced, overwritten = (_outputs(network, layer, change, varied) for change in (_keep, torch.mul, Tensor.mul_))
        info = network.layer(layer)
        if any(not torch.equal(first, second) for first, second in zip(replaced, overwritten, strict=True)):
            raise LayerError(
                f"Units of {info.alias or info.name} cannot be switched off: {name} cannot be traced ({network.reason}), and reads the "
                "values of this layer after an in-place operation, which a forward hook cannot replace. Use inplace=False."
            )
        if predicts and all(torch.equal(first, second) for first, second in zip(unchanged, replaced, strict=True)):
            raise LayerError(_after_answer(info, name))


def _keep(value: Tensor, factor: Tensor) -> Tensor:
    return value


def _outputs(network: Network, layer: str, change: Callable[[Tensor, Tensor], Tensor], factor: Tensor) -> list[Tensor]:
    batch = example_batch(network.model, network.input_size, 1).clone()
    with torch.no_grad():
        output = run_with_hooks(
            copy_sharing_tensors(network.model),
            batch,
            lambda call, module, args, value: False,
            lambda call, value: change(value, factor) if call == layer else value,
        )
    return [value for value in pytree.tree_leaves(output) if isinstance(value, Tensor)]
