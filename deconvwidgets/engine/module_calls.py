"""Models that cannot be traced: their layers are the module calls that forward hooks see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from deconvwidgets.engine import ops
from deconvwidgets.engine.layers import Layer
from deconvwidgets.errors import LayerError
from deconvwidgets.records.layers import LayerInfo


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """One call of a module.

    Parameters
    ----------
    module : str
        The module's name.
    number : int
        The number of the call among those of this module, from 1.
    kind : str
        The module's class.
    shape : tuple of int
        Shape of the output for a batch of one image.
    alias : str, optional
        The paper's name ("conv1").
    is_feature_map : bool
        Whether the output is the map of a convolution.
    """

    module: str
    number: int
    kind: str
    shape: tuple[int, ...]
    alias: str | None = None
    is_feature_map: bool = False

    @property
    def name(self) -> str:
        """The module's name, with "#2" for its second call."""
        return self.module if self.number == 1 else f"{self.module}#{self.number}"


def layers_of_calls(model: nn.Module, example: Tensor) -> list[Layer]:
    """Return the layers of a model that cannot be traced, in order of execution."""
    layers = []
    for call in list_calls(model, example):
        height, width = call.shape[2:] if len(call.shape) == 4 else (1, 1)
        info = LayerInfo(call.name, call.alias, call.kind, call.shape[1], height, width, None, None, None)
        layers.append(Layer(info, call.is_feature_map, call=(call.module, call.number)))
    return layers


def list_calls(model: nn.Module, example: Tensor) -> list[ModuleCall]:
    """Return the module calls whose output is one tensor (1, C, H, W) or (1, C), in order of execution.

    A call gets an alias if it is a rectifier module that directly follows a convolution or linear layer. Functional rectifiers are not
    seen: a layer without a rectifier module gets no alias, because convN would be another map than in a traced model.
    """
    calls: list[ModuleCall] = []
    tensors: list[tuple[Tensor, Tensor]] = []  # input and output of each call, kept alive so that tensors can be compared by identity
    count: dict[str, int] = {}

    def make_hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            count[name] = count.get(name, 0) + 1
            if isinstance(output, Tensor) and output.dim() in (2, 4) and args and isinstance(args[0], Tensor):
                calls.append(ModuleCall(name, count[name], type(module).__name__, tuple(output.shape)))
                tensors.append((args[0], output))

        return hook

    modules = dict(model.named_modules())
    handles = [module.register_forward_hook(make_hook(name)) for name, module in modules.items() if name]
    try:
        with torch.no_grad():
            model(example)
    finally:
        for handle in handles:
            handle.remove()
    return _with_aliases(calls, tensors, modules)


def _with_aliases(calls: list[ModuleCall], tensors: list[tuple[Tensor, Tensor]], modules: dict[str, nn.Module]) -> list[ModuleCall]:
    result = list(calls)

    def next_call(index: int, kinds: tuple[type[nn.Module], ...]) -> int | None:
        """Return the index of the call of such a module that reads the output of call `index`."""
        for later in range(index + 1, len(calls)):
            if tensors[later][0] is tensors[index][1] and isinstance(modules[calls[later].module], kinds):
                return later
        return None

    def after_activation(index: int) -> int:
        if (rectifier := next_call(index, ops.RECTIFIER_MODULES)) is not None:
            return rectifier
        between = next_call(index, ops.MODULES_BETWEEN_CONVOLUTION_AND_RECTIFIER)
        return index if between is None else after_activation(between)

    number = 0
    for kinds, prefix in ((nn.Conv2d, "conv"), (nn.Linear, "fc")):
        for index, call in enumerate(calls):
            if not isinstance(modules[call.module], kinds):
                continue
            number += 1
            activated = after_activation(index)
            result[activated] = replace(result[activated], is_feature_map=prefix == "conv")
            if not isinstance(modules[calls[activated].module], ops.RECTIFIER_MODULES):
                continue
            result[activated] = replace(result[activated], alias=f"{prefix}{number}")
            pooled = next_call(activated, ops.POOLING_MODULES) if prefix == "conv" else None
            if pooled is not None:
                result[pooled] = replace(result[pooled], alias=f"pool{number}")
    return result


class _StopForward(Exception):  # noqa: N818 - control flow: all layers were visited, the rest of the forward pass is not needed
    pass


def visit_modules(model: nn.Module, batch: Tensor, calls: Mapping[str, tuple[str, int]], visitor: Callable[[str, Tensor], None]) -> None:
    """Run a model that cannot be traced up to the last of the given layers, as `Graph.visit` does for one that can.

    Parameters
    ----------
    model : nn.Module
    batch : Tensor (N, C, H, W)
    calls : mapping of str to (str, int)
        For each layer, the name of a module and the number of its call, from 1.
    visitor : callable
        Called as `visitor(name, value)` as soon as a layer is computed.

    Raises
    ------
    LayerError
        If the forward pass does not make one of these calls, or if a call does not return one tensor.
    """
    pending = {call: name for name, call in calls.items()}
    count: dict[str, int] = {}
    modules = dict(model.named_modules())

    def make_hook(module_name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            count[module_name] = number = count.get(module_name, 0) + 1
            name = pending.pop((module_name, number), None)
            if name is not None:
                if not isinstance(output, Tensor):
                    raise LayerError(f"Layer '{name}' returns {type(output).__name__}, not one tensor; choose one of its submodules.")
                visitor(name, output)
            if not pending:
                raise _StopForward

        return hook

    handles = [modules[module_name].register_forward_hook(make_hook(module_name)) for module_name in {call[0] for call in pending}]
    try:
        model(batch)
    except _StopForward:
        pass
    finally:
        for handle in handles:
            handle.remove()
    if pending:
        raise LayerError(f"The forward pass did not reach {', '.join(sorted(pending.values()))}.")
