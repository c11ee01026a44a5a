"""A model in which the maps of some units are multiplied by factors: by 0, a unit is switched off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from deconvwidgets.engine import Network
from deconvwidgets.engine.executor import call_operation, run_each, run_outputs
from deconvwidgets.engine.graph import Operation
from deconvwidgets.engine.hook_runner import run_with_hooks
from deconvwidgets.engine.map_views import view_source
from deconvwidgets.engine.tracing import Trace
from deconvwidgets.models.extended_model import ExtendedModel, copied_trace


class UnitFactors(nn.Module):
    """Holds the factors of each layer as buffers, each of a shape that is broadcast to the values of the layer for one image."""

    def __init__(self, factors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.layers = tuple(factors)
        self.training = False
        for number, value in enumerate(factors.values()):
            self.register_buffer(f"layer{number}", value)

    def by_layer(self) -> dict[str, Tensor]:
        """Return the factors by the names of the layers."""
        return {layer: getattr(self, f"layer{number}") for number, layer in enumerate(self.layers)}

    def extra_repr(self) -> str:
        return ", ".join(self.layers)


class ScaledModel(ExtendedModel):
    """A model in which values of layers are multiplied by factors, for everything that reads them.

    Modules and parameters are shared with `original`, which is not changed. All layers keep their names; the name of a layer with factors
    means the product. A model that can be traced runs by its graph, others by forward hooks.

    Parameters
    ----------
    original : torch.nn.Module
        The model.
    factors : mapping of str to Tensor
        Factors by the names of layers, broadcast to the values of the layer for one image.
    """

    def __init__(self, original: nn.Module, factors: Mapping[str, Tensor], traced: bool) -> None:
        super().__init__(original, "unit_factors", UnitFactors(factors))
        self._traced = traced

    @property
    def factors(self) -> dict[str, Tensor]:
        """The factors by the names of the layers."""
        assert isinstance(self.added, UnitFactors)
        return self.added.by_layer()

    def forward(self, batch: Tensor) -> Any:
        """Return the output of the model, with the values of the layers multiplied."""
        if self._traced:
            return run_scaled(Network.of(self.original, batch.shape[1:]), batch, self.factors)
        factors = self.factors
        return run_with_hooks(
            self.original,
            batch,
            lambda name, module, args, output: False,
            lambda name, output: output * factors[name] if name in factors else output,
        )

    def changed_layers(self) -> Mapping[str, Tensor]:
        """Return the factors, which change the values of their layers."""
        return self.factors

    def extend(self, trace: Trace, layers: Mapping[str, fx.Node]) -> Trace:
        """Return the trace of `original` with products after the layers."""
        extended, copies = copied_trace(trace)
        first = next(iter(extended.graph.nodes))
        assert isinstance(self.added, UnitFactors)
        for number, (layer, factor) in enumerate(self.factors.items()):
            source = copies[view_source(trace, layers[layer])]
            with extended.graph.inserting_before(first):
                placeholder = extended.graph.placeholder(f"{self._added_name}_{number}")
            with source.meta["val"].fake_mode:
                placeholder.meta = {"val": torch.empty(factor.shape, dtype=factor.dtype, device=factor.device)}
            extended = _with_product(extended, source, placeholder, f"{self._added_name}.layer{number}")
        return extended


def run_scaled(network: Network, batch: Tensor, factors: Mapping[str, Tensor]) -> Any:
    """Run a traced network with the values of layers multiplied, by replacing what the executor computes for them.

    Parameters
    ----------
    network : Network
        A network that is traced.
    batch : Tensor (N, C, H, W)
        The input.
    factors : mapping of str to Tensor
        Factors by the names of layers, broadcast to the values of the layer for one image.

    Returns
    -------
    Any
        The output of the model.
    """
    graph = network.graph
    assert graph is not None
    if network.single and len(batch) > 1:
        return run_each(lambda image: run_scaled(network, image, factors), batch)
    by_node = {view_source(graph.trace, network.node(layer)): factor for layer, factor in factors.items()}

    def call(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        value = call_operation(operation, args, kwargs)
        factor = by_node.get(operation.node)
        return value if factor is None else value * factor

    return run_outputs(graph, graph.trace.bind(network.model), batch, call)


def _with_product(trace: Trace, source: fx.Node, factor: fx.Node, name: str) -> Trace:
    """Return a trace in which everything that read `source` reads its product with `factor`. The graph of the trace is extended."""
    with trace.graph.inserting_after(source):
        product = trace.graph.call_function(torch.ops.aten.mul.Tensor, (source, factor))
    with source.meta["val"].fake_mode, torch.no_grad():
        product.meta = {**source.meta, "val": source.meta["val"] * factor.meta["val"]}
    source.replace_all_uses_with(product, delete_user_cb=lambda user: user is not product)

    def replaced(node: fx.Node) -> fx.Node:
        return product if node is source else node

    return replace(
        trace,
        names={**trace.names, factor: name},
        calls={call: replaced(node) for call, node in trace.calls.items()},
        overwritten=tuple((replaced(before), replaced(after)) for before, after in trace.overwritten),
        added=trace.added | {product},
        views={replaced(node): view for node, view in trace.views.items()},
        scaled={**{node: replaced(scaled) for node, scaled in trace.scaled.items()}, source: product},
    )
