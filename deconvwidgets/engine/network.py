"""A model prepared for the engine: its layers by all their names, their receptive fields, and forward passes up to them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from deconvwidgets.engine.digests import model_digest, node_digest
from deconvwidgets.engine.executor import Executor
from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.hook_runner import visit_calls
from deconvwidgets.engine.input_kind import check_eval_mode, check_input_kind, checked_size
from deconvwidgets.engine.layers import Layer, convolution_names
from deconvwidgets.engine.model_copy import unwrapped
from deconvwidgets.engine.notes import notes_on_running
from deconvwidgets.engine.projection.local import LocalPlan, plan_local
from deconvwidgets.engine.structure import Size, Structure, structure_of
from deconvwidgets.engine.unknown_layer import unknown_layer
from deconvwidgets.records.geometry import Box
from deconvwidgets.records.layers import LayerInfo


class Network:
    """A model, traced for one input size. Make it with `Network.of`.

    Attributes
    ----------
    model : nn.Module
        The model, which is left unchanged. Its parameters may change: they are read whenever it runs.
    input_size : (int, int, int)
        (C, H, W).
    """

    def __init__(self, model: nn.Module, input_size: Size, structure: Structure) -> None:
        self.model = model
        self.input_size = input_size
        self._structure = structure

    @classmethod
    def of(cls, model: nn.Module, input_size: Sequence[int]) -> Network:
        """Trace a model, unless it was traced for that size before and its structure, hooks and modes are the same.

        Parameters
        ----------
        model : nn.Module
            A model in eval mode. Of models in torch.compile or DataParallel, the model inside is traced.
        input_size : sequence of int
            (C, H, W).

        Returns
        -------
        Network
            If torch.export cannot trace the model, a network without graph, whose layers are module calls.

        Raises
        ------
        ModelError
            If a batch norm or dropout module is in training mode, if the model rejects inputs of that size, or if it is a TorchScript
            module.
        """
        size, inner = checked_size(input_size), unwrapped(model)
        check_input_kind(inner, type(inner).__name__)
        check_eval_mode(inner)
        return cls(inner, size, structure_of(inner, size))

    def __eq__(self, other: object) -> bool:
        """Return whether another Network is of the same model and the same trace."""
        return isinstance(other, Network) and self.model is other.model and self._structure is other._structure

    def __hash__(self) -> int:
        return hash((id(self.model), id(self._structure)))

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        return Network(copy.deepcopy(self.model, memo), self.input_size, self._structure)

    def __reduce__(self) -> tuple[Any, ...]:
        return Network.of, (self.model, self.input_size)  # a graph is not pickled: the copy traces its own model

    @property
    def traced(self) -> bool:
        """Whether the model could be traced. Receptive fields and local projections require it."""
        return self._structure.graph is not None

    @property
    def reason(self) -> str | None:
        """Why the model cannot be traced; None if it is traced."""
        return self._structure.reason

    @property
    def graph(self) -> Graph | None:
        """The model's classified operations, checked against the model; None if it cannot be traced."""
        self._structure.check(self.model, self.input_size)
        return self._structure.graph

    @property
    def single(self) -> bool:
        """Whether a batch is run image by image, because its images would affect each other."""
        self._structure.check(self.model, self.input_size)
        return self._structure.single

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages to the user about how the model is run."""
        graph = self.graph
        return notes_on_running(graph, self.reason, self.single)

    def node(self, layer: str) -> fx.Node | None:
        """Return the node of a layer; None if the model cannot be traced."""
        return self._find(layer).node

    @property
    def layers(self) -> list[LayerInfo]:
        """The layers, in order of execution."""
        return [layer.info for layer in self._structure.layers.values()]

    @property
    def feature_map_layers(self) -> list[LayerInfo]:
        """The maps of the convolutions; if the model has none, all layers with maps."""
        maps = [layer.info for layer in self._structure.layers.values() if layer.is_feature_map]
        return maps or [info for info in self.layers if info.receptive_field is not None or info.height > 1]

    @property
    def fully_connected_layers(self) -> list[LayerInfo]:
        """The vectors (N, C) of the fully connected layers, after the activation that directly follows each."""
        return [layer.info for layer in self._structure.layers.values() if layer.is_fully_connected]

    def layer(self, name: str) -> LayerInfo:
        """Return the layer of a dotted name or an alias. Raises LayerError, with the closest names, if there is none."""
        return self._find(name).info

    def map_layers(self) -> list[LayerInfo]:
        """Return all layers with maps (N, C, H, W), in order of execution."""
        return [layer.info for layer in self._structure.layers.values() if layer.has_maps]

    def other_names(self) -> dict[str, list[str]]:
        """Return the other dotted names of layers: {"layer4.1.relu#2": ["layer4.1", "layer4"]}, without aliases."""
        names: dict[str, list[str]] = {}
        for name, layer in self._structure.names.items():
            if name not in (layer, self._structure.layers[layer].info.alias):
                names.setdefault(layer, []).append(name)
        return names

    def convolution_names(self) -> dict[str, str]:
        """Return the dotted names of the convolutions by the aliases of their feature maps; none if the model cannot be traced."""
        return {} if self._structure.graph is None else convolution_names(self._structure.graph)

    def box(self, layer: str, row: int, column: int) -> Box:
        """Return the receptive field of a unit at a position.

        It is the whole input if the receptive field is unknown or not smaller than the input.

        Parameters
        ----------
        layer : str
            Dotted name or alias.
        row, column : int
            Position in the feature map. Positions outside it are not refused.

        Returns
        -------
        (int, int, int, int)
            (left, top, right, bottom) in input pixels, half-open. It may extend beyond the input.

        Raises
        ------
        LayerError
            If there is no such layer.
        """
        info = self.layer(layer)
        if not self._has_crop(info):
            return (0, 0, self.input_size[2], self.input_size[1])
        assert info.receptive_field is not None
        assert info.stride is not None
        assert info.offset is not None
        top, left = info.offset[0] + row * info.stride[0], info.offset[1] + column * info.stride[1]
        return (left, top, left + info.receptive_field[1], top + info.receptive_field[0])

    def visit(self, batch: Tensor, layers: Iterable[str], visitor: Callable[[str, Tensor], None]) -> None:
        """Run a forward pass up to the last of the given layers.

        Parameters
        ----------
        batch : Tensor (N, C, H, W)
        layers : iterable of str
            Dotted names or aliases.
        visitor : callable
            Called as `visitor(name, map)` with each map (N, C, h, w) or (N, C) as soon as it is computed. It must copy what it keeps: a
            later in-place operation may overwrite the map.

        Raises
        ------
        LayerError
            If there is no such layer.
        """
        graph, names = self.graph, list(dict.fromkeys(layers))
        found = {name: self._find(name) for name in names}
        if self.single and len(batch) > 1:
            maps: dict[str, list[Tensor]] = {}
            for image in batch[:, None]:
                self._visit(graph, image, found, lambda name, value: maps.setdefault(name, []).append(value.clone()))
            for name, parts in maps.items():
                visitor(name, torch.cat(parts))
        else:
            self._visit(graph, batch, found, visitor)

    def _visit(self, graph: Graph | None, batch: Tensor, found: dict[str, Layer], visitor: Callable[[str, Tensor], None]) -> None:
        names: dict[Any, list[str]] = {}  # several names may be those of one layer
        for name, layer in found.items():
            names.setdefault(layer.info.name if graph is None else layer.node, []).append(name)

        def visit_names(key: Any, value: Tensor) -> None:
            for name in names.get(key, ()):
                visitor(name, value)

        if graph is None:
            visit_calls(self.model, batch, names, visit_names)
            return
        for operation, value in Executor(graph, graph.ancestors(names), graph.trace.bind(self.model)).execute(batch):
            visit_names(operation.node, value)

    def map(self, batch: Tensor, layer: str) -> Tensor:
        """Return the map of a layer (N, C, h, w), or (N, C, 1, 1) if it is fully connected. Raises LayerError if there is no such layer."""
        maps: list[Tensor] = []
        self.visit(batch, [layer], lambda name, value: maps.append(value))
        return maps[0] if maps[0].dim() == 4 else maps[0][:, :, None, None]

    def plan(self, layer: str) -> LocalPlan | None:
        """Return how to compute a layer on receptive-field crops; None if its receptive field is unknown or not smaller than the input."""
        graph, found, plans = self.graph, self._find(layer), self._structure.plans
        name = found.info.name
        if name not in plans:
            possible = graph is not None and found.node is not None and not self.single and self._has_crop(found.info)
            plans[name] = plan_local(graph, found.node) if possible and graph and found.node else None
        return plans[name]

    def digest(self, layer: str) -> str:
        """Return the SHA-256 (hexadecimal) of everything that decides a layer's values.

        That is the operations up to it, with their settings, connections, parameters and buffers; for a model that cannot be traced, all
        modules with their source and parameters.
        """
        graph, found = self.graph, self._find(layer)
        if graph is None or found.node is None:
            return model_digest(self.model, found.info.name)
        return node_digest(graph.trace, self.model, found.node)

    def _has_crop(self, info: LayerInfo) -> bool:
        field = info.receptive_field
        return field is not None and field[0] < self.input_size[1] and field[1] < self.input_size[2]

    def _find(self, name: str) -> Layer:
        layers, names = self._structure.layers, self._structure.names
        found = layers.get(names.get(name, name))
        if found is None:
            raise unknown_layer(name, list(dict.fromkeys([*(info.alias for info in self.layers if info.alias), *layers, *names])))
        return found


def describe_layers(model: nn.Module | Network, input_size: Sequence[int] = (3, 224, 224)) -> list[LayerInfo]:
    """Return every layer of a model with its size and receptive field.

    Parameters
    ----------
    model : nn.Module or Network
        A model in eval mode.
    input_size : sequence of int
        (C, H, W). Ignored for a Network, which has its own.

    Returns
    -------
    list of LayerInfo
        In order of execution. Names are module names ("features.10", "layer1.0.relu#2" for the second call of a module). Aliases are the
        paper's (conv1, ..., conv5, pool5, fc6). Receptive fields are in input pixels.

    Raises
    ------
    ModelError
        If a batch norm or dropout module is in training mode, or if the model rejects inputs of that size.

    Examples
    --------
    >>> from torch import nn
    >>> from deconvwidgets import engine
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(8, 16, 3), nn.ReLU()).eval()
    >>> for info in engine.describe_layers(model, (3, 64, 64)):
    ...     print(info.name, info.alias, info.kind, (info.channels, info.height, info.width), info.receptive_field)
    0 None conv (8, 60, 60) (5, 5)
    1 conv1 ReLU (8, 60, 60) (5, 5)
    2 pool1 pool (8, 29, 29) (7, 7)
    3 None conv (16, 27, 27) (11, 11)
    4 conv2 ReLU (16, 27, 27) (11, 11)
    """
    return (model if isinstance(model, Network) else Network.of(model, input_size)).layers
