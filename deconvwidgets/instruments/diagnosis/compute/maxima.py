"""The strongest activation of every unit of some layers, and the model's probabilities, in one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.scores import require_outputs, scores_of
from deconvwidgets.engine.executor import call_operation, run_outputs
from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import LayerInfo

Maxima = dict[str, NDArray[np.float32]]


class MaximaPass:
    """A forward pass of a bundle that keeps the maximum over each map of some layers. It keeps the parameters of the moment it was made.

    Parameters
    ----------
    bundle : ModelBundle
    layers : sequence of LayerInfo
    """

    def __init__(self, bundle: ModelBundle, layers: Sequence[LayerInfo]) -> None:
        self._bundle, self._network, self._layers = bundle, bundle.network, tuple(layers)
        self._graph = self._network.graph
        self.predicts = bundle.quantity is not None and bundle.quantity.kind == "probability"
        if self._graph is not None:
            self._values = self._graph.trace.bind(self._network.model)

    def run(self, batch: Tensor) -> tuple[Maxima, NDArray[np.float64] | None]:
        """Return the maxima (N, units) by the layers' dotted names, and the probabilities (N, classes); None if there are none.

        Parameters
        ----------
        batch : Tensor (N, C, H, W)
            Normalised inputs, on any device.
        """
        batch = to_model(batch, self._bundle.model)
        size = 1 if self._network.single else len(batch)
        with torch.no_grad():
            parts = [self._run(part) for part in torch.split(batch, size)]
        maxima = {info.name: np.concatenate([part[0][info.name] for part in parts]) for info in self._layers}
        return maxima, (np.concatenate([self._scores(part[1]) for part in parts]) if self.predicts else None)

    def _scores(self, outputs: Any) -> NDArray[np.float64]:
        quantity = self._bundle.quantity
        assert quantity is not None
        return scores_of(require_outputs(outputs, self._bundle), quantity, self._bundle.name)

    def _run(self, batch: Tensor) -> tuple[Maxima, Any]:
        if self._graph is None:
            found: Maxima = {}
            self._network.visit(batch, [info.name for info in self._layers], lambda name, value: found.update({name: maxima_of(value)}))
            return found, self._bundle.model(batch) if self.predicts else None
        return self._run_graph(self._graph, batch)

    def _run_graph(self, graph: Graph, batch: Tensor) -> tuple[Maxima, Any]:
        found: Maxima = {}
        names: dict[fx.Node | None, list[str]] = {}
        for info in self._layers:
            names.setdefault(self._network.node(info.name), []).append(info.name)

        def call(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            value = call_operation(operation, args, kwargs)
            if operation.node in names:
                maxima = maxima_of(value)
                found.update(dict.fromkeys(names[operation.node], maxima))
            return value

        outputs = [value for value in graph.trace.outputs if isinstance(value, fx.Node)] if self.predicts else []
        operations = graph.ancestors([*(node for node in names if node is not None), *outputs])
        return found, run_outputs(graph, self._values, batch, call, operations)


def maxima_of(value: Tensor) -> NDArray[np.float32]:
    """Return the maximum over space of each unit's map, for maps (N, C, h, w) or vectors (N, C)."""
    flat = value.detach() if value.dim() == 2 else value.detach().flatten(2).amax(dim=2)
    return np.asarray(flat.float().cpu().numpy())
