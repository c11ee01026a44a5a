"""One forward pass that visits some layers and returns what the model predicts; without outputs it stops at the last of the layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from deconvwidgets.compute.scores import require_outputs
from deconvwidgets.engine.executor import call_operation, run_each, run_outputs
from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.models.bundle import ModelBundle

Visitor = Callable[[str, Tensor], None]


class FeaturePass:
    """A forward pass to some layers of a model and, if it predicts something, to its outputs.

    Parameters
    ----------
    bundle : ModelBundle
    layers : sequence of str
        Dotted names or aliases.

    Raises
    ------
    LayerError
        If there is no such layer.
    """

    def __init__(self, bundle: ModelBundle, layers: Sequence[str]) -> None:
        self.bundle, self.network = bundle, bundle.network
        self.layers = tuple(dict.fromkeys(self.network.layer(name).name for name in layers))
        self._predicts = bundle.classifier is not None and bundle.quantity is not None

    @torch.no_grad()
    def run(self, batch: Tensor, visitor: Visitor) -> Tensor | None:
        """Run a batch.

        Parameters
        ----------
        batch : Tensor (N, C, H, W)
            Normalised inputs on the model's device.
        visitor : callable
            Called as `visitor(name, map)` with each layer's map (N, C, h, w) or (N, C) as soon as it is computed. It must copy what it
            keeps: a later operation in place may overwrite the map.

        Returns
        -------
        Tensor (N, outputs) or None
            What the model returns; None if it predicts nothing.

        Raises
        ------
        ModelError
            If the outputs are not (N, outputs), or not finite.
        """
        graph = self.network.graph
        if not self._predicts or graph is None:
            if self.layers:
                self.network.visit(batch, self.layers, visitor)
            return self._outputs(batch) if self._predicts else None
        if self.network.single and len(batch) > 1:
            parts: dict[str, list[Tensor]] = {}

            def collect(name: str, value: Tensor) -> None:
                parts.setdefault(name, []).append(value.clone())

            outputs = run_each(lambda image: self._run(graph, image, collect), batch)
            for name, values in parts.items():
                visitor(name, torch.cat(values))
        else:
            outputs = self._run(graph, batch, visitor)
        return require_outputs(outputs, self.bundle)

    def _outputs(self, batch: Tensor) -> Tensor:
        def run(part: Tensor) -> Tensor:
            return require_outputs(self.bundle.model(part), self.bundle)

        outputs: Tensor = run_each(run, batch) if self.network.single else run(batch)
        return outputs

    def _run(self, graph: Graph, batch: Tensor, visitor: Visitor) -> Any:
        names: dict[fx.Node, list[str]] = {}
        for name in self.layers:
            node = self.network.node(name)
            assert node is not None
            names.setdefault(node, []).append(name)

        def call(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            value = call_operation(operation, args, kwargs)
            for name in names.get(operation.node, ()):
                visitor(name, value)
            return value

        targets = [value for value in graph.trace.outputs if isinstance(value, fx.Node)]
        return run_outputs(graph, graph.trace.bind(self.network.model), batch, call, graph.ancestors([*names, *targets]))
