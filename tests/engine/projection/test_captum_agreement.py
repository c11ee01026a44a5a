"""Captum's NeuronDeconvolution gives the same pixels where it is right, and where it is not.

It hooks the modules that are rectifiers: right for torchvision's AlexNet, VGG and ResNet, whose rectifiers are all modules (also where a
block calls one of them twice, in place), not for `F.relu`, and not where a rectifier's input also goes around it.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deconvwidgets.engine.projection.rules import RuleMode
from deconvwidgets.models.torchvision_import import import_torchvision
from tests.engine.projection.backward import run_down

attr = pytest.importorskip("captum.attr", reason="captum is not installed (the test extra has it)")


def random_trunk(name: str) -> nn.Module:
    """The model, without a classifier that takes longer to fill with numbers than the test to run."""
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


class _StoppedError(Exception):
    pass


def maps_of(model: nn.Module, layer: str, x: Tensor) -> Tensor:
    """The layer's output, stopping there: what runs later may write over it."""
    found: list[Tensor] = []

    def stop(module: nn.Module, inputs: object, output: Tensor) -> None:
        found.append(output)
        raise _StoppedError

    handle = model.get_submodule(layer).register_forward_hook(stop)
    try:
        model(x)
    except _StoppedError:
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
def test_captum_gives_the_same_pixels(name: str, size: int, layers: list[str]) -> None:
    torch.manual_seed(0)
    model = random_trunk(name)
    image = torch.randn(1, 3, size, size)
    for layer in layers:
        leaf = image.clone().requires_grad_()
        with RuleMode("deconvnet") as mode:
            x = leaf.clone()
            mode.watch(x)
            maps = maps_of(model, layer, x)
            mode.judge(maps, layer)
        unit = int(maps[0, :, 2, 1].argmax())
        (pixels,) = torch.autograd.grad(maps[0, unit, 2, 1], leaf)
        peer = attr.NeuronDeconvolution(model, model.get_submodule(layer)).attribute(image.clone().requires_grad_(), (unit, 2, 1))
        assert peer.abs().max() > 0
        assert (pixels - peer).abs().max() <= 1e-4 * peer.abs().max()


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
    ("module", "unit", "right", "wrong"),
    [(SkipBesideRectifier(), 0, [6.0, 0.0], [1.0, 0.0]), (Functional(), 1, [0.0, 1.0], [0.0, 0.0])],
)
def test_captum_loses_skips_and_does_not_see_functional_rectifiers(
    module: nn.Module, unit: int, right: list[float], wrong: list[float]
) -> None:
    """Why these two are not compared: relu(x) + 5 x sends 6 down, and the deconvnet rule asks nothing of the forward sign."""
    x = torch.tensor([[3.0, -3.0]])
    _, ours = run_down(module, x, torch.eye(2)[unit][None], "deconvnet")
    peer = attr.NeuronDeconvolution(module, module.top).attribute(x.clone().requires_grad_(), (unit,))
    assert ours.tolist() == [right]
    assert peer.tolist() == [wrong]
