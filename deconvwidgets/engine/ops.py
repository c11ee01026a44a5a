"""What each operation does to a signal that goes down through it: linear, pooling, rectifier, normaliser, or without a rule.

An allowlist by the operation's name, so that one entry covers every spelling: `torch.relu_`, `F.relu(inplace=True)`, `Tensor.relu`.
What is not listed has no rule. Everything here is said about one *call*, because a call decides: `x * weight` is linear in the
signal x, `x * gate(x)` is not; `batch_norm` is linear in eval mode only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_TAKE_A_FORM = frozenset(["to", "type_as", "view_as", "reshape_as", "expand_as"])
_UNLISTED = "has no rule for going down"


def _words(text: str) -> list[str]:
    return text.split()


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a torch operation. `carries(value)` says whether a value holds the signal, a tensor computed from the input."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    carries: Callable[[object], bool]

    def argument(self, position: int, keyword: str, default: object = None) -> Any:
        return self.args[position] if len(self.args) > position else self.kwargs.get(keyword, default)

    def operands(self) -> list[Tensor]:
        """The tensors whose values the result may depend on; `x.to(other)` takes no more than a type from `other`."""
        return tensors_in(self.args[:1] if self.name in _TAKE_A_FORM else (self.args, self.kwargs))

    def carriers(self) -> int:
        """How many of the arguments hold the signal (one tensor given twice counts twice)."""
        return sum(self.carries(value) for value in self.operands())


def tensors_in(value: object) -> list[Tensor]:
    """All tensors in nested lists, tuples and dicts."""
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


def operation_name(func: Callable[..., Any]) -> str:
    """The name shared by all spellings of an operation: no trailing underscore, no dunder, a property's own name."""
    name = str(getattr(func, "__name__", func))
    if name == "__get__":
        return "get " + str(getattr(getattr(func, "__self__", None), "__name__", "?"))
    name = name.split(".")[0].strip("_")
    return _SPELLINGS.get(name, name)


def rectifier_operand(call: Call) -> int | str | None:
    """Where a rectifier call keeps the tensor that it rectifies (index or keyword); None where the call is no rectifier."""
    check = _RECTIFIERS.get(call.name)
    return None if check is None else check(call)


def without_rule(call: Call) -> str | None:
    """Why a signal cannot go down through this call, as the end of a sentence that starts with the operation; None if it can."""
    if rectifier_operand(call) is not None:
        return None
    check = _CHECKS.get(call.name)
    return check(call) if check is not None else _UNLISTED


_SPELLINGS = {
    "iadd": "add", "radd": "add", "isub": "sub", "imul": "mul", "rmul": "mul", "itruediv": "div", "truediv": "div", "idiv": "div",
    "multiply": "mul", "divide": "div", "true_divide": "div", "subtract": "sub", "negative": "neg", "clip": "clamp", "fmax": "maximum",
    "concat": "cat", "concatenate": "cat", "invert": "bitwise_not", "rmatmul": "matmul",
}  # fmt: skip


# Linear operations. Each check returns why a call is not linear, or None.


def _linear(call: Call) -> str | None:
    """Linear (or affine) in all tensors jointly."""
    return None


def _product(call: Call) -> str | None:
    """Linear as long as one factor only holds the signal."""
    return None if call.carriers() == 1 else f"multiplies the signal by something computed from it (a gate), which {_UNLISTED}"


def _quotient(call: Call) -> str | None:
    if call.argument(2, "rounding_mode") is not None:
        return "rounds, and " + _UNLISTED
    return "divides by the signal and " + _UNLISTED if call.carries(call.argument(1, "other")) else None


def _sum_and_product(call: Call) -> str | None:
    """addmm and its kin: linear in the first argument, and in at most one of the two factors."""
    both = call.carries(call.argument(1, "mat1")) and call.carries(call.argument(2, "mat2"))
    return "multiplies the signal by itself and " + _UNLISTED if both else None


def _steered_by(position: int, keyword: str) -> Callable[[Call], str | None]:
    """Linear once the steering argument (a mask, indices, a grid) is fixed: it must not be computed from the input."""

    def check(call: Call) -> str | None:
        steering = tensors_in([call.argument(position, keyword)])
        return f"is steered by a {keyword} computed from the input, and {_UNLISTED}" if any(map(call.carries, steering)) else None

    return check


def _cast(call: Call) -> str | None:
    kinds = [value for value in (*call.args[1:], *call.kwargs.values()) if isinstance(value, (torch.dtype, Tensor))]
    kinds = [value.dtype if isinstance(value, Tensor) else value for value in kinds]
    return None if all(kind.is_floating_point for kind in kinds) else "rounds to whole numbers and " + _UNLISTED


def _batch_norm(call: Call) -> str | None:
    if call.argument(5, "training", False):
        return "normalises by the batch's own statistics: call model.eval() first (and let the layer track its running statistics)"
    return None if call.carriers() == 1 else _UNLISTED


def _instance_norm(call: Call) -> str | None:
    if call.argument(5, "use_input_stats", True):
        return "normalises by the picture's own statistics and " + _UNLISTED
    return None if call.carriers() == 1 else _UNLISTED


def _dropout(default: bool) -> Callable[[Call], str | None]:
    def check(call: Call) -> str | None:
        active = call.argument(2, "training", call.kwargs.get("train", default)) and call.argument(1, "p", 0.5) != 0
        return "drops at random: call model.eval() first" if active else None

    return check


def _maximum(call: Call) -> str | None:
    """max over a dimension (or over everything) pools by switches; max of two tensors does not, unless one is zero: a rectifier."""
    if call.name == "maximum" or isinstance(call.argument(1, "other"), Tensor):
        return "takes the larger of two tensors, neither of them zero, and " + _UNLISTED
    return None


# Rectifiers. Each check returns where the rectified tensor is, or None.


def _first(call: Call) -> int | str:
    return 0 if call.args else "input"


def _is_zero(call: Call, value: object) -> bool:
    if isinstance(value, Tensor):
        return not call.carries(value) and not value.requires_grad and bool((value == 0).all())
    return isinstance(value, (int, float)) and value == 0


def _from_zero(low: int, low_keyword: str, default_low: float | None, high: int, high_keyword: str) -> Callable[[Call], int | str | None]:
    """Cut off below zero, and perhaps above something positive."""

    def check(call: Call) -> int | str | None:
        ceiling = call.argument(high, high_keyword)
        bounded = ceiling is None or (isinstance(ceiling, (int, float)) and ceiling > 0)
        return _first(call) if bounded and _is_zero(call, call.argument(low, low_keyword, default_low)) else None

    return check


def _leaky(call: Call) -> int | str | None:
    return _first(call) if call.argument(1, "negative_slope", 0.01) >= 0 else None


def _random_leaky(call: Call) -> int | str | None:
    return None if call.argument(3, "training", False) else _first(call)


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
    "prelu": lambda call: None if call.carries(call.argument(1, "weight")) else _first(call),
    "leaky_relu": _leaky,
    "rrelu": _random_leaky,
    "hardtanh": _from_zero(1, "min_val", -1.0, 2, "max_val"),
    "clamp": _from_zero(1, "min", None, 2, "max"),
    "clamp_min": _from_zero(1, "min", None, 2, "max"),
    "maximum": _maximum_with_zero,
    "max": _maximum_with_zero,
}

_LINEAR = _words("""
    add sub rsub neg positive cat stack hstack vstack dstack column_stack row_stack sum mean cumsum trace sum_to_size
    view view_as reshape reshape_as flatten unflatten ravel permute transpose swapaxes swapdims movedim moveaxis squeeze unsqueeze
    t adjoint
    narrow select slice diagonal diag tril triu split split_with_sizes unsafe_split chunk unsafe_chunk tensor_split hsplit vsplit dsplit
    unbind iter expand expand_as broadcast_to broadcast_tensors atleast_1d atleast_2d atleast_3d repeat tile repeat_interleave
    pad constant_pad_nd flip fliplr flipud roll rot90 pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle unfold fold
    im2col col2im
    avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    interpolate upsample upsample_nearest upsample_bilinear upsample_nearest2d upsample_bilinear2d upsample_bicubic2d
    contiguous clone alias as_tensor float double half bfloat16 to_dense cpu cuda copy zero fill as_strided
    max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices amax
    adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d adaptive_max_pool1d_with_indices adaptive_max_pool2d_with_indices
    adaptive_max_pool3d_with_indices max_unpool1d max_unpool2d max_unpool3d local_response_norm
    fill_outside
""")  # pooling goes down by its switches and local response normalisation as it stands (see rules.py)

_PRODUCTS = _words("""
    mul matmul mm bmm mv dot inner outer kron tensordot einsum linear conv1d conv2d conv3d conv_tbc
    conv_transpose1d conv_transpose2d conv_transpose3d convolution strided_conv2d
""")

METADATA_OPS = frozenset(
    _words("""
    size dim ndimension numel nelement stride storage_offset data_ptr element_size get_device is_contiguous is_floating_point is_complex
    is_same_size is_nonzero is_pinned len hash repr str format item tolist type_name result_type requires_grad retain_grad
    register_hook backward zeros_like ones_like empty_like full_like rand_like randn_like new_zeros new_ones new_empty new_full
    detach numpy array assert dir reduce_ex deepcopy set_grad_enabled version
    """)
)

TRANSPOSES = frozenset(["get T", "get mT", "get H", "get mH"])

_CHECKS: dict[str, Callable[[Call], str | None]] = {
    **dict.fromkeys(_LINEAR, _linear),
    **dict.fromkeys(_PRODUCTS, _product),
    **dict.fromkeys(TRANSPOSES, _linear),
    **dict.fromkeys(["addmm", "addbmm", "baddbmm", "addmv", "addr", "addcmul"], _sum_and_product),
    **dict.fromkeys(["dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout"], _dropout(default=True)),
    **dict.fromkeys(["alpha_dropout", "feature_alpha_dropout"], _dropout(default=False)),
    **dict.fromkeys(["batch_norm", "native_batch_norm"], _batch_norm),
    **dict.fromkeys(["to", "type", "type_as"], _cast),
    **dict.fromkeys(["gather", "index_select", "scatter", "scatter_add", "index_add", "index_copy"], _steered_by(2, "index")),
    **dict.fromkeys(["getitem", "setitem", "take"], _steered_by(1, "index")),
    **dict.fromkeys(["masked_fill", "masked_scatter", "masked_select"], _steered_by(1, "mask")),
    "take_along_dim": _steered_by(1, "indices"),
    "where": _steered_by(0, "condition"),
    "grid_sample": _steered_by(1, "grid"),
    "lerp": _steered_by(2, "weight"),
    "instance_norm": _instance_norm,
    "div": _quotient,
    "max": _maximum,
    "maximum": _maximum,
    "rrelu": lambda call: "leaks at random: call model.eval() first",
}
