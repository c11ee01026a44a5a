"""Small networks in float64 for contributions, and references that use nothing but PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import deconvwidgets as dw
from deconvwidgets.models.torchvision_import import import_torchvision


class HookRun(nn.Module):
    """A model whose control flow depends on its input, so that it cannot be traced."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU()
        self.second = nn.Conv2d(6, 8, 3, padding=1)
        self.classifier = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.relu(self.first(x))
        if float(x.mean()) > -1e9:
            maps = maps + maps.flip(1)
        return self.classifier(torch.relu(self.second(maps)).mean(dim=(2, 3)))


def bundle_of(net: nn.Module, size: int, name: str = "net") -> dw.ModelBundle:
    """A bundle in float64, with names for its classes."""
    net = net.double().eval()
    with torch.no_grad():
        classes = net(torch.zeros(2, 3, size, size, dtype=torch.float64)).shape[1]
    return dw.ModelBundle.from_module(net, input_size=(3, size, size), categories=[f"class {n}" for n in range(classes)], name=name)


def random_net(name: str) -> tuple[dw.ModelBundle, str]:
    """A bundle of an architecture with random weights, and one of its layers by the dotted name of a module."""
    torch.manual_seed(0)
    models = import_torchvision().models
    if name == "hook-run":
        return bundle_of(HookRun(), 24), "relu"
    net, layer, size = {
        "alexnet": (models.alexnet, "features.9", 64),
        "resnet18": (models.resnet18, "layer2.0", 48),
        "mobilenet_v2": (models.mobilenet_v2, "features.8", 48),
    }[name]
    made = net(num_classes=7)
    if name == "alexnet":  # its own linear layers have 58 million weights
        made.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(9216, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 7)
        )
    return bundle_of(with_statistics(made, size), size), layer


def with_statistics(net: nn.Module, size: int) -> nn.Module:
    """Set the statistics of batch norms to those of noise: with random weights alone, activations vanish in deep networks."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        net.train()(torch.randn(8, 3, size, size))
    return net


def inputs(bundle: dw.ModelBundle, count: int, seed: int = 0) -> Tensor:
    """Random inputs (N, C, H, W) in float64."""
    return torch.randn(count, *bundle.input_size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def outputs_without(bundle: dw.ModelBundle, batch: Tensor, layer: str, unit: int) -> Tensor:
    """The outputs with the map of a unit set to zero by a forward hook of PyTorch."""

    def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        changed = output.clone()
        changed[:, unit] = 0
        return changed

    handle = bundle.model.get_submodule(layer).register_forward_hook(hook)
    try:
        with torch.no_grad():
            return bundle.model(batch)
    finally:
        handle.remove()
