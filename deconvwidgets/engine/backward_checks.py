"""Whether a projection's signal can be propagated backwards through one call of an operation.

The checks look at a *call*, because its arguments decide: `x * weight` is linear in x, `x * gate(x)` is not; `batch_norm` is linear in
eval mode only. `ops.py` says which check belongs to which operation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

NO_RULE = "has no backward rule"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation.

    Parameters
    ----------
    args, kwargs
        The arguments.
    depends_on_input : callable
        Returns whether a value is a tensor that was computed from the network's input.
    like_second : bool
        Whether only the first argument's values are read, and the shape or type of the others, as in `x.to(other)`.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    depends_on_input: Callable[[object], bool]
    like_second: bool = False

    def argument(self, position: int, keyword: str, default: object = None) -> Any:
        """Return an argument that was passed by position or by keyword."""
        return self.args[position] if len(self.args) > position else self.kwargs.get(keyword, default)

    def operands(self) -> list[Tensor]:
        """Return the tensors whose values the result may depend on."""
        return tensors_in(self.args[:1] if self.like_second else (self.args, self.kwargs))

    def count_dependent(self) -> int:
        """Return how many operands depend on the input. A tensor that is passed twice counts twice."""
        return sum(self.depends_on_input(value) for value in self.operands())


Check = Callable[[Call], "str | None"]  # why no signal passes, as the predicate of a sentence
FindOperand = Callable[[Call], "int | str | None"]  # the position or keyword of the tensor that a call rectifies


def tensors_in(value: object) -> list[Tensor]:
    """Return all tensors in nested lists, tuples and dicts."""
    found: list[Tensor] = []
    _collect(value, found)
    return found


def _collect(value: object, found: list[Tensor]) -> None:
    if isinstance(value, Tensor):
        found.append(value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _collect(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            _collect(item, found)


# Linear operations. Each check returns why a call is not linear, or None.


def no_rule(call: Call) -> str | None:
    """Reject every call."""
    return NO_RULE


def linear(call: Call) -> str | None:
    """Accept every call."""
    return None


def product(call: Call) -> str | None:
    """Accept a product if only one factor depends on the input."""
    return None if call.count_dependent() <= 1 else f"multiplies two tensors that both depend on the input (a gate), and {NO_RULE}"


def quotient(call: Call) -> str | None:
    """Accept a quotient whose divisor does not depend on the input."""
    if call.argument(2, "rounding_mode") is not None:
        return f"rounds, and {NO_RULE}"
    divides = call.depends_on_input(call.argument(1, "other"))
    return f"divides by a tensor that depends on the input, and {NO_RULE}" if divides else None


def sum_with_product(call: Call) -> str | None:
    """Accept a first argument plus a product of the two others, if only one factor depends on the input."""
    both = call.depends_on_input(call.argument(1, "mat1")) and call.depends_on_input(call.argument(2, "mat2"))
    return f"multiplies two tensors that both depend on the input, and {NO_RULE}" if both else None


def selected_by(position: int, keyword: str) -> Check:
    """Return a check that an argument (a mask, indices, a grid) does not depend on the input."""

    def check(call: Call) -> str | None:
        dependent = any(map(call.depends_on_input, tensors_in([call.argument(position, keyword)])))
        return f"has an argument '{keyword}' that depends on the input, and {NO_RULE}" if dependent else None

    return check


def cast(call: Call) -> str | None:
    """Accept a cast to a floating-point type."""
    targets = [value for value in (*call.args[1:], *call.kwargs.values()) if isinstance(value, (torch.dtype, Tensor))]
    dtypes = [value.dtype if isinstance(value, Tensor) else value for value in targets]
    return None if all(dtype.is_floating_point for dtype in dtypes) else f"rounds to integers, and {NO_RULE}"


def batch_norm(call: Call) -> str | None:
    """Accept batch norm by running statistics."""
    if call.argument(5, "training", False):
        return "uses the statistics of the batch: call model.eval() first (the layer must track running statistics)"
    return None if call.count_dependent() == 1 else NO_RULE


def instance_norm(call: Call) -> str | None:
    """Accept instance norm by running statistics."""
    if call.argument(5, "use_input_stats", True):
        return f"normalises by the statistics of each image, and {NO_RULE}"
    return None if call.count_dependent() == 1 else NO_RULE


def dropout(active_by_default: bool) -> Check:
    """Return a check that dropout is not active."""

    def check(call: Call) -> str | None:
        training = call.kwargs.get("train", call.argument(2, "training", active_by_default))
        return "is in training mode: call model.eval() first" if training and call.argument(1, "p", 0.5) != 0 else None

    return check


def maximum(call: Call) -> str | None:
    """Check a maximum that is not a rectifier: over a dimension it is routed by its switches, of two tensors it is rejected."""
    if isinstance(call.argument(1, "other"), Tensor):
        return f"takes the maximum of two tensors, neither of which is zero, and {NO_RULE}"
    return None


def training_mode(call: Call) -> str | None:
    """Reject a call that is random in training mode."""
    return "is in training mode: call model.eval() first"


def detached(call: Call) -> str | None:
    """Reject a call that cuts the graph of derivatives."""
    return "returns a tensor that is detached from the input (by detach() or .data), where no rule can be applied"


def without_gradient(call: Call) -> str | None:
    """Reject operations that run under `torch.no_grad()`."""
    return "is called under torch.no_grad(), where no rule can be applied"


# Rectifiers. Each function returns the position or keyword of the rectified tensor, or None.


def first(call: Call) -> int | str:
    """Return the place of the first argument."""
    return 0 if call.args else "input"


def _is_zero(call: Call, value: object) -> bool:
    if isinstance(value, Tensor):
        return not call.depends_on_input(value) and not value.requires_grad and bool((value == 0).all())
    return isinstance(value, (int, float)) and value == 0


def clamp_at_zero(low: int, low_keyword: str, default_low: float | None, high: int, high_keyword: str) -> FindOperand:
    """Return a function for a clamp with lower bound zero, and a positive upper bound or none."""

    def find(call: Call) -> int | str | None:
        ceiling = call.argument(high, high_keyword)
        bounded = ceiling is None or (isinstance(ceiling, (int, float)) and ceiling > 0)
        return first(call) if bounded and _is_zero(call, call.argument(low, low_keyword, default_low)) else None

    return find


def leaky_relu(call: Call) -> int | str | None:
    """Find the operand of a leaky rectifier, unless its slope is negative."""
    return first(call) if call.argument(1, "negative_slope", 0.01) >= 0 else None


def rrelu(call: Call) -> int | str | None:
    """Find the operand of a randomized leaky rectifier in eval mode."""
    return None if call.argument(3, "training", False) else first(call)


def prelu(call: Call) -> int | str | None:
    """Find the operand of a rectifier with learnt slopes."""
    return None if call.depends_on_input(call.argument(1, "weight")) else first(call)


def maximum_with_zero(call: Call) -> int | str | None:
    """Find the operand of a maximum with zero."""
    left, right = call.argument(0, "input"), call.argument(1, "other")
    if not (isinstance(left, Tensor) and isinstance(right, Tensor)):
        return None
    if _is_zero(call, right) and right.numel() <= left.numel():
        return first(call)
    if _is_zero(call, left) and left.numel() <= right.numel():
        return 1 if len(call.args) > 1 else "other"
    return None
