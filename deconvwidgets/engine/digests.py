"""Digests of layers. They tell whether an activation index or a head belongs to a model, whatever file its weights were read from."""

from __future__ import annotations

import hashlib
import inspect
from typing import Any

import torch
from torch import Tensor, fx, nn

from deconvwidgets.engine.ops import node_name
from deconvwidgets.engine.tracing import Trace, required_nodes
from deconvwidgets.engine.wrapped_model import WrappedModel

_INDECISIVE = ("device", "pin_memory", "layout", "cudnn_enabled", "allow_tf32")  # of ATen's schemas


def node_digest(trace: Trace, model: nn.Module, layer: fx.Node) -> str:
    """Return the digest of a layer of a traced model.

    It covers everything that decides the layer's values: the operations up to it, their settings and connections, their parameters and
    buffers. Later layers and the names of modules do not change it.

    Parameters
    ----------
    trace : Trace
    model : nn.Module
        The model whose parameters are covered.
    layer : fx.Node

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    hasher, numbers, parameters = hashlib.sha256(), dict[fx.Node, int](), trace.bind(model)
    for node in required_nodes(trace.graph.nodes, [layer]):
        numbers[node] = len(numbers)
        if node is trace.input_node:
            continue
        if node in parameters:
            _hash_tensor(hasher, "", parameters[node])
        elif node.op == "get_attr":
            hasher.update(str(getattr(trace.module, str(node.target)).code).encode())
        else:
            arguments = fx.node.map_arg((node.args, dict(node.kwargs)), lambda input_node: _NodeNumber(numbers[input_node]))
            hasher.update(f"{node_name(node)} {_decisive(node, *arguments)}".encode())
    return hasher.hexdigest()


def model_digest(model: nn.Module, layer: str) -> str:
    """Return the digest of a layer of a model that cannot be traced: it covers all modules, their source if available, and all weights."""
    changes: dict[str, Tensor] = {}
    while isinstance(model, WrappedModel):
        changes.update(model.changed_layers())
        model = model.original
    hasher = hashlib.sha256(f"{model!r} {_source(model)} {layer}".encode())
    for name, value in (*model.state_dict().items(), *sorted(changes.items())):
        _hash_state(hasher, name, value)
    return hasher.hexdigest()


def _hash_state(hasher: Any, name: str, value: Any) -> None:
    """Hash a value of a state dict: quantised modules have tuples of tensors, and types, among the tensors."""
    if isinstance(value, Tensor):
        _hash_tensor(hasher, name, value.dequantize() if value.is_quantized else value)
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            _hash_state(hasher, f"{name}.{number}", part)
    else:
        hasher.update(f"{name} {value!r}".encode())


class _NodeNumber(int):
    """An argument that is the output of the node of this number."""

    def __repr__(self) -> str:
        return f"%{int(self)}"


def _decisive(node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of an operation by name, with defaults, but for those that say how it is computed and where."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return {**{str(number): value for number, value in enumerate(args)}, **kwargs}
    defaults = {argument.name: argument.default_value for argument in schema.arguments}
    given = dict(zip(defaults, args, strict=False)) | kwargs
    return {name: value for name, value in (defaults | given).items() if name not in _INDECISIVE}


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
