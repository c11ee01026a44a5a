"""The layers that the shift microscope shows, and whose curves by shift are measured."""

from __future__ import annotations

import numpy as np

from deconvwidgets.engine.network import Network
from deconvwidgets.instruments.diagnosis.panel_records import LayerChoice
from deconvwidgets.records.layers import LayerInfo

_ENOUGH = 8  # so many are shown by either choice
_MAPS, _VECTORS = 5, 3  # of "few"


def watched_layers(network: Network, choice: LayerChoice = "all") -> tuple[LayerInfo, ...]:
    """Return layers in order of execution.

    Parameters
    ----------
    network : Network
    choice : {"few", "all"}
        "all": every feature map that is listed, and every fully connected layer. "few": the same if there are at most eight; else five
        of the feature maps, evenly spaced with the first and the last, and the last three of the fully connected layers.
    """
    maps, vectors = network.feature_map_layers, network.fully_connected_layers
    if choice == "few" and len(maps) + len(vectors) > _ENOUGH:
        maps = [maps[number] for number in np.unique(np.linspace(0, len(maps) - 1, _MAPS).round().astype(int))] if maps else []
        vectors = vectors[-_VECTORS:]
    names = {info.name for info in (*maps, *vectors)}
    return tuple(info for info in network.layers if info.name in names)
