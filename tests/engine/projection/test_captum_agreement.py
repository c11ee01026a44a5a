"""Comparison with Captum's NeuronDeconvolution.

Captum hooks rectifier modules. That is right for torchvision's AlexNet, VGG and ResNet, whose rectifiers are all modules (even if a block
calls one of them twice, in place). It is wrong for `F.relu`, and if the input of a rectifier has another user.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deconvwidgets.engine.projection.rule_mode import RuleMode
from deconvwidgets.models.torchvision_import import import_torchvision
from tests.engine.projection.backward import run_backward

attr = pytest.importorskip("captum.attr", reason="captum is not installed (the test extra has it)")


def random_trunk(name: str) -> nn.Module:
    """Return a model with random weights, without its classifier, whose initialisation would take longer than the test."""
    models = import_torchvision().models
    if name.startswith("resnet"):
        return models.get_model(name, weights=None).eval()
    with torch.device("meta"):
        model = models.get_model(name, weights=None)
    trunk = model.features.to_empty(device="cpu").eval()
    for module in trunk:
        if isinstance(module, nn.Conv2d):
            module.reset_parameters()
    return trunk


class _StopForwardError(Exception):
    pass


def maps_of(model: nn.Module, layer: str, x: Tensor) -> Tensor:
    """Return a layer's output. The forward pass stops there, because a later operation may overwrite the output."""
    found: list[Tensor] = []

    def stop(module: nn.Module, inputs: object, output: Tensor) -> None:
        found.append(output)
        raise _StopForwardError

    handle = model.get_submodule(layer).register_forward_hook(stop)
    try:
        model(x)
    except _StopForwardError:
        return found[0]
    finally:
        handle.remove()
    raise AssertionError(f"{layer} was not called")


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
@pytest.mark.parametrize(
    ("name", "size", "layers"),
    [
        ("alexnet", 95, ["0", "3", "6", "8", "10"]),
        ("vgg11", 64, ["3", "8", "13"]),
        ("resnet18", 64, ["conv1", "layer1.1.bn2", "layer2.0.conv1", "layer3.1.conv2"]),
    ],
)
def test_projections_equal_captums(name: str, size: int, layers: list[str]) -> None:
    torch.manual_seed(0)
    model = random_trunk(name)
    image = torch.randn(1, 3, size, size)
    for layer in layers:
        leaf = image.clone().requires_grad_()
        with RuleMode("deconvnet") as mode:
            x = leaf.clone()
            mode.watch(x)
            maps = maps_of(model, layer, x)
            mode.check(maps, layer)
        unit = int(maps[0, :, 2, 1].argmax())
        (pixels,) = torch.autograd.grad(maps[0, unit, 2, 1], leaf)
        captum = attr.NeuronDeconvolution(model, model.get_submodule(layer)).attribute(image.clone().requires_grad_(), (unit, 2, 1))
        assert captum.abs().max() > 0
        assert (pixels - captum).abs().max() <= 1e-4 * captum.abs().max()


class SkipBesideRectifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.relu, self.top = nn.ReLU(), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.top(self.relu(x) + 5 * x)


class Functional(SkipBesideRectifier):
    def forward(self, x: Tensor) -> Tensor:
        return self.top(F.relu(x))


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
@pytest.mark.parametrize(
    ("module", "unit", "expected", "captums"),
    [(SkipBesideRectifier(), 0, [6.0, 0.0], [1.0, 0.0]), (Functional(), 1, [0.0, 1.0], [0.0, 0.0])],
)
def test_captum_misses_skip_connections_and_functional_rectifiers(
    module: nn.Module, unit: int, expected: list[float], captums: list[float]
) -> None:
    """The signal of relu(x) + 5 x is 1 + 5, and the deconvnet rule does not depend on the sign of the forward value."""
    x = torch.tensor([[3.0, -3.0]])
    _, ours = run_backward(module, x, torch.eye(2)[unit][None], "deconvnet")
    captum = attr.NeuronDeconvolution(module, module.top).attribute(x.clone().requires_grad_(), (unit,))
    assert ours.tolist() == [expected]
    assert captum.tolist() == [captums]
