"""Models that cannot be followed: the layers that one forward pass shows, by its module calls."""

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
    """One call of one module: the `number`-th of that module (from 1), and the shape of its output with batch size 1."""

    module: str
    number: int
    kind: str
    shape: tuple[int, ...]
    alias: str | None = None
    features: bool = False  # a convolution's map

    @property
    def name(self) -> str:
        """The dotted name, with #number from the second call on."""
        return self.module if self.number == 1 else f"{self.module}#{self.number}"


def layers_of_calls(model: nn.Module, example: Tensor) -> list[Layer]:
    """Return the layers of a model that cannot be traced, in order of execution."""
    layers = []
    for call in list_calls(model, example):
        height, width = call.shape[2:] if len(call.shape) == 4 else (1, 1)
        info = LayerInfo(call.name, call.alias, call.kind, call.shape[1], height, width, None, None, None)
        layers.append(Layer(info, call.features, call=(call.module, call.number)))
    return layers


def list_calls(model: nn.Module, example: Tensor) -> list[ModuleCall]:
    """The module calls whose output is one tensor (1, C, H, W) or (1, C), in order. Aliases are found by following tensors from a
    convolution to the rectifier *module* called on them next. A functional rectifier is not seen here, so a convolution or linear layer
    without such a module after it gets no alias: convN would mean another map than in a model that can be followed."""
    calls: list[ModuleCall] = []
    tensors: list[tuple[Tensor, Tensor]] = []  # input and output of each call, kept alive so that identity means something
    count: dict[str, int] = {}

    def watch(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def seen(module: nn.Module, args: Any, output: Any) -> None:
            count[name] = count.get(name, 0) + 1
            if isinstance(output, Tensor) and output.dim() in (2, 4) and args and isinstance(args[0], Tensor):
                calls.append(ModuleCall(name, count[name], type(module).__name__, tuple(output.shape)))
                tensors.append((args[0], output))

        return seen

    modules = dict(model.named_modules())
    handles = [module.register_forward_hook(watch(name)) for name, module in modules.items() if name]
    try:
        with torch.no_grad():
            model(example)
    finally:
        for handle in handles:
            handle.remove()
    return _with_aliases(calls, tensors, modules)


def _with_aliases(calls: list[ModuleCall], tensors: list[tuple[Tensor, Tensor]], modules: dict[str, nn.Module]) -> list[ModuleCall]:
    named = list(calls)

    def directly_after(place: int, kinds: tuple[type[nn.Module], ...]) -> int | None:
        for later in range(place + 1, len(calls)):
            if tensors[later][0] is tensors[place][1] and isinstance(modules[calls[later].module], kinds):
                return later
        return None

    def activated(place: int) -> int:
        if (rectifier := directly_after(place, ops.RECTIFIER_MODULES)) is not None:
            return rectifier
        through = directly_after(place, ops.MODULES_BETWEEN_CONVOLUTION_AND_RECTIFIER)
        return place if through is None else activated(through)

    number = 0
    for kinds, prefix in ((nn.Conv2d, "conv"), (nn.Linear, "fc")):
        for place, call in enumerate(calls):
            if not isinstance(modules[call.module], kinds):
                continue
            number += 1
            features = activated(place)
            named[features] = replace(named[features], features=prefix == "conv")
            if not isinstance(modules[calls[features].module], ops.RECTIFIER_MODULES):
                continue
            named[features] = replace(named[features], alias=f"{prefix}{number}")
            pooled = directly_after(features, ops.POOLING_MODULES) if prefix == "conv" else None
            if pooled is not None:
                named[pooled] = replace(named[pooled], alias=f"pool{number}")
    return named


class _Enough(Exception):  # noqa: N818 - control flow: every layer has been seen, the rest of the forward pass is not needed
    pass


def visit_modules(model: nn.Module, batch: Tensor, calls: Mapping[str, tuple[str, int]], visit: Callable[[str, Tensor], None]) -> None:
    """Call `visit` with the maps of a model that cannot be followed: `calls` maps each name to (module name, which call of it, from 1).

    Raises LayerError for a module that the forward pass never called, or not that often.
    """
    waiting = {call: name for name, call in calls.items()}
    count: dict[str, int] = {}
    modules = dict(model.named_modules())

    def watch(module_name: str) -> Callable[[nn.Module, Any, Any], None]:
        def seen(module: nn.Module, args: Any, output: Any) -> None:
            count[module_name] = number = count.get(module_name, 0) + 1
            name = waiting.pop((module_name, number), None)
            if name is not None:
                if not isinstance(output, Tensor):
                    raise LayerError(f"Layer '{name}' does not give one tensor but {type(output).__name__}; choose one of its parts.")
                visit(name, output)
            if not waiting:
                raise _Enough

        return seen

    handles = [modules[module_name].register_forward_hook(watch(module_name)) for module_name in {call[0] for call in waiting}]
    try:
        model(batch)
    except _Enough:
        pass
    finally:
        for handle in handles:
            handle.remove()
    if waiting:
        raise LayerError(f"The forward pass never reached {', '.join(sorted(waiting.values()))}.")
