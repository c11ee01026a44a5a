"""Models that cannot be traced: their layers are the module calls that forward hooks see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from deconvwidgets.engine.hook_runner import run_with_hooks
from deconvwidgets.engine.layers import Layer
from deconvwidgets.engine.ops import Role, op_of_module
from deconvwidgets.records.layers import LayerInfo


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """One call of a module.

    Parameters
    ----------
    name : str
        The module's name, with "#2" for its second call.
    kind : str
        The module's class.
    role : str or None
        What its operation is in the names of layers; see `ops.Op`.
    shape : tuple of int
        Shape of the output for a batch of one image.
    alias : str, optional
        The paper's name ("conv1").
    is_feature_map : bool
        Whether the output is the map of a convolution.
    is_fully_connected : bool
        Whether the output is the vector of a linear layer.
    """

    name: str
    kind: str
    role: Role | None
    shape: tuple[int, ...]
    alias: str | None = None
    is_feature_map: bool = False
    is_fully_connected: bool = False


def layers_of_calls(model: nn.Module, example: Tensor) -> list[Layer]:
    """Return the layers of a model that cannot be traced, in order of execution."""
    layers = []
    for call in list_calls(model, example):
        height, width = call.shape[2:] if len(call.shape) == 4 else (1, 1)
        info = LayerInfo(call.name, call.alias, call.kind, call.shape[1], height, width, None, None, None)
        layers.append(Layer(info, call.is_feature_map, has_maps=len(call.shape) == 4, is_fully_connected=call.is_fully_connected))
    return layers


def list_calls(model: nn.Module, example: Tensor) -> list[ModuleCall]:
    """Return the module calls whose output is one tensor (1, C, H, W) or (1, C), in order of execution.

    A call gets an alias if it is a rectifier module that directly follows a convolution or linear layer. Functional rectifiers are not
    seen: a layer without a rectifier module gets no alias, because convN would be another map than in a traced model.
    """
    calls: list[ModuleCall] = []
    tensors: list[tuple[Tensor, Tensor]] = []  # input and output of each call, kept alive so that tensors can be compared by identity

    def add_call(name: str, module: nn.Module, args: tuple[Any, ...], output: Any) -> bool:
        if isinstance(output, Tensor) and output.dim() in (2, 4) and args and isinstance(args[0], Tensor) and _is_of_images(module, output):
            calls.append(ModuleCall(name, type(module).__name__, op_of_module(module).role, tuple(output.shape)))
            tensors.append((args[0], output))
        return False

    with torch.no_grad():
        run_with_hooks(model, example, add_call)
    return _with_aliases(calls, tensors)


def _is_of_images(module: nn.Module, output: Tensor) -> bool:
    """Return whether an output for one image is its maps (1, C, H, W) or vector (1, C), as far as the module tells."""
    features_last = isinstance(module, nn.Linear) or (isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1)
    return len(output) == 1 and not (features_last and output.dim() == 4)


def _with_aliases(calls: list[ModuleCall], tensors: list[tuple[Tensor, Tensor]]) -> list[ModuleCall]:
    result = list(calls)

    def next_call(index: int, *roles: Role) -> int | None:
        """Return the index of the call of such a module that reads the output of call `index`."""
        for later in range(index + 1, len(calls)):
            if tensors[later][0] is tensors[index][1] and calls[later].role in roles:
                return later
        return None

    def after_activation(index: int) -> int:
        if (activation := next_call(index, "rectifier", "activation")) is not None:
            return activation
        between = next_call(index, "batch norm", "transparent")
        return index if between is None else after_activation(between)

    number = 0
    for role, prefix in (("convolution", "conv"), ("linear", "fc")):
        for index, call in enumerate(calls):
            if call.role != role:
                continue
            number += 1
            activated = after_activation(index)
            is_vector = prefix == "fc" and len(call.shape) == 2
            result[activated] = replace(result[activated], is_feature_map=prefix == "conv", is_fully_connected=is_vector)
            if calls[activated].role not in ("rectifier", "activation"):
                continue
            result[activated] = replace(result[activated], alias=f"{prefix}{number}")
            pooled = next_call(activated, "pooling") if prefix == "conv" else None
            if pooled is not None:
                result[pooled] = replace(result[pooled], alias=f"pool{number}")
    return result
