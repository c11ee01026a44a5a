"""Digests of layers. They tell whether an activation index or a head belongs to a model, whatever file its weights were read from."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping

import torch
from torch import Tensor, fx, nn

from deconvwidgets.engine.ops import SETTINGS_NOT_IN_REPR, operation_name
from deconvwidgets.engine.tracing import Trace, WrappedModel, call_node, required_nodes


def node_digest(trace: Trace, modules: Mapping[str, nn.Module], layer: fx.Node) -> str:
    """Return the digest of a layer of a traced model.

    It covers everything that decides the layer's values: the operations up to it, their settings and connections, their parameters and
    buffers. Later layers and the names of modules do not change it.

    Parameters
    ----------
    trace : Trace
    modules : mapping of str to nn.Module
        The model's `named_modules()`.
    layer : fx.Node

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    hasher, numbers = hashlib.sha256(), dict[fx.Node, int]()
    for node in required_nodes(trace.graph.nodes, [layer]):
        numbers[node] = len(numbers)
        if node.op == "placeholder":
            continue  # the name of the argument does not matter
        arguments = fx.node.map_arg((node.args, dict(node.kwargs)), lambda input_node: _NodeNumber(numbers[input_node]))
        name = "" if node.op == "get_attr" else operation_name(node, modules)
        hasher.update(f"{name} {arguments}".encode())
        if node.op == "call_module":
            hasher.update(_settings(modules[str(node.target)]).encode())
            for key, value in modules[str(node.target)].state_dict().items():
                _hash_tensor(hasher, key, value)
        elif node.op == "get_attr":
            _hash_tensor(hasher, "", call_node(node, modules, (), {}))
    return hasher.hexdigest()


def model_digest(model: nn.Module, layer: str) -> str:
    """Return the digest of a layer of a model that cannot be traced: it covers all modules, their source if available, and all weights."""
    while isinstance(model, WrappedModel):
        model = model.original
    hasher = hashlib.sha256(f"{model!r} {_source(model)} {layer}".encode())
    for name, value in model.state_dict().items():
        _hash_tensor(hasher, name, value)
    return hasher.hexdigest()


class _NodeNumber(int):
    """An argument that is the output of the node of this number."""

    def __repr__(self) -> str:
        return f"%{int(self)}"


def _settings(module: nn.Module) -> str:
    """Return a module's settings, without `inplace`, which does not change its output."""
    not_in_repr = [getattr(module, name, None) for name in SETTINGS_NOT_IN_REPR]
    return f"{module.extra_repr()} {not_in_repr}".replace(", inplace=True", "").replace("inplace=True", "")


def _source(model: nn.Module) -> str:
    """Return the source of the model's classes, as far as it is available."""
    texts = []
    for kind in sorted({type(module) for module in model.modules()}, key=lambda kind: kind.__qualname__):
        try:
            texts.append(inspect.getsource(kind))
        except (OSError, TypeError):  # defined in a prompt, or built in
            texts.append(kind.__qualname__)
    return "\n".join(texts)


def _hash_tensor(hasher: hashlib._Hash, name: str, value: Tensor) -> None:
    hasher.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
    hasher.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes() if value.dim() else str(value.item()).encode())
