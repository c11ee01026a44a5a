"""Everything that is known of an operation, in one place. Nothing else in the package lists operations.

The registry is keyed by the operation's ATen name without underscores at its ends ("relu" for `aten.relu`, `aten.relu_`, `F.relu` and
`Tensor.relu_`). An operation that is not in it is never assumed to be harmless: it is treated as one that reads the whole image, and no
signal is propagated backwards through it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn

from deconvwidgets.engine import backward_checks as checks
from deconvwidgets.engine import normalisers, windows
from deconvwidgets.engine.backward_checks import Call, Check, FindOperand

Spatial = Literal["pointwise", "per channel", "channel axes", "permutation", "reshape", "part", "window", "whole"]
Role = Literal["convolution", "linear", "rectifier", "activation", "gate", "batch norm", "response norm", "pooling", "transparent"]


@dataclass(frozen=True, slots=True)
class Op:
    """What is known of an operation.

    Parameters
    ----------
    spatial : str
        How the output depends on the positions of the input.
        - "pointwise": position (r, c) of the output depends on position (r, c) of the inputs; other operands are broadcast.
        - "per channel": the same, and further operands hold one value per channel.
        - "channel axes": the same if its axis arguments name neither the batch nor rows or columns (concatenation, selection, sums).
        - "permutation": the same if batch, rows and columns keep their places.
        - "reshape": the same if batch, rows and columns keep their sizes.
        - "part": one of several outputs.
        - "window": a convolution, pooling or padding, see `window`.
        - "whole": every position of the output may depend on the whole image.
    backward : callable
        Returns why no signal can be propagated backwards through a call, or None: the call is linear (autograd's transpose is the
        paper's), or pooling, which is routed by its switches.
    rectified : callable, optional
        Returns which tensor a call rectifies, if it is a rectifier.
    window : callable, optional
        Returns the window of a call, given its arguments and the shape of its input.
    role : str, optional
        What it is in the names of layers, and for the extension of the rules beyond the paper. "transparent" operations may stand between
        a convolution and its rectifier; a "gate" is a factor between 0 and 1.
    channelwise : bool
        Whether it keeps channels apart and has no parameters of its own: one channel can be computed alone.
    normalised : callable, optional
        Returns the factor by which a call multiplies its input, if its statistics count as constants.
    couples_batch : callable, optional
        Returns whether a call's answer for one image depends on the other images of the batch.
    like_second : bool
        Whether it reads only the shape or type of its second argument.
    inplace : callable, optional
        The form that overwrites its first argument, used where nothing else reads it.
    inserts_axis : bool
        Whether its axis argument is an axis of the output.
    joins : bool
        Whether it joins several maps, all of which must depend on the image for crops.
    features_last : bool
        Whether the last axis holds the channels: a linear layer or layer norm. Maps (N, H, W, C) come from these.
    moves_axes : bool
        Whether the axes of the output are in another order.
    no_signal : bool
        Whether no signal passes through it: it reads metadata, makes constants, or leaves autograd.
    cuts_gradient : bool
        Whether autograd's derivative is cut, though values depend on the input.
    switches : bool
        Whether it is linear for fixed switches only: a maximum.
    """

    spatial: Spatial = "whole"
    backward: Check = checks.no_rule
    rectified: FindOperand | None = None
    window: windows.FindWindow | None = None
    role: Role | None = None
    channelwise: bool = False
    normalised: Callable[[Call], Tensor] | None = None
    couples_batch: Callable[[Call], bool] | None = None
    like_second: bool = False
    inplace: Callable[..., Any] | None = None
    inserts_axis: bool = False
    joins: bool = False
    features_last: bool = False
    moves_axes: bool = False
    no_signal: bool = False
    cuts_gradient: bool = False
    switches: bool = False

    def rectified_operand(self, call: Call) -> int | str | None:
        """Return the position or keyword of the tensor that a call rectifies; None if the call is not a rectifier."""
        return None if self.rectified is None else self.rectified(call)

    def rejection(self, call: Call) -> str | None:
        """Return why no signal can be propagated backwards through a call; None if it can be."""
        return None if self.rectified_operand(call) is not None else self.backward(call)


UNKNOWN = Op()
REGISTRY: dict[str, Op] = {}


def op_of(name: str) -> Op:
    """Return what is known of the operation of a name; `UNKNOWN` if it is not in the registry."""
    return REGISTRY.get(name, UNKNOWN)


def op_of_module(module: nn.Module) -> Op:
    """Return what is known of the operation of a module, by its class."""
    return next((op_of(name) for kind, name in _MODULES.items() if isinstance(module, kind)), UNKNOWN)


def node_name(node: fx.Node) -> str:
    """Return the name of a graph node's operation."""
    return canonical_name(node.target) if callable(node.target) else str(node.target)


def canonical_name(func: Callable[..., Any]) -> str:
    """Return the name shared by all spellings of an operation, without underscores at its ends; "get T" for the property T."""
    name = str(func.overloadpacket.__name__) if isinstance(func, torch._ops.OpOverload) else str(getattr(func, "__name__", func))
    if name == "__get__":
        return "get " + str(getattr(getattr(func, "__self__", None), "__name__", "?"))
    name = name.split(".")[0].strip("_")
    return _SPELLINGS.get(name, name)


# Local response normalisation is one operation here, and several in ATen.
RESPONSE_NORM: Callable[..., Any] = torch.nn.functional.local_response_norm


def _define(names: str, op: Op) -> None:
    for name in names.split():
        REGISTRY[name] = op


def _uses_batch_statistics(call: Call) -> bool:
    return bool(call.argument(5, "training", False))


_SPELLINGS = {
    "iadd": "add", "radd": "add", "isub": "sub", "imul": "mul", "rmul": "mul", "itruediv": "div", "truediv": "div", "idiv": "div",
    "multiply": "mul", "divide": "div", "true_divide": "div", "subtract": "sub", "negative": "neg", "clip": "clamp", "fmax": "maximum",
    "concat": "cat", "concatenate": "cat", "invert": "bitwise_not", "rmatmul": "matmul", "to_copy": "to", "grid_sampler": "grid_sample",
    "grid_sampler_2d": "grid_sample", "setitem": "index_put", "unsafe_view": "view", "swapaxes": "transpose", "swapdims": "transpose",
    "moveaxis": "movedim",
}  # fmt: skip

_POINTWISE, _ELEMENTWISE = Op("pointwise"), Op("pointwise", channelwise=True)
_LINEAR = Op(backward=checks.linear)

# Rectifiers and other activations.

_RECTIFIER = Op("pointwise", rectified=checks.first, role="rectifier", channelwise=True)
_define("relu", replace(_RECTIFIER, inplace=torch.ops.aten.relu_.default))
_define("relu6 threshold", _RECTIFIER)
_define("leaky_relu", replace(_RECTIFIER, rectified=checks.leaky_relu))
_define("hardtanh", replace(_RECTIFIER, rectified=checks.clamp_at_zero(1, "min_val", -1.0, 2, "max_val")))
_define("clamp clamp_min", replace(_RECTIFIER, rectified=checks.clamp_at_zero(1, "min", None, 2, "max")))
_define("rrelu", replace(_RECTIFIER, rectified=checks.rrelu, backward=checks.training_mode, channelwise=False))
_define("prelu", replace(_RECTIFIER, spatial="per channel", rectified=checks.prelu, channelwise=False))
_define("elu celu selu gelu silu hardswish mish softplus", Op("pointwise", role="activation", channelwise=True))
_define(
    "tanh log_sigmoid hardshrink softshrink tanhshrink softsign exp expm1 log log2 log10 log1p sqrt rsqrt abs square "
    "reciprocal sin cos tan asin acos atan sinh cosh erf erfc sign round floor ceil trunc frac clamp_max nan_to_num "
    "logical_not bitwise_not isnan isinf isfinite",
    _ELEMENTWISE,
)
_define("sigmoid hardsigmoid", replace(_ELEMENTWISE, role="gate"))
_define(
    "pow minimum fmin eq ne lt le gt ge logical_and logical_or logical_xor bitwise_and bitwise_or fmod remainder atan2 addcdiv",
    _POINTWISE,
)
_define("zeros_like ones_like full_like empty_like rand_like randn_like", replace(_POINTWISE, no_signal=True))
_define("maximum", Op("pointwise", checks.maximum, checks.maximum_with_zero))

# Normalisations.

_BATCH_NORM = Op("per channel", checks.batch_norm, role="batch norm", couples_batch=_uses_batch_statistics)
_define("batch_norm native_batch_norm", _BATCH_NORM)
_define("native_batch_norm_legit_no_training", replace(_BATCH_NORM, backward=checks.product, couples_batch=None))
_define("local_response_norm", Op("pointwise", checks.linear, role="response norm"))
_define("instance_norm", Op(backward=checks.instance_norm, normalised=normalisers.instance_norm))
_define("group_norm", Op(normalised=normalisers.group_norm))
_define("layer_norm", Op(normalised=normalisers.layer_norm, features_last=True))
_define("rms_norm", Op(features_last=True))
_DROPOUT = Op("pointwise", checks.dropout(active_by_default=True), role="transparent", channelwise=True)
_define("dropout dropout1d dropout2d dropout3d feature_dropout", _DROPOUT)
_define("alpha_dropout feature_alpha_dropout", replace(_DROPOUT, backward=checks.dropout(active_by_default=False)))

# Windows.

_CONVOLUTION = Op("window", checks.product, window=windows.conv2d, role="convolution")
_define("conv2d", _CONVOLUTION)
_define("convolution", replace(_CONVOLUTION, window=windows.convolution))
_POOLING = Op("window", checks.linear, role="pooling")
_define("max_pool2d", replace(_POOLING, window=windows.max_pool2d))
_define("avg_pool2d", replace(_POOLING, window=windows.avg_pool2d))
_define("adaptive_avg_pool2d", replace(_POOLING, window=windows.adaptive_avg_pool2d))
_define("adaptive_max_pool2d", replace(_POOLING, window=windows.adaptive_max_pool2d))
_define("pad", Op("window", checks.linear, window=windows.pad))
_define("constant_pad_nd", Op("window", checks.linear, window=windows.constant_pad_nd))

# Arithmetic.

_define("add sub rsub neg positive", Op("pointwise", checks.linear))
_define("mul", Op("pointwise", checks.product))
_define("div", Op("pointwise", checks.quotient))
_define("addcmul", Op("pointwise", checks.sum_with_product))
_define("lerp", Op("pointwise", checks.selected_by(2, "weight")))
_define("where", Op("pointwise", checks.selected_by(0, "condition")))
_define("masked_fill", Op("pointwise", checks.selected_by(1, "mask")))
_define("linear", Op(backward=checks.product, role="linear", features_last=True))
_define(
    "matmul mm bmm mv dot inner outer kron tensordot einsum conv1d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d",
    Op(backward=checks.product),
)
_define("addmm addbmm baddbmm addmv addr", Op(backward=checks.sum_with_product))

# Copies and casts.

_define("contiguous clone alias lift_fresh lift_fresh_copy", Op("pointwise", checks.linear, role="transparent", channelwise=True))
_define("to type type_as", Op("pointwise", checks.cast, like_second=True))
_define("detach", Op("pointwise", checks.detached, no_signal=True, cuts_gradient=True))
_define("wrap_with_set_grad_enabled", Op(backward=checks.without_gradient, cuts_gradient=True))

# Axes and shapes.

_AXES = Op("channel axes", checks.linear)
_define("squeeze select slice narrow split split_with_sizes unsafe_split chunk unsafe_chunk tensor_split unbind", _AXES)
_define("unsqueeze", replace(_AXES, inserts_axis=True))
_define("cat", replace(_AXES, joins=True))
_define("stack", replace(_AXES, joins=True, inserts_axis=True))
_define("permute", Op("permutation", checks.linear, moves_axes=True))
_define("transpose movedim", replace(_AXES, moves_axes=True))
_define("flip roll cumsum sum mean amax", _AXES)
_define("softmax log_softmax glu amin prod var std argmax argmin norm linalg_vector_norm logsumexp", Op("channel axes"))
_define("max", Op("channel axes", checks.maximum, checks.maximum_with_zero))
_define("index_select gather", Op("channel axes", checks.selected_by(2, "index")))
_define("getitem", Op("part", checks.selected_by(1, "index")))
_define("view reshape flatten unflatten channel_shuffle native_channel_shuffle", Op("reshape", checks.linear))
_define("view_as reshape_as expand_as", Op(backward=checks.linear, like_second=True))
_define("expand", Op("reshape", checks.linear))
_define("index index_put take", Op(backward=checks.selected_by(1, "index")))
_define("scatter scatter_add index_add index_copy", Op(backward=checks.selected_by(2, "index")))
_define("masked_scatter masked_select", Op(backward=checks.selected_by(1, "mask")))
_define("take_along_dim", Op(backward=checks.selected_by(1, "indices")))
_define("grid_sample", Op(backward=checks.selected_by(1, "grid")))
_define(
    "hstack vstack dstack column_stack row_stack trace sum_to_size ravel t adjoint diagonal diag tril triu hsplit vsplit dsplit iter "
    "broadcast_to broadcast_tensors atleast_1d atleast_2d atleast_3d repeat tile repeat_interleave fliplr flipud rot90 "
    "slice_scatter select_scatter diagonal_scatter reflection_pad2d replication_pad2d "
    "pixel_shuffle pixel_unshuffle unfold fold im2col col2im max_pool2d_with_indices adaptive_max_pool2d_with_indices "
    "copy zero fill as_tensor float double half bfloat16 to_dense cpu cuda as_strided "
    "avg_pool1d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool3d max_pool1d max_pool3d max_pool1d_with_indices max_pool3d_with_indices "
    "adaptive_max_pool1d adaptive_max_pool3d adaptive_max_pool1d_with_indices adaptive_max_pool3d_with_indices "
    "max_unpool1d max_unpool2d max_unpool3d interpolate upsample upsample_nearest upsample_bilinear upsample_nearest1d "
    "upsample_nearest2d upsample_nearest_exact2d upsample_bilinear2d upsample_bicubic2d",
    _LINEAR,
)
REGISTRY |= {f"get {name}": _LINEAR for name in ("T", "mT", "H", "mH")}
REGISTRY |= {name: replace(op, switches=True) for name, op in REGISTRY.items() if "max_pool" in name or name == "amax"}

# Calls that read metadata or make constants.

_define(
    "size sym_size dim ndimension numel nelement stride storage_offset data_ptr element_size get_device is_contiguous is_floating_point "
    "is_complex is_same_size is_nonzero is_pinned len hash repr str format item tolist type_name result_type requires_grad retain_grad "
    "register_hook backward new_zeros new_ones new_empty new_full numpy array assert dir reduce_ex deepcopy "
    "set_grad_enabled version",
    Op(no_signal=True),
)

# Forms of ATen's operations that are used in their place. A view of part of a map may not be possible, because its memory layout differs.

FORMS_FOR_PARTS: dict[Any, Any] = {
    torch.ops.aten.view.default: torch.ops.aten.reshape.default,
    torch.ops.aten._unsafe_view.default: torch.ops.aten.reshape.default,
}
FIRST_OUTPUT: dict[Any, Any] = {
    torch.ops.aten.max_pool2d_with_indices.default: torch.ops.aten.max_pool2d.default,
    torch.ops.aten.adaptive_max_pool2d.default: torch.nn.functional.adaptive_max_pool2d,
    torch.ops.aten._native_batch_norm_legit_no_training.default: torch.ops.aten.batch_norm.default,
}

# Modules that are random or change their state in training mode.
RANDOM_IN_TRAINING = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)

# Modules, for models that cannot be traced, where only modules are seen.
_MODULES: dict[type[nn.Module], str] = {
    nn.Conv2d: "conv2d", nn.Linear: "linear", nn.ReLU6: "relu6", nn.ReLU: "relu", nn.LeakyReLU: "leaky_relu", nn.PReLU: "prelu",
    nn.RReLU: "rrelu", nn.Hardtanh: "hardtanh", nn.Threshold: "threshold", nn.GELU: "gelu", nn.SiLU: "silu", nn.ELU: "elu",
    nn.Hardswish: "hardswish", nn.Mish: "mish", nn.Softplus: "softplus", nn.BatchNorm2d: "batch_norm", nn.Dropout: "dropout",
    nn.Dropout2d: "dropout2d", nn.Identity: "alias", nn.MaxPool2d: "max_pool2d", nn.AvgPool2d: "avg_pool2d",
}  # fmt: skip
