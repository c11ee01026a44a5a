"""Whether a projection's signal can be propagated backwards through one call of an operation.

The check looks at a *call*, because its arguments decide: `x * weight` is linear in x, `x * gate(x)` is not; `batch_norm` is linear in
eval mode only. A call of an operation that `ops.py` does not list is rejected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from deconvwidgets.engine import ops

_NO_RULE = "has no backward rule"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a torch operation.

    Parameters
    ----------
    name : str
        The operation's name, as `ops.canonical_name` returns it.
    args, kwargs
        The arguments.
    depends_on_input : callable
        Returns whether a value is a tensor that was computed from the network's input.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    depends_on_input: Callable[[object], bool]

    def argument(self, position: int, keyword: str, default: object = None) -> Any:
        """Return an argument that was passed by position or by keyword."""
        return self.args[position] if len(self.args) > position else self.kwargs.get(keyword, default)

    def operands(self) -> list[Tensor]:
        """Return the tensors whose values the result may depend on; `x.to(other)` reads only the type of `other`."""
        return tensors_in(self.args[:1] if self.name in ops.SHAPED_LIKE_ARGUMENT else (self.args, self.kwargs))

    def count_dependent(self) -> int:
        """Return how many operands depend on the input. A tensor that is passed twice counts twice."""
        return sum(self.depends_on_input(value) for value in self.operands())


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


def rectifier_operand(call: Call) -> int | str | None:
    """Return the position or keyword of the tensor that a rectifier rectifies; None if the call is not a rectifier."""
    check = _RECTIFIERS.get(call.name)
    return None if check is None else check(call)


def rejection_reason(call: Call) -> str | None:
    """Return why no signal can be propagated backwards through a call, as the predicate of a sentence; None if it can be."""
    if rectifier_operand(call) is not None:
        return None
    check = _CHECKS.get(call.name)
    return check(call) if check is not None else _NO_RULE


# Linear operations. Each check returns why a call is not linear, or None.


def _linear(call: Call) -> str | None:
    return None


def _product(call: Call) -> str | None:
    return None if call.count_dependent() == 1 else f"multiplies two tensors that both depend on the input (a gate), and {_NO_RULE}"


def _quotient(call: Call) -> str | None:
    if call.argument(2, "rounding_mode") is not None:
        return f"rounds, and {_NO_RULE}"
    divides = call.depends_on_input(call.argument(1, "other"))
    return f"divides by a tensor that depends on the input, and {_NO_RULE}" if divides else None


def _sum_with_product(call: Call) -> str | None:
    both = call.depends_on_input(call.argument(1, "mat1")) and call.depends_on_input(call.argument(2, "mat2"))
    return f"multiplies two tensors that both depend on the input, and {_NO_RULE}" if both else None


def _selected_by(position: int, keyword: str) -> Callable[[Call], str | None]:
    """Return a check that an argument (a mask, indices, a grid) does not depend on the input."""

    def check(call: Call) -> str | None:
        dependent = any(map(call.depends_on_input, tensors_in([call.argument(position, keyword)])))
        return f"has an argument '{keyword}' that depends on the input, and {_NO_RULE}" if dependent else None

    return check


def _cast(call: Call) -> str | None:
    targets = [value for value in (*call.args[1:], *call.kwargs.values()) if isinstance(value, (torch.dtype, Tensor))]
    dtypes = [value.dtype if isinstance(value, Tensor) else value for value in targets]
    return None if all(dtype.is_floating_point for dtype in dtypes) else f"rounds to integers, and {_NO_RULE}"


def _batch_norm(call: Call) -> str | None:
    if call.argument(5, "training", False):
        return "uses the statistics of the batch: call model.eval() first (the layer must track running statistics)"
    return None if call.count_dependent() == 1 else _NO_RULE


def _instance_norm(call: Call) -> str | None:
    if call.argument(5, "use_input_stats", True):
        return f"normalises by the statistics of each image, and {_NO_RULE}"
    return None if call.count_dependent() == 1 else _NO_RULE


def _dropout(default: bool) -> Callable[[Call], str | None]:
    """Return a check for dropout that is active or not by default."""

    def check(call: Call) -> str | None:
        active = call.argument(2, "training", call.kwargs.get("train", default)) and call.argument(1, "p", 0.5) != 0
        return "is in training mode: call model.eval() first" if active else None

    return check


def _maximum(call: Call) -> str | None:
    """Check a maximum that is not a rectifier: over a dimension it is routed by its switches, of two tensors it is rejected."""
    if call.name == "maximum" or isinstance(call.argument(1, "other"), Tensor):
        return f"takes the maximum of two tensors, neither of which is zero, and {_NO_RULE}"
    return None


# Rectifiers. Each check returns the position or keyword of the rectified tensor, or None.


def _first(call: Call) -> int | str:
    return 0 if call.args else "input"


def _is_zero(call: Call, value: object) -> bool:
    if isinstance(value, Tensor):
        return not call.depends_on_input(value) and not value.requires_grad and bool((value == 0).all())
    return isinstance(value, (int, float)) and value == 0


def _clamp_at_zero(
    low: int, low_keyword: str, default_low: float | None, high: int, high_keyword: str
) -> Callable[[Call], int | str | None]:
    """Return a check for a clamp with lower bound zero, and a positive upper bound or none."""

    def check(call: Call) -> int | str | None:
        ceiling = call.argument(high, high_keyword)
        bounded = ceiling is None or (isinstance(ceiling, (int, float)) and ceiling > 0)
        return _first(call) if bounded and _is_zero(call, call.argument(low, low_keyword, default_low)) else None

    return check


def _leaky_relu(call: Call) -> int | str | None:
    return _first(call) if call.argument(1, "negative_slope", 0.01) >= 0 else None


def _rrelu(call: Call) -> int | str | None:
    return None if call.argument(3, "training", False) else _first(call)


def _prelu(call: Call) -> int | str | None:
    return None if call.depends_on_input(call.argument(1, "weight")) else _first(call)


def _maximum_with_zero(call: Call) -> int | str | None:
    left, right = call.argument(0, "input"), call.argument(1, "other")
    if not (isinstance(left, Tensor) and isinstance(right, Tensor)):
        return None
    if _is_zero(call, right) and right.numel() <= left.numel():
        return _first(call)
    if _is_zero(call, left) and left.numel() <= right.numel():
        return 1 if len(call.args) > 1 else "other"
    return None


_RECTIFIERS: dict[str, Callable[[Call], int | str | None]] = {
    "relu": _first,
    "relu6": _first,
    "threshold": _first,
    "prelu": _prelu,
    "leaky_relu": _leaky_relu,
    "rrelu": _rrelu,
    "hardtanh": _clamp_at_zero(1, "min_val", -1.0, 2, "max_val"),
    "clamp": _clamp_at_zero(1, "min", None, 2, "max"),
    "clamp_min": _clamp_at_zero(1, "min", None, 2, "max"),
    "maximum": _maximum_with_zero,
    "max": _maximum_with_zero,
}

_CHECKS: dict[str, Callable[[Call], str | None]] = {
    **dict.fromkeys(ops.LINEAR | ops.TRANSPOSE_PROPERTIES, _linear),
    **dict.fromkeys(ops.PRODUCTS, _product),
    **dict.fromkeys(ops.SUMS_WITH_PRODUCT, _sum_with_product),
    **dict.fromkeys(ops.DROPOUTS, _dropout(default=True)),
    **dict.fromkeys(ops.ALPHA_DROPOUTS, _dropout(default=False)),
    **dict.fromkeys(ops.BATCH_NORM_CALLS, _batch_norm),
    **dict.fromkeys(ops.CASTS, _cast),
    **{name: _selected_by(*argument) for name, argument in ops.SELECTED_BY_ARGUMENT.items()},
    "instance_norm": _instance_norm,
    "div": _quotient,
    "max": _maximum,
    "maximum": _maximum,
    "rrelu": lambda call: "is in training mode: call model.eval() first",
}
