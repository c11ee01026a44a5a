"""What is known of each operation, in one place.

An operation is listed by its canonical name, which all its spellings share ("relu" for `torch.relu_`, `F.relu(inplace=True)` and
`Tensor.relu`), by its module class, or by its function. An operation that is not listed is never assumed to be harmless: it is treated as
one that reads the whole image, and no signal is propagated backwards through it.

What depends on the arguments of a call is checked elsewhere: `windows.py` reads the window of a convolution or pooling, and
`backward_checks.py` checks whether a call is linear.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


def operation_name(node: fx.Node, modules: Mapping[str, nn.Module]) -> str:
    """Return the name of a graph node's operation: its module's class or its function's name."""
    if node.op == "call_module":
        return type(modules[str(node.target)]).__name__
    if node.target in MAX_POOL2D_FUNCTIONS:
        return "max_pool2d"
    return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))


def canonical_name(func: Callable[..., Any]) -> str:
    """Return the name shared by all spellings of an operation, without underscores at its ends; "get T" for the property T."""
    name = str(getattr(func, "__name__", func))
    if name == "__get__":
        return "get " + str(getattr(getattr(func, "__self__", None), "__name__", "?"))
    name = name.split(".")[0].strip("_")
    return _SPELLINGS.get(name, name)


_SPELLINGS = {
    "iadd": "add", "radd": "add", "isub": "sub", "imul": "mul", "rmul": "mul", "itruediv": "div", "truediv": "div", "idiv": "div",
    "multiply": "mul", "divide": "div", "true_divide": "div", "subtract": "sub", "negative": "neg", "clip": "clamp", "fmax": "maximum",
    "concat": "cat", "concatenate": "cat", "invert": "bitwise_not", "rmatmul": "matmul",
}  # fmt: skip

# Functions that are recognised as such in a graph.

CONV2D_FUNCTIONS = (F.conv2d, torch.conv2d)
MAX_POOL2D_FUNCTIONS = (F.max_pool2d, torch.max_pool2d)

# Pointwise operations: position (r, c) of the output depends on position (r, c) of the inputs only.

POINTWISE_MODULES = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.Hardtanh, nn.Threshold, nn.ELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh,
    nn.Hardswish, nn.Hardsigmoid, nn.Softplus, nn.Mish, nn.BatchNorm2d, nn.Dropout, nn.Dropout2d, nn.Identity, nn.LocalResponseNorm,
)  # fmt: skip
POINTWISE_FUNCTIONS = {
    F.relu, F.relu_, torch.relu, torch.relu_, F.relu6, F.leaky_relu, F.leaky_relu_, F.prelu, F.hardtanh, F.hardtanh_, F.threshold,
    torch.threshold_, F.elu, F.gelu, F.silu, F.sigmoid, torch.sigmoid, torch.tanh, F.hardswish, F.hardsigmoid, F.softplus, F.mish,
    F.dropout, F.dropout2d, F.batch_norm, F.local_response_norm, torch.clamp, torch.clamp_min, torch.maximum, torch.neg,
    operator.add, operator.iadd, operator.sub, operator.isub, operator.mul, operator.imul, operator.truediv, operator.itruediv,
    operator.neg, torch.add, torch.sub, torch.mul, torch.div,
}  # fmt: skip
POINTWISE_METHODS = _names("""
    relu relu_ clamp clamp_ clamp_min clamp_min_ add add_ sub sub_ mul mul_ div div_ neg contiguous clone float double to sigmoid tanh
""")

# Operations that are pointwise along axis 1 (channels), by the position of their axis argument.

CHANNEL_AXIS_ARGUMENT = {"cat": 1, "concat": 1, "unsqueeze": 1, "chunk": 2, "split": 2}
SPLITS = _names("chunk split")

# Operations that keep channels apart and have no parameters of their own: one channel can be computed alone.

CHANNELWISE = _names("ReLU ReLU6 LeakyReLU Hardtanh relu relu_ relu6 leaky_relu hardtanh Identity Dropout")

# Functions that overwrite their first argument. (Methods that do end with an underscore; modules have an attribute `inplace`.)

INPLACE_FUNCTIONS = {
    operator.iadd, operator.isub, operator.imul, operator.itruediv, F.relu_, torch.relu_, F.leaky_relu_, F.hardtanh_, torch.threshold_,
}  # fmt: skip

# Operations after a convolution or linear layer, in a traced graph: the aliases convN, poolN and fcN depend on them.

RECTIFIERS = _names("""
    ReLU ReLU6 LeakyReLU PReLU RReLU Hardtanh Threshold relu relu_ relu6 leaky_relu leaky_relu_ prelu hardtanh hardtanh_ threshold
    threshold_ clamp clamp_ clamp_min clamp_min_
""")
SMOOTH_ACTIVATIONS = _names("ELU GELU SiLU Hardswish Mish Softplus elu gelu silu hardswish mish softplus")
BATCH_NORMS = _names("BatchNorm2d batch_norm")
BETWEEN_CONVOLUTION_AND_RECTIFIER = BATCH_NORMS | _names("Dropout Dropout2d Identity dropout dropout2d")
RESPONSE_NORMS = _names("LocalResponseNorm local_response_norm")

# The same for a model that cannot be traced, where only modules are seen.

RECTIFIER_MODULES = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.Hardtanh, nn.Threshold, nn.GELU, nn.SiLU, nn.ELU, nn.Hardswish,
)  # fmt: skip
POOLING_MODULES = (nn.MaxPool2d, nn.AvgPool2d)
MODULES_BETWEEN_CONVOLUTION_AND_RECTIFIER = (nn.BatchNorm2d, nn.Dropout, nn.Dropout2d, nn.Identity)

# Settings that decide a module's output and that its `extra_repr` omits.

SETTINGS_NOT_IN_REPR = ("ceil_mode", "count_include_pad", "divisor_override", "num_heads")

# The backward pass. Linear (or affine) in all tensor arguments jointly, so that autograd's transpose is the paper's. Pooling is routed by
# its switches and local response normalisation passes the signal on (see projection/rules.py).

LINEAR = _names("""
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
""")
TRANSPOSE_PROPERTIES = frozenset(["get T", "get mT", "get H", "get mH"])  # linear, too

# Linear if one factor only depends on the input.

PRODUCTS = _names("""
    mul matmul mm bmm mv dot inner outer kron tensordot einsum linear conv1d conv2d conv3d conv_tbc
    conv_transpose1d conv_transpose2d conv_transpose3d convolution strided_conv2d
""")

# A first argument plus a product of the two others.

SUMS_WITH_PRODUCT = _names("addmm addbmm baddbmm addmv addr addcmul")

# Linear in eval mode only.

DROPOUTS = _names("dropout dropout1d dropout2d dropout3d feature_dropout")  # active by default
ALPHA_DROPOUTS = _names("alpha_dropout feature_alpha_dropout")  # inactive by default
BATCH_NORM_CALLS = _names("batch_norm native_batch_norm")

# Linear if the target type is a floating-point type.

CASTS = _names("to type type_as")

# Linear if an argument (its position and keyword) does not depend on the input.

SELECTED_BY_ARGUMENT = {
    **dict.fromkeys(["gather", "index_select", "scatter", "scatter_add", "index_add", "index_copy"], (2, "index")),
    **dict.fromkeys(["getitem", "setitem", "take"], (1, "index")),
    **dict.fromkeys(["masked_fill", "masked_scatter", "masked_select"], (1, "mask")),
    "take_along_dim": (1, "indices"),
    "where": (0, "condition"),
    "grid_sample": (1, "grid"),
    "lerp": (2, "weight"),
}

# Calls that use the shape or type of their other tensor arguments, not their values.

SHAPED_LIKE_ARGUMENT = _names("to type_as view_as reshape_as expand_as")

# Calls that no signal passes through: they read metadata, make constants, or leave autograd.

METADATA_OPS = _names("""
    size dim ndimension numel nelement stride storage_offset data_ptr element_size get_device is_contiguous is_floating_point is_complex
    is_same_size is_nonzero is_pinned len hash repr str format item tolist type_name result_type requires_grad retain_grad
    register_hook backward zeros_like ones_like empty_like full_like rand_like randn_like new_zeros new_ones new_empty new_full
    detach numpy array assert dir reduce_ex deepcopy set_grad_enabled version
""")
