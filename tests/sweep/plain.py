"""The plain model with forward hooks: the truth that the engine is compared with."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from deconvwidgets.records.layers import LayerInfo
from tests.engine.map_order import as_map


class _Rectify(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, func: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        return func(x.clone(), *args, **kwargs)

    @staticmethod
    def backward(ctx: Any, *signals: Tensor) -> Any:
        return signals[0].clamp(min=0), None, None, None


class _RectifiedSignal(torch.overrides.TorchFunctionMode):
    """Makes rectifiers rectify the signal, whatever the sign of the forward value."""

    NAMES = ("relu", "relu_", "relu6", "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "clamp", "prelu")

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        if getattr(func, "__name__", "") in self.NAMES and isinstance(args[0], Tensor) and args[0].requires_grad:
            with torch._C.DisableTorchFunction():
                return _Rectify.apply(args[0], func, args[1:], kwargs or {})
        return func(*args, **(kwargs or {}))


class _Stop(Exception):  # noqa: N818 - control flow
    pass


class Plain:
    """A copy of a model with forward hooks: the truth that the engine is compared with.

    Outputs that hold maps in another order of axes are rearranged to the sizes that `infos` states.
    """

    def __init__(self, model: nn.Module, infos: Sequence[LayerInfo] = ()) -> None:
        self.model = copy.deepcopy(model)
        self.infos = {info.name: info for info in infos}
        self._count: Counter[str] = Counter()
        self._maps: dict[str, Tensor] = {}
        self._last: str | None = None
        for name, module in self.model.named_modules():
            if name:
                module.register_forward_hook(self._hook_of(name))

    def maps(self, batch: Tensor, last: str | None = None) -> tuple[dict[str, Tensor], Any]:
        """Return the outputs of all module calls up to `last` ("relu#2" for the second call of a module), and the model's output."""
        self._count.clear()
        self._maps, self._last = {}, last
        try:
            output = self.model(batch.clone())
        except _Stop:
            output = None
        return self._maps, output

    def _hook_of(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            self._count[name] += 1
            call = name if self._count[name] == 1 else f"{name}#{self._count[name]}"
            if isinstance(output, Tensor):
                copied = output.clone()  # later operations may work in place
                self._maps[call] = as_map(copied, self.infos[call]) if call in self.infos else copied
            if call == self._last:
                raise _Stop

        return hook

    def signal(self, batch: Tensor, layer: str, unit: int, at: list[list[int]], rectified: bool = False) -> Tensor:
        """Return the derivative of one activation of each image with respect to the pixels."""
        leaf = batch.clone().requires_grad_()
        with _RectifiedSignal() if rectified else torch.enable_grad():
            value = self.maps(leaf, layer)[0][layer]
            value = value if value.dim() == 4 else value[:, :, None, None]
            total = sum(value[number, unit, row, column] for number, (row, column) in enumerate(at))
            return torch.autograd.grad(total, leaf)[0]
