"""The layers whose features are compared by default, and those that a widget offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deconvwidgets.arguments import texts
from deconvwidgets.engine import Network
from deconvwidgets.engine.deepest_map import deepest_map
from deconvwidgets.errors import LayerError
from deconvwidgets.records.layers import LayerInfo


def default_layers(network: Network) -> tuple[LayerInfo, ...]:
    """Return the first feature map, the deepest one, and the last fully connected layer below the outputs, if there is one.

    In the paper's network these are the layers 1, 5 and 7; figure 5 shows 1 and 7.
    """
    maps = network.feature_map_layers
    fully_connected = [info for info in network.layers if info.kind == "fc" or (info.alias or "").startswith("fc")]
    hidden = fully_connected[:-1] if fully_connected and fully_connected[-1] == network.layers[-1] else fully_connected
    deepest = deepest_map(network, maps)
    chosen = [maps[0], deepest, *hidden[-1:]] if deepest is not None else network.layers[:1] + network.layers[-1:]
    return tuple(dict.fromkeys(chosen))


def offered_layers(network: Network) -> tuple[LayerInfo, ...]:
    """Return the layers with an alias (convN, poolN, fcN); without any, those with feature maps."""
    named = [info for info in network.layers if info.alias]
    return tuple(named or network.feature_map_layers)


def checked_layers(network: Network, layers: Any) -> tuple[LayerInfo, ...]:
    """Return layers by their names or aliases, each once; the default ones for None. Raises LayerError for an unknown one."""
    if layers is None:
        return default_layers(network)
    names: Sequence[str] = texts(layers, "layers", "the names of one or more layers, such as ['conv1', 'conv5']", LayerError)
    return tuple(dict.fromkeys(network.layer(name) for name in names))
