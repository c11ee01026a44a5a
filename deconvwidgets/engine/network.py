"""A model made ready for the microscope: its layers under all their names, their receptive fields, and how to run up to them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence

from torch import Tensor, fx, nn

from deconvwidgets.engine.digests import model_digest, node_digest
from deconvwidgets.engine.graph import Graph, follow
from deconvwidgets.engine.layers import Layer, find_aliases, layers_of_graph
from deconvwidgets.engine.module_calls import layers_of_calls, visit_modules
from deconvwidgets.engine.projection.local import LocalPlan, plan_local
from deconvwidgets.engine.tracing import example_batch, run_once
from deconvwidgets.errors import GraphError, LayerError, ModelError
from deconvwidgets.records.geometry import Box
from deconvwidgets.records.layers import LayerInfo

Size = tuple[int, int, int]


class Network:
    """A model, followed once for one input size (C, H, W). Keep it: following costs a forward pass or two.

    `followed` says whether the model's graph could be followed; `reason` says in words why not. Nothing of the model is changed.
    """

    def __init__(self, model: nn.Module, input_size: Size, graph: Graph | None, reason: str | None, layers: Sequence[Layer]) -> None:
        self.model = model
        self.input_size = input_size
        self.reason = reason
        self._graph = graph
        self._layers = {layer.info.name: layer for layer in layers}
        self._names = dict(self._other_names())
        self._plans: dict[str, LocalPlan | None] = {}

    @classmethod
    def of(cls, model: nn.Module, input_size: Sequence[int]) -> Network:
        """Follow `model` for inputs of (C, H, W). Raises ModelError for a model in training mode or one that rejects the size."""
        size = (int(input_size[0]), int(input_size[1]), int(input_size[2]))
        _refuse_training(model)
        example = example_batch(model, size)
        own = run_once(model, example)
        try:
            graph = follow(model, example.clone(), own)
        except GraphError as error:
            return cls(model, size, None, str(error), layers_of_calls(model, example))
        return cls(model, size, graph, None, layers_of_graph(graph))

    @property
    def traced(self) -> bool:
        """Whether the graph could be followed: receptive fields and local projections need it."""
        return self._graph is not None

    @property
    def graph(self) -> Graph | None:
        """The model as typed operations; None where it could not be followed."""
        return self._graph

    def node(self, layer: str) -> fx.Node | None:
        """The operation that gives the layer; None where the model could not be followed."""
        return self._find(layer).node

    @property
    def layers(self) -> list[LayerInfo]:
        """All layers, in order of execution."""
        return [layer.info for layer in self._layers.values()]

    @property
    def explorer_layers(self) -> list[LayerInfo]:
        """The convN maps; where the model has none, every layer that has maps."""
        maps = [layer.info for layer in self._layers.values() if layer.features]
        return maps or [info for info in self.layers if info.receptive_field is not None or info.height > 1]

    def layer(self, name: str) -> LayerInfo:
        """The layer of a dotted name or an alias. Raises LayerError with the closest names for an unknown one."""
        return self._find(name).info

    def box(self, layer: str, row: int, column: int) -> Box:
        """What the unit at (row, column) sees, in input pixels: its receptive field, which may pass the border, or the whole input
        where the receptive field is not smaller than that, or unknown."""
        info = self.layer(layer)
        if not self._has_crop(info):
            return (0, 0, self.input_size[2], self.input_size[1])
        assert info.receptive_field is not None
        assert info.stride is not None
        assert info.offset is not None
        top, left = info.offset[0] + row * info.stride[0], info.offset[1] + column * info.stride[1]
        return (left, top, left + info.receptive_field[1], top + info.receptive_field[0])

    def visit(self, batch: Tensor, layers: Iterable[str], visit: Callable[[str, Tensor], None]) -> None:
        """One forward pass on `batch` (N, C, H, W), stopping at the deepest of `layers`; `visit(name, map)` is called with each
        map (N, C, H, W) or (N, C) as soon as it is computed, and must not keep it: it may be overwritten later."""
        found = {name: self._find(name) for name in layers}
        if self._graph is not None:
            self._graph.visit(batch, {name: layer.node for name, layer in found.items() if layer.node is not None}, visit)
        else:
            visit_modules(self.model, batch, {name: layer.call for name, layer in found.items() if layer.call is not None}, visit)

    def map(self, batch: Tensor, layer: str) -> Tensor:
        """One layer's map (N, C, H, W), or (N, C, 1, 1) for a fully connected layer."""
        maps: list[Tensor] = []
        self.visit(batch, [layer], lambda name, value: maps.append(value))
        return maps[0] if maps[0].dim() == 4 else maps[0][:, :, None, None]

    def plan(self, layer: str) -> LocalPlan | None:
        """How to compute the layer on receptive-field crops; None where that is impossible or the field is not smaller than the input."""
        found = self._find(layer)
        name = found.info.name
        if name not in self._plans:
            possible = self._graph is not None and found.node is not None and self._has_crop(found.info)
            self._plans[name] = plan_local(self._graph, found.node) if possible and self._graph and found.node else None
        return self._plans[name]

    def digest(self, layer: str) -> str:
        """sha256 (hex) of everything that decides the layer's values: operations with their settings and wiring, parameters and buffers
        up to it. For a model that cannot be followed: of all modules, their source where it can be read, and all parameters."""
        found = self._find(layer)
        if self._graph is None or found.node is None:
            return model_digest(self.model, found.info.name)
        return node_digest(self._graph.trace, self._graph.modules, found.node)

    def _has_crop(self, info: LayerInfo) -> bool:
        field = info.receptive_field
        return field is not None and field[0] < self.input_size[1] and field[1] < self.input_size[2]

    def _find(self, name: str) -> Layer:
        found = self._layers.get(self._names.get(name, name))
        if found is None:
            known = list(dict.fromkeys([*(info.alias for info in self.layers if info.alias), *self._layers, *self._names]))
            close = (
                difflib.get_close_matches(str(name), known, n=4) or difflib.get_close_matches(str(name).lower(), known, n=4) or known[:6]
            )
            raise LayerError(
                f"The model has no layer '{name}'. Did you mean {', '.join(close)}? "
                "dw.engine.describe_layers(bundle.model, bundle.input_size) lists them all."
            )
        return found

    def _other_names(self) -> Iterable[tuple[str, str]]:
        by_node = {layer.node: name for name, layer in self._layers.items() if layer.node is not None}
        if self._graph is not None:
            for call, node in self._graph.calls.items():
                if node in by_node:
                    yield call, by_node[node]
            for alias, node in find_aliases(self._graph).items():
                if node in by_node:
                    yield alias, by_node[node]
        for name, layer in self._layers.items():
            if layer.info.alias is not None:
                yield layer.info.alias, name


def describe_layers(model: nn.Module | Network, input_size: Sequence[int] = (3, 224, 224)) -> list[LayerInfo]:
    """Every layer of the model for inputs (C, H, W), in order of execution, with its receptive field in input pixels.

    Names are module names ("features.10", "layer1.0.relu#2" for the second call of a module); aliases are the paper's (conv1 ... conv5,
    pool5, fc6). Raises ModelError for a model in training mode or one that cannot take the size.
    """
    return (model if isinstance(model, Network) else Network.of(model, input_size)).layers


def _refuse_training(model: nn.Module) -> None:
    stateful = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
    for name, module in model.named_modules():
        if module.training and isinstance(module, stateful):
            raise ModelError(
                f"'{name or type(module).__name__}' is in training mode: its output is random or changes it. Call model.eval() first."
            )
