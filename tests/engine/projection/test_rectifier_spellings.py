"""Rules apply to every spelling of a rectifier, and in-place rectifiers still work in place."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deconvwidgets.engine.projection.rules import Rule
from tests.engine.projection.backward import RULES, Lambda, run_backward


def leaky_derivative(slope: float) -> Callable[[Tensor], Tensor]:
    return lambda x: (x > 0).double() + slope * (x <= 0).double()


SPELLINGS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    # the rectifier, and its derivative
    **{
        name: (rectifier, lambda x: (x > 0).double())
        for name, rectifier in {
            "F.relu": F.relu,
            "F.relu in place": lambda x: F.relu(x, inplace=True),
            "F.relu_": F.relu_,
            "F.relu by keyword": lambda x: F.relu(input=x),
            "torch.relu": torch.relu,
            "torch.relu_": torch.relu_,
            "Tensor.relu": lambda x: x.relu(),
            "Tensor.relu_": lambda x: x.relu_(),
            "aten.relu": torch.ops.aten.relu,
            "aten.relu.default": torch.ops.aten.relu.default,
            "nn.ReLU": nn.ReLU(),
            "nn.ReLU in place": nn.ReLU(inplace=True),
            "clamp min": lambda x: x.clamp(min=0),
            "clamp 0": lambda x: torch.clamp(x, 0.0),
            "clamp_ 0": lambda x: x.clamp_(0),
            "clip": lambda x: torch.clip(x, min=0),
            "clamp_min": lambda x: x.clamp_min(0),
            "clamp_min_": lambda x: torch.clamp_min_(x, 0),
            "clamp by a tensor": lambda x: torch.clamp(x, min=torch.tensor(0.0, dtype=torch.float64)),
            "maximum with zeros": lambda x: torch.maximum(x, torch.zeros_like(x)),
            "maximum of zeros": lambda x: torch.maximum(torch.zeros((), dtype=torch.float64), x),
            "max of two": lambda x: torch.max(x, torch.zeros_like(x)),
            "Tensor.max": lambda x: x.max(other=x.new_zeros(())),
            "fmax": lambda x: torch.fmax(x, torch.zeros_like(x)),
            "F.threshold": lambda x: F.threshold(x, 0, 0),
            "torch.threshold": lambda x: torch.threshold(x, 0, 0),
            "nn.Threshold in place": nn.Threshold(0, 0, inplace=True),
            "torch.threshold_": lambda x: torch.threshold_(x, 0, 0),
        }.items()
    },
    **{
        name: (rectifier, lambda x: ((x > 0) & (x < 6)).double())
        for name, rectifier in {
            "F.relu6": F.relu6,
            "F.relu6 in place": lambda x: F.relu6(x, inplace=True),
            "nn.ReLU6": nn.ReLU6(),
            "nn.ReLU6 in place": nn.ReLU6(inplace=True),
            "F.hardtanh": lambda x: F.hardtanh(x, 0, 6),
            "F.hardtanh by keyword": lambda x: F.hardtanh(x, min_val=0.0, max_val=6.0),
            "nn.Hardtanh in place": nn.Hardtanh(0, 6, inplace=True),
            "F.hardtanh_": lambda x: F.hardtanh_(x, 0, 6),
            "clamp between": lambda x: x.clamp(0, 6),
            "clip between": lambda x: torch.clip(x, min=0, max=6),
        }.items()
    },
    "F.threshold above zero": (lambda x: F.threshold(x, 1.0, 0.0), lambda x: (x > 1).double()),
    "F.leaky_relu": (lambda x: F.leaky_relu(x, 0.1), leaky_derivative(0.1)),
    "F.leaky_relu by default": (F.leaky_relu, leaky_derivative(0.01)),
    "F.leaky_relu_": (lambda x: F.leaky_relu_(x, 0.1), leaky_derivative(0.1)),
    "nn.LeakyReLU in place": (nn.LeakyReLU(0.3, inplace=True), leaky_derivative(0.3)),
    "F.prelu": (lambda x: F.prelu(x, torch.tensor([0.25], dtype=torch.float64)), leaky_derivative(0.25)),
    "nn.PReLU": (nn.PReLU(init=0.5).double(), leaky_derivative(0.5)),
    "F.rrelu": (lambda x: F.rrelu(x, 0.1, 0.3), leaky_derivative(0.2)),
    "nn.RReLU in place": (nn.RReLU(0.1, 0.3, inplace=True).eval(), leaky_derivative(0.2)),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_rules_apply_to_every_spelling_of_a_rectifier(name: str) -> None:
    rectifier, derivative = SPELLINGS[name]
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=rng) * 5
    signal = torch.randn(x.shape, dtype=torch.float64, generator=rng)
    expected = {"deconvnet": signal.relu(), "guided": signal.relu() * derivative(x), "gradient": signal * derivative(x)}
    with torch.no_grad():
        plain = rectifier(x.clone())
    for rule in RULES:
        maps, pixels = run_backward(Lambda(rectifier), x, signal, rule)
        assert torch.equal(maps, plain)
        torch.testing.assert_close(pixels, expected[rule], atol=1e-12, rtol=0)


def discards_the_result(x: Tensor) -> Tensor:
    F.relu_(x)
    return x


def rectifies_a_view(x: Tensor) -> Tensor:
    x = x * 1
    x[:, 0].relu_()
    return x


def rectifies_and_returns_a_view(x: Tensor) -> Tensor:
    x = x * 1
    first = x[:, 0]
    x.relu_()
    return first


def adds_to_the_result(x: Tensor) -> Tensor:
    result = F.relu(x)
    result += 2 * x
    return result


@pytest.mark.parametrize("function", [discards_the_result, rectifies_a_view, rectifies_and_returns_a_view, adds_to_the_result])
@pytest.mark.parametrize("rule", RULES)
def test_in_place_rectifiers_work_in_place(function: Callable[[Tensor], Tensor], rule: Rule) -> None:
    if rule == "gradient" and function is adds_to_the_result:
        pytest.skip("autograd rejects it, because relu saves its result, which is overwritten")
    x = torch.tensor([[-2.0, 3.0], [5.0, -7.0]], dtype=torch.float64)
    with torch.no_grad():
        plain = function(x.clone())
    signal = (
        torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
        if plain.dim() == 2
        else torch.tensor([1.0, -1.0], dtype=torch.float64)
    )
    maps, pixels = run_backward(Lambda(function), x, signal, rule)
    assert torch.equal(maps, plain)
    derivative = (x > 0).double() if signal.dim() == 2 else (x[:, 0] > 0).double()
    rectified = {"deconvnet": signal.relu(), "guided": signal.relu() * derivative, "gradient": signal * derivative}[rule]
    expected = torch.zeros_like(x)
    if function is rectifies_a_view:
        expected[:, 0], expected[:, 1] = rectified[:, 0], signal[:, 1]
    elif function is rectifies_and_returns_a_view:
        expected[:, 0] = rectified
    else:
        expected = rectified + (2 * signal if function is adds_to_the_result else 0)
    torch.testing.assert_close(pixels, expected, atol=1e-12, rtol=0)
