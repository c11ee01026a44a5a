"""The deepest of some feature maps."""

from __future__ import annotations

from collections.abc import Sequence

from torch import fx

from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.network import Network
from deconvwidgets.records.layers import LayerInfo


def deepest_map(network: Network, layers: Sequence[LayerInfo]) -> LayerInfo | None:
    """Return the feature map with the most convolutions between it and the input; None if no layer is a feature map.

    Of several, the one that is computed last. The 1 x 1 convolution of a shortcut may be computed after the block that it passes by, and is
    not deeper for that. Maps of convolutions come before others, such as those of poolings; the order in which the layers are given does
    not matter.
    """
    names, graph = {info.name for info in layers}, network.graph
    maps = [info for info in network.feature_map_layers if info.name in names]
    maps = maps or [info for info in network.layers if info.name in names and info.height * info.width > 1]
    if not maps or graph is None:
        return maps[-1] if maps else None
    depths = _depths(graph, {network.node(info.name) for info in network.feature_map_layers})
    order = {node: number for number, node in enumerate(depths)}

    def place(info: LayerInfo) -> tuple[int, int]:
        node = network.node(info.name)
        return (-1, -1) if node not in depths else (depths[node], order[node])

    return max(maps, key=place)


def _depths(graph: Graph, convolutions: set[fx.Node | None]) -> dict[fx.Node | None, int]:
    """Return the largest number of convolutions between the input and each operation, itself included."""
    depths: dict[fx.Node | None, int] = {}
    for node in graph.operations:
        depths[node] = max((depths.get(before, 0) for before in node.all_input_nodes), default=0) + (node in convolutions)
    return depths
