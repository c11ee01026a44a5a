"""The rules against the literal deconvnet, every spelling of a rectifier, and what must not change or stay behind."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from deconvwidgets.engine.projection.rules import Rule, RuleMode
from tests.engine.projection import literal_deconvnet as literal
from tests.engine.projection.backward import RULES, Written, run_down
from tests.engine.projection.literal_deconvnet import AvgPool, Chain, Concat, LocalResponseNorm, MaxPool, Rectifier, Sum
from tests.engine.projection.literal_to_torch import twin
from tests.engine.random_steps import batch_norm, conv, fully_connected

BUILD = np.random.default_rng(7)


def loud(step: literal.Conv) -> literal.Conv:
    """So loud that the ceiling of a relu6 is reached."""
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
    "average pools that count the image": Chain(
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
    "relu6 above its ceiling": Chain([conv(BUILD, 3, 4), loud(conv(BUILD, 4, 4)), Rectifier(6.0), conv(BUILD, 4, 4), Rectifier(6.0)]),
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
def test_a_signed_signal_goes_down_as_written_out_by_hand(name: str, inplace: bool, rule: Rule) -> None:
    if inplace and name in ("residual", "concatenated"):
        pytest.skip("the branches share their input")
    network, rng = NETWORKS[name], np.random.default_rng(3)
    image = rng.normal(size=(3, 13, 11)) * 2
    maps = network.up(image)
    signal = rng.normal(size=maps.shape)
    found_maps, pixels = run_down(twin(network, inplace), torch.from_numpy(image)[None], torch.from_numpy(signal)[None], rule)
    np.testing.assert_allclose(found_maps[0].numpy(), maps, atol=1e-10, rtol=0)
    wanted = network.down(signal, rule)
    assert np.abs(wanted).max() > 1e-3
    np.testing.assert_allclose(pixels[0].numpy(), wanted, atol=1e-10, rtol=0)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", [None, 1.0, -1.5])
@pytest.mark.parametrize("place", [(0, 0), (0, 1), (2, 1)])
def test_one_activation_goes_down_as_written_out_by_hand(place: tuple[int, int], seed: float | None, rule: Rule) -> None:
    network, image = NETWORKS["overlapping pools"], np.random.default_rng(5).normal(size=(3, 13, 11))
    maps = network.up(image)
    signal = np.zeros_like(maps)
    unit = int(maps[:, place[0], place[1]].argmax())
    signal[unit, place[0], place[1]] = maps[unit, place[0], place[1]] if seed is None else seed
    _, pixels = run_down(twin(network), torch.from_numpy(image)[None], torch.from_numpy(signal)[None], rule)
    np.testing.assert_allclose(pixels[0].numpy(), literal.project(network, image, unit, *place, rule, seed), atol=1e-10, rtol=0)


def test_switches_shared_by_overlapping_windows_add() -> None:
    image = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    image[0, 0, 2, 2] = 1  # the largest of all four 3x3 windows at stride 2
    _, pixels = run_down(nn.MaxPool2d(3, 2), image, torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], dtype=torch.float64), "deconvnet")
    assert pixels[0, 0, 2, 2] == 10
    assert pixels.sum() == 10


def test_a_module_used_twice_rectifies_twice() -> None:
    """A hook on the module would see one output only."""
    shared, flip = nn.ReLU(inplace=True), -torch.ones(1, dtype=torch.float64)
    x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    _, pixels = run_down(Written(lambda x: shared(flip * shared(x))), x, torch.tensor([[1.0, -1.0]], dtype=torch.float64), "deconvnet")
    assert pixels.tolist() == [[0.0, 0.0]]  # rectified, turned over, rectified again: nothing is left
    _, pixels = run_down(Written(lambda x: flip * shared(x)), x, torch.tensor([[1.0, -1.0]], dtype=torch.float64), "deconvnet")
    assert pixels.tolist() == [[0.0, 1.0]]


def test_the_skip_beside_a_rectifier_keeps_its_signal() -> None:
    """relu(x) + 5 x sends down 1 + 5; libraries that hook modules lose one of the two branches."""
    x = torch.tensor([[3.0, -3.0]], dtype=torch.float64)
    for rule, wanted in {"deconvnet": [6.0, 6.0], "guided": [6.0, 5.0], "gradient": [6.0, 5.0]}.items():
        _, pixels = run_down(Written(lambda x: F.relu(x) + 5 * x), x, torch.ones_like(x), rule)  # type: ignore[arg-type]
        assert pixels.tolist() == [wanted]


def test_nothing_stays_behind() -> None:
    module = twin(NETWORKS["residual"])
    before = {name: value.clone() for name, value in module.state_dict().items()}
    leaf = torch.randn(1, 3, 13, 11, dtype=torch.float64, requires_grad=True)
    mode = RuleMode("guided")
    with mode:
        x = leaf.clone()
        mode.watch(x)
        maps = module(x)
        mode.judge(maps, "top")
        mode.watch(watched_leaf := torch.ones(1, requires_grad=True))
    watched = weakref.ref(x), weakref.ref(watched_leaf), weakref.ref(maps), weakref.ref(maps.grad_fn)
    del x, maps, watched_leaf
    gc.collect()
    assert [reference() for reference in watched] == [None] * 4
    assert not any(part._forward_hooks or part._backward_hooks or part._forward_pre_hooks for part in module.modules())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    signal = torch.tensor([-1.0], dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.grad(F.relu(one), one, signal)[0].item() == -1  # plain autograd again


def test_nothing_stays_behind_after_an_error() -> None:
    with pytest.raises(RuntimeError, match="size"), RuleMode("deconvnet"):
        F.relu(torch.ones(2, requires_grad=True)) + torch.ones(3)
    one = torch.ones(1, requires_grad=True)
    assert torch.autograd.grad(F.relu(one), one, -torch.ones(1))[0].item() == -1


def test_the_parameters_of_a_training_run_are_left_alone() -> None:
    """Outside of autograd the rules have nothing to do, and a rectifier must not begin a graph."""
    with torch.no_grad(), RuleMode("deconvnet") as mode:
        x = torch.tensor([-1.0, 2.0])
        mode.watch(x)
        assert F.relu(x).tolist() == [0, 2]
        assert not F.relu(x).requires_grad
        assert F.relu(torch.tensor([-3, 4])).tolist() == [0, 4]
