"""Linear layers with rectifiers between them above a layer, as in AlexNet and VGG: the outputs for many changes of one unit each.

Switching a unit off subtracts its columns from the first linear layer's sums. Of the later layers only what rectified values above zero
feed is multiplied: the others add nothing. The outputs are those of the model, up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, fx, nn

from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.linear_paths import path_of
from deconvwidgets.engine.subgraph import Subgraph


@dataclass(frozen=True)
class LinearTower:
    """Linear layers above a layer. Make it with `find_linear_tower`.

    Parameters
    ----------
    pooling : Subgraph
        From the layer to the features (N, C * P), which keep its units apart.
    model : nn.Module
    columns : Tensor (C, P, H)
        The weights of the first linear layer, by units.
    bias : Tensor (H,)
        Its bias.
    layers : tuple of (Tensor (H, H'), Tensor (H',))
        The transposed weights and the biases of the later ones; before each there is a rectifier.
    """

    pooling: Subgraph = field(repr=False)
    model: nn.Module = field(repr=False)
    columns: Tensor = field(repr=False)
    bias: Tensor = field(repr=False)
    layers: tuple[tuple[Tensor, Tensor], ...] = field(repr=False)

    def features(self, maps: Tensor) -> Tensor:
        """Return the features (N, C, P) for the layer's maps (N, C, H, W)."""
        (node,) = self.pooling.sources
        (values,) = self.pooling.run(self.model, {node: maps})
        features: Tensor = values.reshape(len(maps), self.columns.shape[0], -1)
        return features

    def changes(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sums of the first linear layer (N, H), and what each unit adds to them (N, H, C), for features (N, C, P)."""
        parts = torch.bmm(features.transpose(0, 1), self.columns)
        return parts.sum(dim=0) + self.bias, parts.permute(1, 2, 0).contiguous()

    def outputs(self, sums: Tensor) -> Tensor:
        """Return the outputs (B, K) for sums (H, B) of the first linear layer, which are overwritten."""
        values = sums
        for weight, bias in self.layers:
            values = values.relu_()
            used = values.amax(dim=1).nonzero().flatten()
            if len(used) < _WORTH_GATHERING * len(weight):
                values, weight = values.index_select(0, used), weight.index_select(0, used)
            values = torch.mm(weight.T, values).add_(bias[:, None])
        return values.T


_WORTH_GATHERING = 0.7  # of the rows of a matrix: copying them costs as much as a few multiplications


def find_linear_tower(graph: Graph, model: nn.Module, layer: fx.Node, output: fx.Node) -> LinearTower | None:
    """Return the linear layers above a layer, if nothing else but pooling of each unit and rectifiers stands between it and the output."""
    between = Subgraph.between(graph, [layer], [output])
    dependent = between.dependent()
    if output not in dependent or between.other_inputs():
        return None
    path = path_of(graph, dependent, layer)
    features = path[-1].node if path else layer
    pooling = Subgraph.between(graph, [layer], [features])
    if path and _has_features_of_zeros(pooling, model, layer):
        return None  # by batch norm or padding with other values than 0: the columns of a unit would have to keep them
    linear = _linear_layers(graph, model, dependent, features, output)
    if linear is None or len(linear) < 2:
        return None
    channels = (graph.operations[layer].shape or (0, 0))[1]
    weight, bias = linear[0]
    columns = weight.reshape(len(weight), channels, -1).permute(1, 2, 0).contiguous()
    return LinearTower(
        pooling,
        model,
        columns,
        bias,
        tuple((weight.T.contiguous(), bias) for weight, bias in linear[1:]),
    )


def _has_features_of_zeros(pooling: Subgraph, model: nn.Module, layer: fx.Node) -> bool:
    """Return whether what is pooled of maps of zeros is not zero."""
    value: Tensor = layer.meta["val"]
    reference = next(iter(pooling.graph.trace.bind(model).values()))
    with torch.no_grad():
        (features,) = pooling.run(model, {layer: torch.zeros(1, *value.shape[1:], dtype=value.dtype, device=reference.device)})
    return bool(features.any())


def _linear_layers(
    graph: Graph, model: nn.Module, dependent: set[fx.Node], node: fx.Node, output: fx.Node
) -> list[tuple[Tensor, Tensor]] | None:
    """Return weights and biases of the linear layers between two nodes, if a rectifier and nothing else is between each two; else None."""
    bound, found, rectified = graph.trace.bind(model), list[tuple[Tensor, Tensor]](), True
    while node is not output:
        users = [user for user in node.users if user in dependent]
        if len(users) != 1:
            return None
        node = users[0]
        operation = graph.operations[node]
        if operation.op.role == "linear":
            parameters = [bound.get(argument) for argument in node.args[1:] if isinstance(argument, fx.Node)]
            if not rectified or len(parameters) != 2 or parameters[0] is None or parameters[1] is None:
                return None
            found.append((parameters[0].detach(), parameters[1].detach()))
            rectified = False
        elif operation.name == "relu":
            rectified = True
        elif operation.op.role != "transparent":
            return None
    return None if rectified else found
