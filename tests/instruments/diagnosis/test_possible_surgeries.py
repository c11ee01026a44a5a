"""A diagnosis suggests only what the network allows, and has filters where they are known."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import deconvwidgets as dw
from deconvwidgets.models.bundle import ModelBundle
from tests.instruments.diagnosis.planted import TRANSFORM, SmoothPhotographs

IMAGES = SmoothPhotographs(20)


@pytest.fixture(autouse=True)
def cache(own_cache):
    """Indexes are built into a folder of the test."""


class Network(nn.Module):
    """Two convolutions, with rectifiers and pooling that are calls or modules. `before` and `gate` are computed in the forward."""

    def __init__(self, calls=False, before=None, gate=None):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.fc = nn.Conv2d(3, 8, 11, 4, 2), nn.Conv2d(8, 6, 3, 2, 1), nn.Linear(6, 2)
        self.relu, self.relu2 = (F.relu, F.relu) if calls else (nn.ReLU(), nn.ReLU())
        self.pool = (lambda h: F.max_pool2d(h, 3, 2)) if calls else nn.MaxPool2d(3, 2)
        self.before, self.gate = before, gate

    def forward(self, x):
        x = x if self.before is None else self.before(x)
        x = self.pool(self.relu(self.one(x)))
        x = x if self.gate is None else x * self.gate(x)
        return self.fc(self.relu2(self.two(x)).amax((2, 3)))


def diagnosed(model):
    bundle = ModelBundle.from_module(model.eval(), transform=TRANSFORM, categories=["red", "blue"], name="net")
    return bundle, dw.diagnose(bundle, IMAGES, shift_photographs=2, device="cpu")


def suggested(found):
    return [surgery for finding in found.findings for surgery in finding.surgeries]


KINDS = {
    "modules": ({}, {"change_first_layer", "swap_pooling", "blur_strides"}),
    "calls": ({"calls": True}, set()),
    "normalised": ({"before": lambda x: (x - 0.1) / 2}, {"swap_pooling", "blur_strides"}),
    "resized": ({"before": lambda x: F.interpolate(x, size=(48, 48), mode="bilinear")}, {"swap_pooling", "blur_strides"}),
    "gated": ({"gate": lambda h: h.mean((1, 2, 3)).sigmoid().view(-1, 1, 1, 1)}, {"swap_pooling", "blur_strides", "change_first_layer"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_surgery_that_is_suggested_can_be_made(kind):
    arguments, functions = KINDS[kind]
    model = Network(**arguments)
    with torch.no_grad():
        model.one.bias[3] = -100.0  # a dead unit, whose removal is tried
        model.two.weight[2] *= 20  # a filter that dominates
        model.one.weight.copy_(model.one.weight.abs().mean() * (-1.0) ** torch.arange(11) * torch.rand(8, 3, 1, 1))
    bundle, found = diagnosed(model)
    for surgery in suggested(found):
        getattr(dw.surgery, surgery.function)(bundle, **surgery.arguments)
    assert functions <= {surgery.function for surgery in suggested(found)}
    assert found.finding("dominating_filters").level == "found"
    refused = {note.split("(dw.surgery.")[1].split(")")[0] for note in found.notes if note.startswith("Not suggested")}
    assert (refused == set()) == (kind not in ("calls", "normalised"))
    assert refused.isdisjoint({"swap_pooling", "blur_strides"}) == (kind != "calls")
