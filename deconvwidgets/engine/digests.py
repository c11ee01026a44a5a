"""Digests of layers: what tells whether an index or a classifier belongs to a model, wherever its weights came from."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping

import torch
from torch import Tensor, fx, nn

from deconvwidgets.engine.ops import SETTINGS_NOT_IN_REPR, operation_name
from deconvwidgets.engine.tracing import Trace, WrappedModel, call_node, needed_for


def node_digest(trace: Trace, modules: Mapping[str, nn.Module], layer: fx.Node) -> str:
    """sha256 (hex) of everything that decides a layer's values: operations with their settings and wiring, parameters and buffers up to
    it. What lies above it, and what the modules are called, changes nothing."""
    hasher, numbers = hashlib.sha256(), dict[fx.Node, int]()
    for node in needed_for(trace.graph.nodes, [layer]):
        numbers[node] = len(numbers)
        if node.op == "placeholder":
            continue  # its name is the author's choice
        wiring = fx.node.map_arg((node.args, dict(node.kwargs)), lambda feeder: _Wire(numbers[feeder]))
        name = "" if node.op == "get_attr" else operation_name(node, modules)
        hasher.update(f"{name} {wiring}".encode())
        if node.op == "call_module":
            hasher.update(_settings(modules[str(node.target)]).encode())
            for key, value in modules[str(node.target)].state_dict().items():
                _hash_tensor(hasher, key, value)
        elif node.op == "get_attr":
            _hash_tensor(hasher, "", call_node(node, modules, (), {}))
    return hasher.hexdigest()


def model_digest(model: nn.Module, layer: str) -> str:
    """The same for a model that cannot be followed: of all its modules, their source where it can be read, and all parameters."""
    while isinstance(model, WrappedModel):
        model = model.original
    hasher = hashlib.sha256(f"{model!r} {_source(model)} {layer}".encode())
    for name, value in model.state_dict().items():
        _hash_tensor(hasher, name, value)
    return hasher.hexdigest()


class _Wire(int):
    """An argument that is the output of the operation of this number."""

    def __repr__(self) -> str:
        return f"%{int(self)}"


def _settings(module: nn.Module) -> str:
    """A module's settings in words, less what changes nothing of its values."""
    unsaid = [getattr(module, name, None) for name in SETTINGS_NOT_IN_REPR]
    return f"{module.extra_repr()} {unsaid}".replace(", inplace=True", "").replace("inplace=True", "")


def _source(model: nn.Module) -> str:
    """The source of the model's classes, where there is any to read."""
    texts = []
    for kind in sorted({type(module) for module in model.modules()}, key=lambda kind: kind.__qualname__):
        try:
            texts.append(inspect.getsource(kind))
        except (OSError, TypeError):  # typed into a prompt, or built in
            texts.append(kind.__qualname__)
    return "\n".join(texts)


def _hash_tensor(hasher: hashlib._Hash, name: str, value: Tensor) -> None:
    hasher.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
    hasher.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes() if value.dim() else str(value.item()).encode())
