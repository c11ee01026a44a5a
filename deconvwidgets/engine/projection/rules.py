"""The backward rules of a projection: deconvnet, guided and gradient.

Zeiler & Fergus 2014, section 2.1: unpool by the switches, rectify the signal, filter transposed. Autograd computes the transposes of
linear operations, and routes pooling by its switches, adding where windows overlap. So only rectifiers and local response normalisation
need a rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from deconvwidgets.engine.backward_checks import Call
from deconvwidgets.engine.ops import Op
from deconvwidgets.errors import RuleError

Rule = Literal["deconvnet", "gradient", "guided"]
_GRADIENT = " Use rule='gradient', which supports all differentiable operations, "
_EXTENSION = (
    "an earlier layer, or beyond_paper=True: our extension, which rectifies the signal at smooth activations, and counts gates and the "
    "statistics of normalisations as constants."
)
_NO_RULE_NEEDED = " The layer's top activations, occlusion and a head for new classes need no backward rule."
MAX_REJECTIONS = 3  # a transformer has hundreds of operations without a rule; a message names the first few


def check_rule(rule: object) -> None:
    """Raise RuleError if there is no such rule."""
    if rule not in ("deconvnet", "gradient", "guided"):
        raise RuleError(f"Unknown rule {rule!r}; use 'deconvnet', 'gradient' or 'guided'.")


def rejection_error(layer: str, rule: Rule, reason: str, extension: bool = False) -> RuleError:
    """Return the error for a layer that depends on an operation without a backward rule.

    Parameters
    ----------
    layer : str
    rule : {"deconvnet", "guided", "gradient"}
    reason : str
        The operations, and why they have no rule.
    extension : bool
        Whether our extension of the rules supports the layer.
    """
    advice = _GRADIENT + (_EXTENSION if extension else "or an earlier layer.") + _NO_RULE_NEEDED
    return RuleError(f"Layer {layer!r} cannot be projected with rule={rule!r}: {reason}.{'' if 'model.eval()' in reason else advice}")


def call_with_rule(func: Callable[..., Any], op: Op, call: Call, rule: Literal["deconvnet", "guided"]) -> Any:
    """Call a torch function, and give the result the backward pass of a rule if it is a rectifier or local response normalisation.

    Parameters
    ----------
    func : callable
    op : Op
        What is known of the operation.
    call : Call
        The arguments.
    rule : {"deconvnet", "guided"}

    Returns
    -------
    Any
        What `func` returns.
    """
    if not torch.is_grad_enabled():
        return func(*call.args, **call.kwargs)
    response_norm = op.role == "response norm"
    place = (0 if call.args else "input") if response_norm else op.rectified_operand(call)
    if place is None:
        return func(*call.args, **call.kwargs)
    operand = call.args[place] if isinstance(place, int) else call.kwargs[place]
    if not operand.requires_grad:
        return func(*call.args, **call.kwargs)

    def forward(x: Tensor) -> Tensor:
        if isinstance(place, int):
            result: Tensor = func(*call.args[:place], x, *call.args[place + 1 :], **call.kwargs)
        else:
            result = func(*call.args, **{**call.kwargs, place: x})
        return result

    if response_norm:
        return _PassSignal.apply(operand, forward)  # type: ignore[no-untyped-call]
    return _RectifySignal.apply(operand, forward, rule == "guided")  # type: ignore[no-untyped-call]


def scale_signal(func: Callable[..., Any], call: Call, factor: Tensor) -> Any:
    """Call a normalisation whose backward pass multiplies the signal by a factor."""
    return _ScaleSignal.apply(call.args[0], factor, lambda x: func(x, *call.args[1:], **call.kwargs))  # type: ignore[no-untyped-call]


class _RectifySignal(torch.autograd.Function):
    """A rectifier whose backward pass rectifies the signal; guided also multiplies it by the rectifier's derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rectifier: Callable[[Tensor], Tensor], guided: bool) -> Tensor:
        ctx.save_for_backward(*([_derivative(rectifier, x)] if guided else []))
        result = rectifier(x)
        if result is x:
            ctx.mark_dirty(x)
        return result

    @staticmethod
    def backward(ctx: Any, *signals: Any) -> Any:
        signal = signals[0].clamp(min=0)
        for derivative in ctx.saved_tensors:
            signal = signal * derivative
        return signal, None, None


class _ScaleSignal(torch.autograd.Function):
    """A normalisation whose statistics count as constants."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: Tensor, normalise: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(factor)
        return normalise(x)

    @staticmethod
    def backward(ctx: Any, *signals: Any) -> Any:
        (factor,) = ctx.saved_tensors
        return signals[0] * factor, None, None


class _PassSignal(torch.autograd.Function):
    """A normalisation whose backward pass is the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, normalise: Callable[[Tensor], Tensor]) -> Tensor:
        return normalise(x)

    @staticmethod
    def backward(ctx: Any, *signals: Any) -> Any:
        return signals[0], None


def _derivative(rectifier: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return autograd's derivative of an elementwise function at `x`, which is left unchanged."""
    with torch.enable_grad():
        leaf = x.detach().clone().requires_grad_()
        result = rectifier(leaf.clone())  # a clone, because an in-place rectifier may not overwrite a leaf
        return torch.autograd.grad(result, leaf, torch.ones_like(result))[0]
