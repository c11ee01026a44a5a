"""The deepest of some feature maps."""

from __future__ import annotations

from collections.abc import Sequence

from torch import fx

from deconvwidgets.engine.network import Network
from deconvwidgets.records.layers import LayerInfo


def deepest_map(network: Network, layers: Sequence[LayerInfo]) -> LayerInfo | None:
    """Return the feature map that is computed last; None if no layer is a feature map.

    Those of convolutions come before others, such as those of poolings, and the order in which the layers are given does not matter.
    """
    names, graph = {info.name for info in layers}, network.graph
    maps = [info for info in network.feature_map_layers if info.name in names]
    maps = maps or [info for info in network.layers if info.name in names and info.height * info.width > 1]
    if not maps or graph is None:
        return maps[-1] if maps else None
    order: dict[fx.Node | None, int] = {node: number for number, node in enumerate(graph.operations)}
    return max(maps, key=lambda info: order.get(network.node(info.name), -1))
