"""Operations without a backward rule are rejected by name, unless the layer does not depend on them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deconvwidgets.engine.projection.rule_mode import RuleMode
from deconvwidgets.engine.projection.rules import Rule
from deconvwidgets.errors import RuleError
from deconvwidgets.models.torchvision_import import import_torchvision
from tests.engine.projection.backward import Lambda, run_backward

MAPS = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
MIXER = torch.randn(4, 4, 1, 1, generator=torch.Generator().manual_seed(1))


def rejection(module: nn.Module, images: Tensor = MAPS, rule: Rule = "deconvnet") -> str:
    """Return the message of the error, or "" if the module's output can be projected."""
    leaf = images.clone().requires_grad_()
    with RuleMode(rule) as mode:
        x = leaf.clone()
        mode.watch(x)
        result = module(x)
        try:
            mode.check(result, "conv9")
        except RuleError as error:
            return str(error)
    return ""


class CustomRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: object, *signals: Tensor) -> Tensor:
        return signals[0]


class NumPyRelu(CustomRelu):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return torch.from_numpy(x.detach().numpy().clip(min=0))


class Negate(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return -x


def multiplies_by_a_gate(x: Tensor) -> Tensor:
    return x * F.conv2d(x.mean((2, 3), keepdim=True), MIXER)


def sets_by_mask(x: Tensor) -> Tensor:
    x[x < 0] = 0
    return x


def squares_a_slice(x: Tensor) -> Tensor:
    y = x * 1
    y[:, 0].square_()
    return y


def squares_in_place(x: Tensor) -> Tensor:
    x.square_()
    x += 1
    return x


def adds_a_square_in_place(x: Tensor) -> Tensor:
    y = 2 * x
    y += x.square()
    return y


def overwrites_half_of_a_square(x: Tensor) -> Tensor:
    buffer = torch.zeros(2, 4, 6, 6)
    buffer.copy_(x.square())
    buffer[:, :2].copy_(x[:, :2])
    return buffer


def squares_into_a_buffer(x: Tensor) -> Tensor:
    buffer = torch.zeros(2, 8, 6, 6)
    buffer[:, :4] = x
    buffer[:, 4:] = x.square()
    return buffer


def squares_without_gradient(x: Tensor) -> Tensor:
    with torch.no_grad():
        y = F.conv2d(x, MIXER)
    return x + y


REJECTED: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "gelu": (F.gelu, "gelu"),
    "silu": (nn.SiLU(), "silu (in SiLU 'function') has no backward rule"),
    "silu in place": (lambda x: F.silu(x, inplace=True), "silu"),
    "hardswish": (F.hardswish, "hardswish"),
    "sigmoid": (torch.sigmoid, "torch.sigmoid"),
    "sigmoid_": (lambda x: x.sigmoid_() + 1, "sigmoid_"),
    "tanh": (lambda x: x.tanh(), "tanh"),
    "softmax": (lambda x: x.softmax(1), "softmax"),
    "elu": (F.elu, "elu"),
    "softplus": (F.softplus, "softplus"),
    "abs": (lambda x: abs(x), "abs"),
    "power": (lambda x: x**2, "pow"),
    "exp": (torch.exp, "exp"),
    "round": (torch.round, "round"),
    "cast to integers": (lambda x: x.to(torch.int32).float() * 2 + x, "to"),
    "int": (lambda x: x.int().float() * 2 + x, "int"),
    "product with a mask": (lambda x: x * (x > 0), "gt"),
    "product of two signals": (lambda x: x * x, "mul"),
    "gate": (multiplies_by_a_gate, "multiplies two tensors that both depend on the input (a gate)"),
    "signal as a filter": (lambda x: F.conv2d(x, x[:, :, :1, :1]), "conv2d"),
    "attention": (lambda x: x @ x.transpose(2, 3), "matmul"),
    "divided by the signal": (lambda x: 1 / x, "div"),
    "divided by itself": (lambda x: x / x.sum(), "divides by a tensor that depends on the input"),
    "rounded division": (lambda x: torch.div(x, 2, rounding_mode="floor"), "rounds"),
    "where": (lambda x: torch.where(x > 0, x, 0), "gt"),
    "masked fill": (lambda x: x.masked_fill(x < 0, 0), "lt"),
    "masked set": (sets_by_mask, "lt"),
    "clamp from below zero": (lambda x: x.clamp(-1, 1), "clamp"),
    "clamp from above only": (lambda x: x.clamp(max=6), "clamp"),
    "hardtanh": (F.hardtanh, "hardtanh"),
    "abs as a leaky relu": (lambda x: F.leaky_relu(x, -1.0), "leaky_relu"),
    "maximum of two signals": (lambda x: torch.maximum(x, -x), "maximum"),
    "maximum with one": (lambda x: torch.maximum(x, torch.ones_like(x)), "maximum"),
    "minimum": (lambda x: x.min(dim=1).values, "min"),
    "sort": (lambda x: x.sort(dim=1).values, "sort"),
    "group norm": (nn.GroupNorm(2, 4), "group_norm (in GroupNorm 'function') has no backward rule"),
    "layer norm": (lambda x: F.layer_norm(x, [6]), "layer_norm"),
    "instance norm": (lambda x: F.instance_norm(x), "statistics of each image"),
    "normalize": (lambda x: F.normalize(x), "normalize"),
    "norm": (lambda x: x / x.norm(), "norm"),
    "slice in place": (squares_a_slice, "square_"),
    "in place, result discarded": (squares_in_place, "square_"),
    "added in place": (adds_a_square_in_place, "square"),
    "half overwritten": (overwrites_half_of_a_square, "square"),
    "through a buffer": (squares_into_a_buffer, "square"),
    "detached": (lambda x: x.detach() * 2, "detached from the input"),
    "half detached": (lambda x: x + x.detach(), "detached from the input"),
    "data": (lambda x: x.data + x, "detached from the input"),
    "no_grad": (squares_without_gradient, "torch.no_grad()"),
    "custom autograd function": (CustomRelu.apply, "custom autograd function"),
    "custom autograd function in NumPy": (lambda x: NumPyRelu.apply(x) * 2, "NumPyReluBackward"),
    "custom autograd function in NumPy as the layer": (NumPyRelu.apply, "NumPyReluBackward"),
    "scripted": (lambda x: scripted_square(x) * 2, "TorchScript"),
    "aten operator": (lambda x: torch.ops.aten.silu(x), "aten.silu"),
    "training batch norm": (nn.BatchNorm2d(4).train(), "call model.eval() first"),
    "batch norm without statistics": (nn.BatchNorm2d(4, track_running_stats=False).eval(), "model.eval()"),
    "training dropout": (nn.Dropout(0.5).train(), "call model.eval() first"),
    "functional dropout": (lambda x: F.dropout(x), "call model.eval() first"),
    "training channel dropout": (nn.Dropout2d().train(), "call model.eval() first"),
    "training rrelu": (nn.RReLU().train(), "call model.eval() first"),
}


@torch.jit.script
def scripted_square(x: Tensor) -> Tensor:
    return x * x


@pytest.mark.parametrize("rule", ["deconvnet", "guided"])
@pytest.mark.parametrize("name", REJECTED)
def test_operations_without_a_rule_are_rejected_by_name(name: str, rule: Rule) -> None:
    function, expected = REJECTED[name]
    message = rejection(Lambda(function), rule=rule)
    assert expected in message
    assert "'conv9'" in message
    assert "gradient" in message or "model.eval()" in message
    assert rejection(Lambda(function), rule="gradient") == ""


def pools_and_unpools(x: Tensor) -> Tensor:
    pooled, switches = F.max_pool2d(x, 2, return_indices=True)
    return F.max_unpool2d(pooled, switches, 2)


def computes_an_unused_sigmoid(x: Tensor) -> Tensor:
    side = torch.sigmoid(x)
    side.mul_(2)
    return F.conv2d(x, MIXER)


def reads_metadata(x: Tensor) -> Tensor:
    _ = float(x.detach().abs().max()), x.shape, x.size(0), x.dtype, str(x.device), x.numel()
    return x + torch.zeros_like(x)


def transforms_the_input(x: Tensor) -> Tensor:
    return torch.cat([torch.unsqueeze(x[:, 0], 1) * 0.4 + 0.1, x[:, 1:]], 1)


def shuffles_channels(x: Tensor) -> Tensor:
    return x.view(2, 2, 2, 6, 6).transpose(1, 2).contiguous().view(2, -1, 6, 6)


def writes_into_a_buffer(x: Tensor) -> Tensor:
    buffer = torch.zeros(2, 8, 6, 6)
    buffer[:, :4] = x
    return buffer


ALLOWED: dict[str, Callable[[Tensor], Tensor]] = {
    "nothing": lambda x: x,
    "identity": nn.Identity(),
    "arithmetic": lambda x: 1 - (2 * x - x / 3 + 0.5) + (-x),
    "arithmetic in place": lambda x: x.add_(x.clone()).sub_(1).mul_(2).div_(3),
    "factor": lambda x: x * MIXER[:, 0],
    "input transform": transforms_the_input,
    "channel shuffle": shuffles_channels,
    "channel shuffle operation": lambda x: F.channel_shuffle(x, 2),
    "buffer": writes_into_a_buffer,
    "split and joined": lambda x: torch.cat([*x.split(1, 1), *x.chunk(2, 1)], 1) + torch.stack(list(x[0].unbind(0))).repeat(2, 2, 1, 1),
    "shapes": lambda x: x.flatten(1).reshape(2, 4, 6, 6).permute(0, 2, 3, 1).mT.squeeze().unsqueeze(0).movedim(0, 1),
    "flips and rolls": lambda x: x.flip(2).roll(1, 3).rot90(1, (2, 3)),
    "pads": lambda x: F.pad(F.pad(x, (1, 1, 1, 1)), (1, 1, 1, 1), mode="reflect"),
    "averages": lambda x: F.adaptive_avg_pool2d(F.avg_pool2d(x, 2), 1) + x.mean((2, 3), keepdim=True),
    "maxima": lambda x: F.adaptive_max_pool2d(F.max_pool2d(x, 2), 1) + x.amax((2, 3), keepdim=True) + x.max(dim=1, keepdim=True).values,
    "unpooled": pools_and_unpools,
    "resized": lambda x: F.interpolate(F.interpolate(x, scale_factor=2), size=(5, 5), mode="bilinear"),
    "pixel shuffle": lambda x: F.pixel_shuffle(x, 2),
    "convolved": lambda x: F.conv_transpose2d(F.conv2d(x, MIXER, bias=torch.ones(4)), MIXER),
    "matrix products": lambda x: torch.einsum("nchw,cd->ndhw", x @ torch.eye(6), MIXER[:, :, 0, 0]),
    "constant mask": lambda x: torch.where(torch.eye(6) > 0, x, 0.0).masked_fill(torch.eye(6) > 0, 1.0),
    "casts": lambda x: x.to(torch.float64).float().to("cpu").type_as(x).contiguous(),
    "shapes and types of the signal": lambda x: x * torch.full((1,), 2).to(x).reciprocal().expand_as(x).square(),
    "eval layers": nn.Sequential(nn.BatchNorm2d(4), nn.Dropout(), nn.Dropout2d(), nn.InstanceNorm2d(4, track_running_stats=True)).eval(),
    "dropout with p=0": lambda x: F.dropout(x, 0.0),
    "response norm": nn.LocalResponseNorm(3),
    "unused sigmoid": computes_an_unused_sigmoid,
    "metadata": reads_metadata,
}  # fmt: skip


@pytest.mark.parametrize("rule", ["deconvnet", "guided"])
@pytest.mark.parametrize("name", ALLOWED)
def test_linear_operations_are_transposed(name: str, rule: Rule) -> None:
    module = Lambda(ALLOWED[name])
    signal = torch.randn(module(MAPS.clone()).shape)
    maps, pixels = run_backward(module, MAPS, signal, rule)
    if name == "response norm":
        assert torch.equal(pixels, signal)
        return
    assert torch.equal(maps, module(MAPS.clone()))
    torch.testing.assert_close(pixels, run_backward(module, MAPS, signal, "gradient")[1])


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("efficientnet_b0", {}, "silu (in SiLU 'features.0.2')"),
        ("regnet_y_400mf", {}, "(in SqueezeExcitation 'trunk_output.block1.block1-0.f.se')"),
        ("convnext_tiny", {}, "layer_norm (in LayerNorm2d 'features.0.1')"),
        ("mobilenet_v3_small", {}, "hardswish (in Hardswish 'features.0.2')"),
        ("vit_b_32", {"image_size": 64}, "layer_norm (in LayerNorm 'encoder.layers.encoder_layer_0.ln_1')"),
        ("alexnet", {}, ""),
        ("squeezenet1_1", {}, ""),
        ("resnet18", {}, ""),
        ("densenet121", {}, ""),
        ("mobilenet_v2", {}, ""),
        ("shufflenet_v2_x0_5", {}, ""),
        ("regnet_x_400mf", {}, ""),
        ("mnasnet0_5", {}, ""),
        ("googlenet", {"transform_input": True, "init_weights": False}, ""),
    ],
)
def test_known_models_are_accepted_or_rejected_by_name(name: str, options: dict[str, object], expected: str) -> None:
    models = import_torchvision().models
    model = models.get_model(name, weights=None, **options).eval()
    message = rejection(model, torch.ones(1, 3, 64, 64))
    assert expected in message if expected else message == ""


def test_a_layer_before_an_operation_without_a_rule_can_be_projected() -> None:
    conv = nn.Conv2d(4, 2, 3)
    assert rejection(nn.Sequential(conv, nn.SiLU())) != ""
    assert rejection(conv) == ""


def test_a_layer_that_does_not_depend_on_the_input_is_rejected() -> None:
    assert "no recorded operation connects it with the network's input" in rejection(Lambda(lambda x: torch.ones(2, 2)))


def test_an_unknown_rule_is_rejected() -> None:
    with pytest.raises(RuleError, match="'deconvnet', 'gradient' or 'guided'"):
        RuleMode("lrp")  # type: ignore[arg-type]
