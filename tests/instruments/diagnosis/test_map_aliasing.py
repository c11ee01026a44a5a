"""What is aliased of the first layer's map: against plain PyTorch and NumPy, and against values that are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.compute.job import as_job
from deconvwidgets.engine.blur import Blur
from deconvwidgets.instruments.diagnosis.compute.dense_map import DenseMap
from deconvwidgets.instruments.diagnosis.compute.first_layer import first_convolution
from deconvwidgets.instruments.diagnosis.compute.map_aliasing import map_aliasing
from deconvwidgets.instruments.diagnosis.map_aliasing import MapAliasing
from deconvwidgets.models.bundle import ModelBundle
from tests.instruments.diagnosis.planted import SmoothPhotographs, bundle_of, inputs, network

IMAGES = SmoothPhotographs(5)
PERIOD = 5  # of a wave of 2/5 cycles per pixel, which a stride of 2 aliases


@pytest.fixture(autouse=True)
def cache(own_cache):
    """Indexes are built into a folder of the test."""


def measured(bundle: ModelBundle) -> MapAliasing:
    found = map_aliasing(bundle, IMAGES, as_job(None))
    assert isinstance(found, MapAliasing), found
    return found


def shares_by_fft(maps: np.ndarray, strides: tuple[int, int]) -> np.ndarray:
    """Return the share of the energy of maps (N, U, h, w) above what strides carry, frequency by frequency."""
    height, width = maps.shape[2:]
    window = np.hanning(height)[:, None] * np.hanning(width)
    energy = np.abs(np.fft.fft2((maps - maps.mean((2, 3), keepdims=True)) * window)) ** 2
    above = np.zeros((height, width), bool)
    for row in range(height):
        for column in range(width):
            vertical, horizontal = min(row, height - row) / height, min(column, width - column) / width
            above[row, column] = vertical > 1 / (2 * strides[0]) or horizontal > 1 / (2 * strides[1])
    return (energy * above).sum((0, 2, 3)) / energy.sum((0, 2, 3))


def blurred(maps: np.ndarray, strides: tuple[int, int]) -> np.ndarray:
    """Return the mean over a window of `stride` positions, twice, at every position that is kept or between two of them."""
    for axis, stride in ((2, strides[0]), (3, strides[1])):
        first, side = stride // 2, maps.shape[axis]
        once = _means(maps, axis, [(place - first, place - first + stride) for place in range(side + 2 * first - stride + 1)])
        rest, kept = stride - 1 - first, -(-side // stride)
        maps = _means(once, axis, [(place - rest, place - rest + stride) for place in range((kept - 1) * stride + 1)])
    return maps


def _means(maps: np.ndarray, axis: int, windows: list[tuple[int, int]]) -> np.ndarray:
    side = maps.shape[axis]
    parts = [np.take(maps, range(max(start, 0), min(end, side)), axis).mean(axis, keepdims=True) for start, end in windows]
    return np.concatenate(parts, axis)


@pytest.mark.parametrize(("strides", "norm"), [((4, 4), True), ((2, 2), False), ((1, 2), False), ((3, 2), True)])
def test_shares_are_those_of_the_map_at_every_pixel(strides, norm):
    model = network(stride=strides, norm=norm)
    bundle = bundle_of(model)
    blurs = dw.surgery.blur_strides(bundle)
    batch = inputs(bundle, IMAGES)
    with torch.no_grad():
        dense = nn.functional.conv2d(batch, model[0].weight, model[0].bias, stride=1, padding=2)
        dense = torch.relu(model[1](dense) if norm else dense).numpy().astype(np.float64)
    rows, columns = (extent - (extent - 1) % stride for extent, stride in zip(dense.shape[2:], strides, strict=True))
    plain = shares_by_fft(dense[:, :, :rows, :columns], strides)
    after = shares_by_fft(blurred(dense, strides), strides)
    without, found = measured(bundle), measured(blurs)
    np.testing.assert_allclose(without.shares, plain, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found.shares, after, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found.unblurred, plain, rtol=1e-3, atol=1e-6)
    assert (without.mean, found.mean, found.unblurred_mean) == pytest.approx((plain.mean(), after.mean(), plain.mean()), rel=1e-3)
    assert (without.stride, without.blurred, without.photographs) == (strides, False, 5)
    assert (found.stride, found.blurred, found.photographs) == (strides, True, 5)
    assert without.unblurred.tolist() == without.shares.tolist()


def waves(rectified: bool, low: float = 0.0) -> ModelBundle:
    """Return a network whose first filter copies an input of waves: 2/5 cycles per pixel, and `low` times 1/5, along the columns."""
    place = torch.arange(75.0)
    wave = torch.cos(2 * torch.pi * 2 / PERIOD * place) + low * torch.cos(2 * torch.pi / PERIOD * place)
    first = nn.Conv2d(1, 1, 1, stride=2, bias=False)
    nn.init.constant_(first.weight, 3.0)
    middle = [nn.ReLU()] if rectified else []
    model = nn.Sequential(first, *middle, nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    image = wave.expand(1, 75, 75).clone()
    return ModelBundle.from_module(model, input_size=(1, 75, 75), transform=lambda photograph: image, categories=["a", "b"], name="waves")


def transfer(frequency: float) -> float:
    """Return what [1, 2, 1] / 4 makes of the amplitude of a frequency."""
    return float(np.cos(np.pi * frequency) ** 2)


def test_a_wave_beyond_the_limit_is_aliased_as_a_whole():
    found = measured(waves(rectified=False))
    assert found.mean == pytest.approx(1, abs=1e-3)
    # A linear blur weakens the wave, but leaves nothing else.
    assert measured(dw.surgery.blur_strides(waves(rectified=False))).mean == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("low", [0.1, 0.5, 2.0])
def test_of_two_waves_the_blur_leaves_its_transfer_function_squared(low):
    found = measured(dw.surgery.blur_strides(waves(rectified=False, low=low)))
    high = (transfer(0.4), low * transfer(0.2))
    assert found.unblurred_mean == pytest.approx(1 / (1 + low**2), rel=2e-3)
    assert found.mean == pytest.approx(high[0] ** 2 / (high[0] ** 2 + high[1] ** 2), rel=2e-3)


def test_a_rectified_wave_has_its_harmonics():
    """Of 1, 0, a, a, 0 with a = cos(pi 2/5), the transform is 1/2 at 1/5 and 1 + 2 a * a at 2/5 cycles per pixel."""
    low, high = 0.5, 1 + 2 * np.cos(2 * np.pi / PERIOD) ** 2
    found = measured(dw.surgery.blur_strides(waves(rectified=True)))
    assert found.unblurred_mean == pytest.approx(high**2 / (high**2 + low**2), rel=2e-3)
    high, low = high * transfer(0.4), low * transfer(0.2)
    assert found.mean == pytest.approx(high**2 / (high**2 + low**2), rel=2e-3)
    assert measured(waves(rectified=True)).mean == pytest.approx(found.unblurred_mean, rel=1e-5)


class Scaled(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch):
        return self.model(torch.nn.functional.pad(batch.flip(1) * 2 + 0.1, (3, 1, 2, 2)))


def first_layers() -> dict[str, nn.Module]:
    """Return first layers by name. The map is that of the last module, but for the pooling."""
    torch.manual_seed(0)
    return {
        "stride 4, padded": nn.Sequential(nn.Conv2d(3, 6, 11, stride=4, padding=2), nn.ReLU()),
        "unused border": nn.Sequential(nn.Conv2d(3, 6, 2, stride=5), nn.ReLU()),
        "groups": nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, groups=3), nn.ReLU6()),
        "dilation": nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, dilation=3, padding=2), nn.BatchNorm2d(6), nn.Tanh()),
        "named padding": nn.Sequential(nn.Conv2d(3, 6, 5, stride=1, padding="same"), nn.ReLU()),
        "unequal": nn.Sequential(nn.Conv2d(3, 6, (3, 5), stride=(1, 3), padding=(0, 2)), nn.Dropout(), nn.LeakyReLU()),
        "no activation": nn.Sequential(nn.Conv2d(3, 6, 4, stride=2), nn.BatchNorm2d(6)),
        "blur before the activation": nn.Sequential(nn.Conv2d(3, 6, 4), Blur((2, 3)), nn.ReLU()),
        "changed input": Scaled(nn.Sequential(nn.Conv2d(3, 6, 4, stride=2, padding=1), nn.ReLU())),
    }


UNBLURRED = ("named padding", "blur before the activation")  # no stride that `blur_strides` could blur


@pytest.mark.parametrize(
    ("name", "surgery"), [(name, surgery) for name in first_layers() for surgery in (False, True) if not (surgery and name in UNBLURRED)]
)
def test_every_stride_th_position_of_the_map_at_every_pixel_is_the_map(name, surgery):
    model = nn.Sequential(first_layers()[name], nn.Conv2d(6, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    strided = dense_map(bundle_of(model))
    bundle = dw.surgery.blur_strides(bundle_of(model)) if surgery else bundle_of(model)
    dense, layer = dense_map(bundle), first_convolution(bundle.network).layer.name
    assert (dense.problem, dense.stride, dense.blurred) == ("", strided.stride, strided.blurred or surgery)
    for pixels in inputs(bundle, IMAGES):
        maps = {}
        with torch.no_grad():
            bundle.network.visit(pixels[None], [layer], maps.__setitem__)
        found = dense.of(pixels)
        torch.testing.assert_close(found[0][:, :: dense.stride[0], :: dense.stride[1]], maps[layer][0], rtol=1e-4, atol=1e-5)
        if surgery:
            torch.testing.assert_close(found[1], strided.of(pixels)[0], rtol=1e-4, atol=1e-5)


def dense_map(bundle: ModelBundle) -> DenseMap:
    return DenseMap(bundle.network, first_convolution(bundle.network))


def test_a_map_at_stride_1_is_not_aliased_and_pooling_is_not_the_first_layer():
    bundle = bundle_of(network(stride=1))
    for one in (bundle, dw.surgery.swap_pooling(bundle)):
        found = dw.diagnose(one, IMAGES, shift_photographs=1, device="cpu")
        assert (found.finding("aliasing").level, found.finding("aliasing").count_text) == ("clear", "none")
        assert (found.first_layer.map_aliasing.mean, found.first_layer.map_aliasing.photographs, found.first_layer.blur) == (0, 0, (1, 1))


@pytest.mark.parametrize(
    ("modules", "reason"),
    [
        ((nn.Conv2d(3, 12, 3), Blur((2, 2)), Blur((2, 2)), nn.ReLU()), "subsampled more than once"),
        (
            (nn.Conv2d(3, 12, 3), Blur((2, 2)), Blur((1, 1)), nn.ReLU()),
            "is not computed position by position, but by avg_pool2d",
        ),
    ],
)
def test_what_is_not_known_is_not_checked(modules, reason):
    model = nn.Sequential(*modules, nn.Conv2d(12, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    found = dw.diagnose(bundle_of(model), IMAGES, shift_photographs=1, device="cpu")
    finding = found.finding("aliasing")
    assert (finding.level, finding.count_text, finding.units) == ("not_checked", "not checked", ())
    assert reason in finding.summary
    assert found.first_layer.map_aliasing is None


def test_the_stride_of_a_convolution_is_checked_although_its_map_is_not():
    model = network(stride=2)
    model[1] = nn.Sequential(Blur((2, 2)), nn.ReLU())
    finding = dw.diagnose(bundle_of(model), IMAGES, shift_photographs=1, device="cpu").finding("aliasing")
    assert finding.level != "not_checked"
    assert "In the map" not in finding.summary
    assert "subsampled more than once" in finding.evidence


def test_constant_maps_have_no_share():
    model = network(stride=2)
    with torch.no_grad():
        model[0].weight[:5], model[0].bias[:5] = 0.0, torch.linspace(-1, 3, 5)
    found = measured(dw.surgery.blur_strides(bundle_of(model)))
    assert np.isnan(found.shares).tolist() == [True] * 5 + [False] * 7
    assert found.mean == pytest.approx(found.shares[5:].mean())
    with torch.no_grad():
        model[0].weight.zero_()
    finding = dw.diagnose(dw.surgery.blur_strides(bundle_of(model)), IMAGES, shift_photographs=1, device="cpu").finding("aliasing")
    assert (finding.level, finding.summary) == ("not_checked", "There is no photograph that the first layer responds to.")


def test_a_network_that_cannot_be_traced_and_unreadable_photographs_have_a_reason(noise):
    class Untraceable(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, 2, 3, stride=2)

        def forward(self, batch):
            return self.first(batch).mean((2, 3)) * (1 if float(batch.detach().numpy().sum()) > 0 else 2)

    untraced = ModelBundle.from_module(
        Untraceable().eval(), transform=bundle_of(network()).prepare, input_size=(3, 32, 32), name="untraced"
    )
    assert "cannot be traced" in map_aliasing(untraced, IMAGES, as_job(None))
    assert map_aliasing(bundle_of(network()), noise(broken=range(14)), as_job(None)) == "No photograph can be read."
