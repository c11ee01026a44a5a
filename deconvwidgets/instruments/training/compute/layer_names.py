"""The paper's names of the layers that are trained: conv1, ..., fc8, as the explorers call them."""

from __future__ import annotations

from deconvwidgets.engine.layers import weighted_names
from deconvwidgets.engine.network import Network
from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.instruments.training.compute.architecture import Architecture, Size, build_network


def layer_aliases(architecture: Architecture, classes: int, input_size: Size) -> dict[str, str]:
    """Return the aliases of convolutions and linear layers by their dotted names: {"features.0": "conv1", "classifier.1": "fc6"}.

    The network is built again and traced, which takes seconds; torch's global generator is not changed. Layers without an alias, and
    all layers of a network that cannot be built or traced, are left out.
    """
    try:
        graph = Network.of(build_network(architecture, classes, input_size, 0, None).model.eval(), input_size).graph
    except DeconvWidgetsError:
        return {}
    return {} if graph is None else {name: alias for alias, name in weighted_names(graph).items()}
