"""Units that a head is trained without: the checks, and the channels of the head's layer that they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deconvwidgets.arguments import as_integer, describe
from deconvwidgets.engine import Network
from deconvwidgets.errors import HeadError
from deconvwidgets.models.unit_factors import checked_units
from deconvwidgets.records.layers import LayerInfo

UnitsOfLayers = Mapping[str, Sequence[int]] | Sequence[tuple[str, int]]
_EXAMPLE = '{"conv5": [133, 254]} or [("conv5", 133), ("conv5", 254)]'


@dataclass(frozen=True, slots=True)
class MutedUnits:
    """Units (name of the layer, unit), and the channels of the head's layer that depend on them, ascending."""

    units: tuple[tuple[str, int], ...]
    channels: tuple[int, ...]


def muted_units(network: Network, layer: LayerInfo, units: object, model: str) -> MutedUnits:
    """Return units of a head's layer, or of a layer below it whose channels only pooling, rectifiers and the like lead to it.

    Such operations keep channels apart: unit 133 of conv5 is unit 133 of pool5.

    Parameters
    ----------
    network : Network
        The model.
    layer : LayerInfo
        The layer of the head.
    units : mapping of str to sequence of int, or sequence of (str, int)
        Units by layer, or (layer, unit); names or aliases of layers.
    model : str
        The name of the model, for error messages.

    Raises
    ------
    HeadError
        For anything else, for units of other layers, and if no unit is left to train on.
    LayerError
        For a layer or unit that does not exist.
    """
    checked = checked_units(network, dict.fromkeys(_pairs(units), 0.0), model)
    same = _layers_with_the_same_units(network, layer)
    named: list[tuple[str, int]] = []
    for name, unit in checked:
        info = network.layer(name)
        if name not in same:
            raise HeadError(
                f"{info.short_name} {unit} is no unit of {layer.short_name}, which the head is trained on, so it has no columns of its own "
                f'to leave out. Switch it off in the model, bundle.with_units({{("{info.short_name}", {unit}): 0.0}}), and train on '
                "that bundle: its features are computed without the unit."
            )
        named.append((info.short_name, unit))
    channels = tuple(sorted({unit for _, unit in named}))
    if len(channels) == layer.channels:
        raise HeadError(f"All {layer.channels:,} units of {layer.short_name} would be left out: leave at least one to train on.")
    return MutedUnits(tuple(named), channels)


def _pairs(units: object) -> Iterator[tuple[str, int]]:
    if isinstance(units, Mapping):
        for layer, numbers in units.items():
            if isinstance(numbers, str) or not isinstance(numbers, Sequence | set | frozenset | np.ndarray):
                raise HeadError(f"The units of {describe(layer)} must be a list of numbers, as in {_EXAMPLE}, not {describe(numbers)}.")
            yield from (_pair((layer, number)) for number in numbers)
    elif isinstance(units, list | tuple | set | frozenset):
        yield from (_pair(unit) for unit in units)
    else:
        raise HeadError(f"Units are given as {_EXAMPLE}, not {describe(units)}.")


def _pair(unit: object) -> tuple[str, int]:
    if isinstance(unit, list | tuple) and len(unit) == 2 and isinstance(unit[0], str):
        number = as_integer(unit[1])
        if number is not None:
            return unit[0], number
    raise HeadError(f"A unit is a layer and a number, as in {_EXAMPLE}, not {describe(unit)}.")


def _layers_with_the_same_units(network: Network, layer: LayerInfo) -> set[str]:
    """Return the names of the layers whose channels are those of a layer: it, and those below that only lead to it channel by channel."""
    graph, node = network.graph, network.node(layer.name)
    if graph is None or node is None:
        return {layer.name}
    nodes = {node}
    while (graph.operations[node].op.channelwise or graph.operations[node].op.role == "pooling") and len(node.all_input_nodes) == 1:
        node = node.all_input_nodes[0]
        nodes.add(node)
    return {info.name for info in network.layers if network.node(info.name) in nodes and info.channels == layer.channels}
