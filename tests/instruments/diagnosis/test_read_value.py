"""The first layer of a model that changes its input: measured on what the convolution reads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import deconvwidgets as dw
from deconvwidgets.engine.filters import convolution_filters
from deconvwidgets.models.bundle import ModelBundle
from tests.instruments.diagnosis.planted import SmoothPhotographs, bundle_of, inputs, network

IMAGES = SmoothPhotographs(4)
NOTE = (
    "The model reorders or mixes the channels of its input before conv1: the colours of its filters are of the channels as the convolution "
    "reads them."
)


@pytest.fixture(autouse=True)
def cache(own_cache):
    """Indexes are built into a folder of the test."""


class Changed(nn.Module):
    """A planted network that reads a changed input. Its filters read single channels, and the input's channels differ in fineness."""

    def __init__(self, change):
        super().__init__()
        self.change, self.net = change, network(kernel=5, stride=4)
        with torch.no_grad():
            self.net[0].weight[:3] = torch.eye(3)[:, :, None, None] / 25

    def forward(self, batch):
        return self.net(self.change(batch))


def normed() -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(3)
    with torch.no_grad():
        norm.running_var.copy_(torch.tensor([0.01, 1.0, 9.0]))
        norm.running_mean.copy_(torch.tensor([0.5, 0.0, 0.1]))
    return norm


def scaled(batch):
    return batch * torch.tensor([10.0, 1.0, 0.1]).view(1, 3, 1, 1)


def fine(bundle: ModelBundle) -> ModelBundle:
    """Return the bundle with noise in the first channel of its photographs, so that it matters which channel a filter reads."""
    noise = torch.randn(bundle.input_size[1:], generator=torch.Generator().manual_seed(0))
    before = bundle.transform

    def transform(image):
        return torch.cat([before(image)[:1] + noise, before(image)[1:]])

    return ModelBundle.from_module(
        bundle.model, transform=transform, input_size=bundle.input_size, categories=["red", "blue"], name="fine", display_channels=(0, 1, 2)
    )


def aliased_by_torch(read: torch.Tensor, weight: torch.Tensor) -> np.ndarray:
    """Return the share of each filter's energy above 1 / 8 cycles per pixel, with circular convolutions of what is read."""
    read = read.double() - read.double().mean((2, 3), keepdim=True)
    rows, columns = (torch.hann_window(side, periodic=False, dtype=torch.float64) for side in read.shape[2:])
    responses = F.conv2d(F.pad(read * rows[:, None] * columns, (0, 4, 0, 4), mode="circular"), weight.double())
    energy = torch.fft.fft2(responses).abs().square().sum(0)
    vertical, horizontal = (torch.fft.fftfreq(side, dtype=torch.float64).abs() for side in read.shape[2:])
    above = (vertical[:, None] > 0.125) | (horizontal[None] > 0.125)
    return ((energy * above).sum((1, 2)) / energy.sum((1, 2))).numpy()


@pytest.mark.parametrize(
    ("change", "notes"),
    [
        (nn.Identity(), False),
        (lambda batch: batch.flip(1), True),
        (scaled, False),
        (lambda batch: (batch - 0.5) / 0.25, False),
        (normed(), False),
        (lambda batch: batch**2, False),
        (lambda batch: batch.softmax(1), True),
        (lambda batch: scaled(F.pad(batch.flip(1), (1, 2, 3, 0))), True),
    ],
    ids=["none", "flip", "scale", "normalise", "norm", "square", "softmax", "padding between"],
)
def test_aliased_shares_are_of_what_the_convolution_reads(change, notes):
    bundle = fine(bundle_of(Changed(change).eval()))
    read = []
    handle = bundle.model.net[0].register_forward_pre_hook(lambda module, arguments: read.append(arguments[0].detach()))
    bundle.model(inputs(bundle, IMAGES))
    handle.remove()
    found = dw.diagnose(bundle, IMAGES, layers=["conv1"], shift_photographs=1, device="cpu")
    np.testing.assert_allclose(found.first_layer.aliased, aliased_by_torch(read[0], bundle.model.net[0].weight.detach()), rtol=1e-4)
    assert found.first_layer.photographs == 4
    assert (NOTE in found.notes) == notes


def test_padding_before_the_convolution_is_not_a_border_of_what_it_reads():
    """Values beside a border of zeros would be fine detail that no photograph has."""
    bundle = fine(bundle_of(Changed(lambda batch: F.pad(batch.flip(1) + 20, (4, 4, 4, 4))).eval()))
    found = dw.diagnose(bundle, IMAGES, layers=["conv1"], shift_photographs=1, device="cpu")
    expected = aliased_by_torch(inputs(bundle, IMAGES).flip(1), bundle.model.net[0].weight.detach())
    np.testing.assert_allclose(found.first_layer.aliased, expected, rtol=1e-4)


def test_what_is_not_known_to_keep_positions_is_not_checked():
    found = dw.diagnose(bundle_of(Changed(lambda batch: batch[:, [2, 1, 0]]).eval()), IMAGES, shift_photographs=1, device="cpu")
    assert found.first_layer is None
    for check in ("aliasing", "frequencies"):
        assert found.finding(check).level == "not_checked"
        assert "computes something else from its input first" in found.finding(check).summary


def test_the_convolution_behind_another_reads_no_input():
    filters = convolution_filters(bundle_of(Changed(nn.Identity()).eval()).network)
    assert [one.reads_input for one in filters] == [True, False]
