"""The rules against the literal deconvnet, and that nothing else is changed."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from deconvwidgets.engine.projection.rule_mode import RuleMode
from deconvwidgets.engine.projection.rules import Rule
from tests.engine.projection import literal_deconvnet as literal
from tests.engine.projection.backward import RULES, Lambda, run_backward
from tests.engine.projection.literal_deconvnet import AvgPool, Chain, Concat, LocalResponseNorm, MaxPool, Rectifier, Sum
from tests.engine.projection.literal_to_torch import to_torch
from tests.engine.random_steps import batch_norm, conv, fully_connected

BUILD = np.random.default_rng(7)


def scaled(step: literal.Conv) -> literal.Conv:
    """Scale the weights so that the ceiling of a ReLU6 is reached."""
    step.weight *= 20
    return step


RESIDUAL = Chain(
    [
        conv(BUILD, 3, 4),
        Rectifier(),
        Sum([Chain([conv(BUILD, 4, 4, padding=1), Rectifier(), conv(BUILD, 4, 4, padding=1)]), Chain([])]),
        Rectifier(),
        Sum([Chain([conv(BUILD, 4, 4, padding=1, stride=2)]), Chain([conv(BUILD, 4, 4, 1, stride=2)])]),
        Rectifier(),
    ]
)
NETWORKS: dict[str, Chain] = {
    "conv alone": Chain([conv(BUILD, 3, 4)]),
    "stride, padding, odd size": Chain([conv(BUILD, 3, 4, 3, stride=2, padding=1), Rectifier(), conv(BUILD, 4, 3), Rectifier()]),
    "grouped and dilated": Chain([conv(BUILD, 3, 6, 3, padding=2, dilation=2), Rectifier(), conv(BUILD, 6, 4, 3, groups=2, bias=False)]),
    "overlapping pools": Chain([conv(BUILD, 3, 4), Rectifier(), MaxPool(3, 2), conv(BUILD, 4, 5, 2), Rectifier()]),
    "pools of negatives with padding": Chain([conv(BUILD, 3, 4), MaxPool(3, 2, padding=1), conv(BUILD, 4, 4), Rectifier()]),
    "ceil-mode pool": Chain([conv(BUILD, 3, 4, 4), Rectifier(), MaxPool(3, 2, ceil=True), conv(BUILD, 4, 3, 2)]),
    "dilated pool": Chain([conv(BUILD, 3, 4), Rectifier(), MaxPool(3, 2, padding=1, dilation=2), conv(BUILD, 4, 3, 2), Rectifier()]),
    "average pools": Chain([conv(BUILD, 3, 4), Rectifier(), AvgPool(3, 2, padding=1), conv(BUILD, 4, 4, 2), Rectifier(), AvgPool(2, 1)]),
    "average pools that do not count padding": Chain(
        [conv(BUILD, 3, 4), Rectifier(), AvgPool(3, 2, padding=1, ceil=True, count_include_pad=False), conv(BUILD, 4, 4, 2), Rectifier()]
    ),
    "average pool in ceil mode": Chain([conv(BUILD, 3, 4, 2), Rectifier(), AvgPool(3, 2, padding=1, ceil=True), conv(BUILD, 4, 2, 2)]),
    "batch norm": Chain([conv(BUILD, 3, 4), batch_norm(BUILD, 4), Rectifier(), conv(BUILD, 4, 4), batch_norm(BUILD, 4), Rectifier()]),
    "response norm": Chain(
        [
            conv(BUILD, 3, 6),
            Rectifier(),
            LocalResponseNorm(5, 0.8, 0.75, 2.0),
            MaxPool(3, 2),
            LocalResponseNorm(4, 0.5, 0.5, 1.0),
            conv(BUILD, 6, 2, 2),
        ]
    ),
    "relu6 above its ceiling": Chain([conv(BUILD, 3, 4), scaled(conv(BUILD, 4, 4)), Rectifier(6.0), conv(BUILD, 4, 4), Rectifier(6.0)]),
    "leaky": Chain([conv(BUILD, 3, 4), Rectifier(slope=0.2), conv(BUILD, 4, 4), Rectifier(slope=0.05)]),
    "residual": RESIDUAL,
    "concatenated": Chain(
        [
            Rectifier(),
            Concat([Chain([conv(BUILD, 3, 2), Rectifier()]), Chain([MaxPool(3, 1), Rectifier()])]),
            conv(BUILD, 5, 4),
            Rectifier(),
        ]
    ),
    "fully connected": Chain(
        [conv(BUILD, 3, 4), Rectifier(), MaxPool(3, 3), fully_connected(BUILD, 36, 5), Rectifier(), fully_connected(BUILD, 5, 3)]
    ),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_signed_signal_is_propagated_as_by_the_literal_deconvnet(name: str, inplace: bool, rule: Rule) -> None:
    if inplace and name in ("residual", "concatenated"):
        pytest.skip("an in-place rectifier would overwrite the input of another branch")
    network, rng = NETWORKS[name], np.random.default_rng(3)
    image = rng.normal(size=(3, 13, 11)) * 2
    maps = network.forward(image)
    signal = rng.normal(size=maps.shape)
    found_maps, pixels = run_backward(to_torch(network, inplace), torch.from_numpy(image)[None], torch.from_numpy(signal)[None], rule)
    np.testing.assert_allclose(found_maps[0].numpy(), maps, atol=1e-10, rtol=0)
    expected = network.backward(signal, rule)
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(pixels[0].numpy(), expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", [None, 1.0, -1.5])
@pytest.mark.parametrize("position", [(0, 0), (0, 1), (2, 1)])
def test_one_activation_is_propagated_as_by_the_literal_deconvnet(position: tuple[int, int], seed: float | None, rule: Rule) -> None:
    network, image = NETWORKS["overlapping pools"], np.random.default_rng(5).normal(size=(3, 13, 11))
    maps = network.forward(image)
    signal = np.zeros_like(maps)
    unit = int(maps[:, position[0], position[1]].argmax())
    signal[unit, position[0], position[1]] = maps[unit, position[0], position[1]] if seed is None else seed
    _, pixels = run_backward(to_torch(network), torch.from_numpy(image)[None], torch.from_numpy(signal)[None], rule)
    np.testing.assert_allclose(pixels[0].numpy(), literal.project(network, image, unit, *position, rule, seed), atol=1e-10, rtol=0)


def test_signals_of_windows_that_share_a_switch_are_added() -> None:
    image = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    image[0, 0, 2, 2] = 1  # the maximum of all four 3 x 3 windows at stride 2
    _, pixels = run_backward(nn.MaxPool2d(3, 2), image, torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], dtype=torch.float64), "deconvnet")
    assert pixels[0, 0, 2, 2] == 10
    assert pixels.sum() == 10


def test_a_module_that_is_called_twice_rectifies_twice() -> None:
    """A hook on the module would see only one of the calls."""
    shared, flip = nn.ReLU(inplace=True), -torch.ones(1, dtype=torch.float64)
    x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    _, pixels = run_backward(Lambda(lambda x: shared(flip * shared(x))), x, torch.tensor([[1.0, -1.0]], dtype=torch.float64), "deconvnet")
    assert pixels.tolist() == [[0.0, 0.0]]  # rectified, negated, rectified again
    _, pixels = run_backward(Lambda(lambda x: flip * shared(x)), x, torch.tensor([[1.0, -1.0]], dtype=torch.float64), "deconvnet")
    assert pixels.tolist() == [[0.0, 1.0]]


def test_a_skip_connection_around_a_rectifier_keeps_its_signal() -> None:
    """The signal of relu(x) + 5 x is 1 + 5. Libraries that hook modules lose one of the branches."""
    x = torch.tensor([[3.0, -3.0]], dtype=torch.float64)
    for rule, expected in {"deconvnet": [6.0, 6.0], "guided": [6.0, 5.0], "gradient": [6.0, 5.0]}.items():
        _, pixels = run_backward(Lambda(lambda x: F.relu(x) + 5 * x), x, torch.ones_like(x), rule)  # type: ignore[arg-type]
        assert pixels.tolist() == [expected]


def test_no_hook_and_no_reference_remains() -> None:
    module = to_torch(NETWORKS["residual"])
    before = {name: value.clone() for name, value in module.state_dict().items()}
    leaf = torch.randn(1, 3, 13, 11, dtype=torch.float64, requires_grad=True)
    mode = RuleMode("guided")
    with mode:
        x = leaf.clone()
        mode.watch(x)
        maps = module(x)
        mode.check(maps, "top")
        mode.watch(watched_leaf := torch.ones(1, requires_grad=True))
    watched = weakref.ref(x), weakref.ref(watched_leaf), weakref.ref(maps), weakref.ref(maps.grad_fn)
    del x, maps, watched_leaf
    gc.collect()
    assert [reference() for reference in watched] == [None] * 4
    assert not any(part._forward_hooks or part._backward_hooks or part._forward_pre_hooks for part in module.modules())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    signal = torch.tensor([-1.0], dtype=torch.float64)
    x = torch.ones(1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.grad(F.relu(x), x, signal)[0].item() == -1  # plain autograd again


def test_no_rule_remains_after_an_error() -> None:
    with pytest.raises(RuntimeError, match="size"), RuleMode("deconvnet"):
        F.relu(torch.ones(2, requires_grad=True)) + torch.ones(3)
    x = torch.ones(1, requires_grad=True)
    assert torch.autograd.grad(F.relu(x), x, -torch.ones(1))[0].item() == -1


def test_rectifiers_require_no_gradient_outside_of_autograd() -> None:
    """Under torch.no_grad(), a rule must not make the result of a rectifier require a gradient."""
    with torch.no_grad(), RuleMode("deconvnet") as mode:
        x = torch.tensor([-1.0, 2.0])
        mode.watch(x)
        assert F.relu(x).tolist() == [0, 2]
        assert not F.relu(x).requires_grad
        assert F.relu(torch.tensor([-3, 4])).tolist() == [0, 4]
