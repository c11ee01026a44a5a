"""Small networks for surgery, in float64, with batch norms that are not the identity."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import deconvwidgets as dw
from tests.engine.random_models import random_sequential, with_random_norms

SIZE = (3, 26, 29)


def plain(norm=False, pool=None, convolutions=(6, 7, 5), classes=4, conv=None):
    """Three convolutions, pooling, and two linear layers."""
    layers, channels = [], 3
    for number, count in enumerate(convolutions):
        layers += [conv() if conv and not number else nn.Conv2d(channels, count, 3, padding=1)]
        layers += [nn.BatchNorm2d(count)] if norm else []
        layers += [nn.ReLU(inplace=True), *([pool() if pool else nn.MaxPool2d(3, 2)] if number != 1 else [])]
        channels = count
    flat = nn.Sequential(*layers)(torch.zeros(2, *SIZE)).flatten(1).shape[1]
    net = random_sequential(*layers, nn.Flatten(), nn.Linear(flat, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, classes))
    return bundle_of(net, classes)


def bundle_of(net, classes=4):
    return dw.ModelBundle.from_module(net.eval(), input_size=SIZE, categories=[f"kind {n}" for n in range(classes)], name="net")


def batch(count=3, seed=0):
    return torch.rand((count, *SIZE), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def outputs(bundle, inputs=None):
    with torch.no_grad():
        return bundle.model(batch() if inputs is None else inputs)


class Residual(nn.Module):
    """A stem, a residual block with a shared rectifier, and a linear layer on means."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 6, 5, stride=2, padding=2), nn.BatchNorm2d(6)
        self.relu, self.pool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        self.first, self.second = nn.Conv2d(6, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.norm(self.stem(x))))
        x = self.relu(x + self.second(self.relu(self.first(x))))
        return self.fc(x.mean((2, 3)))


class Odd(nn.Module):
    """A network with what surgery has to refuse. `kind` says what is odd."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.one = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.two = nn.Conv2d(6, 6, 3, padding=1, groups=6 if kind == "groups" else 1)
        self.three = nn.Conv2d(12 if kind == "cat" else 6, 6, 3, padding=1)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(6, 4)
        if kind == "tied":
            self.three.weight = self.two.weight

    def forward(self, x: Tensor) -> Tensor:
        x = self.one(x)
        x = F.relu(x) if self.kind == "functional" else torch.tanh(x) if self.kind == "tanh" else self.relu(x)
        if self.kind == "pool":
            x = F.max_pool2d(x, 3, 2)
        y = F.relu(self.two(x))
        if self.kind == "twice":
            y = F.relu(self.two(y))
        if self.kind == "gate":
            y = y * torch.sigmoid(x)
        if self.kind == "sum":
            y = y + x
        if self.kind == "softmax":
            y = y.softmax(1)
        if self.kind == "permute":
            y = y.permute(0, 1, 3, 2)
        y = torch.cat([x, y], 1) if self.kind == "cat" else y
        return self.fc(F.relu(self.three(y)).mean((2, 3)))


def odd(kind):
    torch.manual_seed(1)
    return bundle_of(with_random_norms(Odd(kind)))


def residual():
    torch.manual_seed(1)
    return bundle_of(with_random_norms(Residual()))


@cache
def shared(norm=False):
    """The network of `plain`, traced once for the tests that do not change it."""
    return plain(norm)


@cache
def shared_residual():
    """The network of `residual`, traced once for the tests that do not change it."""
    return residual()


def count_of(bundle):
    """The numbers of values by parameter."""
    return {name: value.numel() for name, value in bundle.model.named_parameters()}


def values_of(parameter):
    """How often each value occurs in a parameter; weights are random, so that a value tells where it came from."""
    return Counter() if parameter is None else Counter(parameter.detach().flatten().tolist())


def assert_counts_add_up(before, after):
    """Check kept, cut and new of one step, parameter by parameter: kept are the values that the old and the new network have both."""
    step = after.surgery[-1]
    kept, cut, new = (dict(counts) for counts in (step.kept, step.cut, step.new))
    for name, count in count_of(before).items():
        assert kept.get(name, 0) + cut.get(name, 0) == count, name
    for name, count in count_of(after).items():
        assert kept.get(name, 0) + new.get(name, 0) == count, name
    assert set(kept) | set(cut) | set(new) <= set(count_of(before)) | set(count_of(after))
    now = dict(after.model.named_parameters())
    for name, value in before.model.named_parameters():
        assert (values_of(value) & values_of(now.get(name))).total() == kept.get(name, 0), name


def strength_order(bundle, conv, readers, norm=None):
    """The units with the largest product of norms, by loops. `readers`: the weights that read them, and the positions of a unit in each."""
    module, found = bundle.model[conv], []
    for unit in range(len(module.weight)):
        incoming = float((module.weight[unit].detach().double() ** 2).sum()) ** 0.5
        if norm is not None:
            layer = bundle.model[norm]
            incoming *= abs(float(layer.weight[unit].detach())) / float(layer.running_var[unit] + layer.eps) ** 0.5
        outgoing = sum(float((weight.detach().reshape(-1, len(module.weight), width)[:, unit] ** 2).sum()) for weight, width in readers)
        found.append(incoming * outgoing**0.5)
    return np.argsort(found)[::-1].tolist()


def strongest(bundle, conv, readers, count, norm=None):
    """The first `count` of `strength_order`, in ascending order."""
    return sorted(strength_order(bundle, conv, readers, norm)[:count])
