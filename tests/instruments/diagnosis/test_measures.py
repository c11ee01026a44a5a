"""Every number of a diagnosis against plain PyTorch and NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.engine.filters import convolution_filters
from deconvwidgets.errors import DiagnosisError, LayerError
from deconvwidgets.instruments.diagnosis.compute.first_layer import PhotographSpectrum, first_convolution, first_layer, whole_filters
from deconvwidgets.instruments.diagnosis.compute.input_statistics import divergences
from deconvwidgets.instruments.diagnosis.compute.wide_input import wide_input
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from tests.instruments.diagnosis.planted import SIDE, SmoothPhotographs, bundle_of, inputs, network

IMAGES = SmoothPhotographs(12)


def test_aliased_shares_are_those_of_the_responses_at_stride_1():
    bundle, images = bundle_of(network(kernel=5, stride=4)), SmoothPhotographs(4)
    photographs = PhotographSpectrum(*bundle.input_size)
    batch = inputs(bundle, images)
    for pixels in batch:
        photographs.add(pixels.numpy())
    found = first_layer(first_convolution(bundle.network), 3, photographs)
    weight = bundle.model[0].weight.detach().double()
    window = torch.hann_window(SIDE, periodic=False, dtype=torch.float64)
    tapered = (batch.double() - batch.double().mean((2, 3), keepdim=True)) * window[:, None] * window
    responses = torch.nn.functional.conv2d(torch.nn.functional.pad(tapered, (0, 4, 0, 4), mode="circular"), weight)
    energy = torch.fft.fft2(responses).abs().square().sum(0)
    frequency = torch.fft.fftfreq(SIDE, dtype=torch.float64).abs()
    above = (frequency[:, None] > 0.125) | (frequency[None] > 0.125)
    np.testing.assert_allclose(found.aliased, (energy * above).sum((1, 2)) / energy.sum((1, 2)), rtol=1e-9)
    assert found.aliased_mean == pytest.approx(found.aliased.mean())
    assert (found.carried, found.photographs) == (0.125, 4)


def test_shares_of_frequencies_are_exact():
    """A grating of one frequency is in its band; a point has all frequencies, as noise; a filter of zeros has none."""
    model = network(kernel=15, stride=1)
    place = torch.arange(15.0)
    with torch.no_grad():
        model[0].weight.zero_()
        for unit, frequency in enumerate((0.12, 0.3, 0.45)):
            model[0].weight[unit, 1] = torch.cos(2 * torch.pi * frequency * place)[None].expand(15, 15)
        model[0].weight[3, 0, 7, 7] = 2.0
    found = first_layer(first_convolution(bundle_of(model).network), 3, PhotographSpectrum(3, SIDE, SIDE))
    assert found.shares[0, 1] > 0.85
    assert found.shares[1, 2] > 0.95
    assert found.shares[2, 2] > 0.95
    assert found.centre[:3] == pytest.approx([0.12, 0.3, 0.44], abs=0.03)
    np.testing.assert_allclose(found.shares[3], found.noise_shares, rtol=1e-9)
    np.testing.assert_allclose(found.noise_shares[:2], [np.pi * 0.06**2, np.pi * (0.18**2 - 0.06**2)], rtol=0.03)
    assert np.isnan(found.shares[4:]).all()
    assert sum(found.mean_shares) == pytest.approx(1)
    assert found.aliased.tolist() == [0] * 12  # stride 1
    assert 0 < found.histogram.sum() <= 1


@pytest.mark.parametrize("stride", [1, 4, (1, 2)])
def test_the_histogram_splits_at_what_the_stride_carries_along_each_axis(stride):
    """Frequency by frequency; a diagonal frequency has a larger radius than its components, so the radius alone does not tell."""
    bundle = bundle_of(network(kernel=5, stride=stride))
    found = first_layer(first_convolution(bundle.network), 3, PhotographSpectrum(3, SIDE, SIDE))
    energy = torch.fft.fft2(bundle.model[0].weight.detach().double(), s=(128, 128)).abs().square().sum(1).numpy()
    energy = (energy / energy.sum((1, 2), keepdims=True)).mean(0)
    rows, columns = (stride, stride) if isinstance(stride, int) else stride
    whole, above = np.zeros(25), np.zeros(25)
    for y, vertical in enumerate(np.abs(np.fft.fftfreq(128))):
        for x, horizontal in enumerate(np.abs(np.fft.fftfreq(128))):
            radius = np.hypot(vertical, horizontal)
            if radius <= 0.5:
                bin_number = min(24, int(np.searchsorted(found.edges, radius, "right")) - 1)
                whole[bin_number] += energy[y, x]
                above[bin_number] += energy[y, x] * (vertical > 0.5 / rows or horizontal > 0.5 / columns)
    np.testing.assert_allclose(found.histogram, whole, atol=1e-9)
    np.testing.assert_allclose(found.histogram_above, above, atol=1e-9)
    assert found.carried == 0.5 / max(rows, columns)


@pytest.mark.parametrize(("seed", "factor"), [(1, 0.01), (2, 100.0)])
def test_a_filters_frequencies_do_not_depend_on_its_size_or_sign(seed, factor):
    filters = first_convolution(bundle_of(network(seed=seed)).network)
    weight = filters.weight.detach().clone()
    weight[3] *= -factor
    before, after = (first_layer(one, 3, PhotographSpectrum(3, SIDE, SIDE)) for one in (filters, replace(filters, weight=weight)))
    np.testing.assert_allclose(after.shares, before.shares, rtol=1e-4)
    np.testing.assert_allclose(after.rms[3], before.rms[3] * factor, rtol=1e-5)


def test_batch_norm_is_folded_into_the_filters():
    model = network(norm=True)
    with torch.no_grad():
        model[1].running_mean.uniform_(-1, 1)
        model[1].running_var.uniform_(0.1, 3)
        model[1].weight.uniform_(-2, 2)
        model[1].bias.uniform_(-1, 1)
    first = convolution_filters(bundle_of(model).network)[0]
    batch = torch.rand(2, 3, SIDE, SIDE)
    expected = model[1](model[0](batch)).detach()
    found = torch.nn.functional.conv2d(batch.double(), first.folded, first.offset, stride=2, padding=2)
    torch.testing.assert_close(found.float(), expected, rtol=1e-4, atol=1e-5)
    assert (first.name, first.layer.alias, first.reads_input) == ("0", "conv1", True)
    assert not convolution_filters(bundle_of(model).network)[1].reads_input


def test_whole_filters_have_groups_and_dilation():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(4, 6, 3, groups=2, dilation=2, bias=False), nn.ReLU()).eval()
    bundle = ModelBundle.from_module(model, input_size=(4, 16, 16), transform=lambda image: torch.zeros(4, 16, 16), name="grouped")
    whole = torch.from_numpy(whole_filters(convolution_filters(bundle.network)[0], 4))
    batch = torch.rand(1, 4, 16, 16)
    torch.testing.assert_close(torch.nn.functional.conv2d(batch, whole), model[0](batch).detach())


def test_shift_curves_are_those_of_crops_of_the_resized_photograph():
    bundle, shifts = bundle_of(network(stride=4)), (0, 1, 3, 4)
    found = dw.shift_response(bundle, IMAGES, shifts=shifts, photographs=5, device="cpu")
    changes: dict[int, list[np.ndarray]] = {2: [], 5: []}
    probabilities = []
    for source in (0, 3, 6, 8, 11):
        resized = IMAGES.open_source(source).resize((40, 40), Image.Resampling.BILINEAR)
        array = torch.from_numpy(np.asarray(resized).copy()).permute(2, 0, 1) / 255
        crops = torch.stack([(array[:, 4:36, 4 - s : 36 - s] - 0.5) / 0.25 for s in (0, *shifts)])
        for module, kept in changes.items():
            maxima = bundle.model[:module](crops).amax((2, 3)).detach().numpy()
            active = maxima[:, maxima[0] > 0]
            kept.append(np.abs(active[1:] - active[0]) / active[0])
        probability = bundle.model(crops).softmax(1).detach().numpy()[:, IMAGES.label(source)]
        probabilities.append(np.abs(probability[1:] - probability[0]))
    for number, kept in enumerate(changes.values()):
        np.testing.assert_allclose(found.changes[number], np.median(np.concatenate(kept, axis=1), axis=1), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.probability, np.mean(probabilities, axis=0), atol=1e-6)
    assert (found.layers, found.strides, found.reference, found.filled) == (("conv1", "conv2"), (4, 8), "label", 0)
    assert (found.changes[:, 0] == 0).all()


@pytest.mark.parametrize(("direction", "strides"), [("right", (2, 4)), ("left", (2, 4)), ("up", (1, 2)), ("down", (1, 2))])
def test_the_strides_of_shift_curves_are_those_in_the_direction_of_the_shift(direction, strides):
    bundle = bundle_of(network(stride=(1, 2)))
    assert dw.shift_response(bundle, IMAGES, shifts=[1], direction=direction, photographs=1, device="cpu").strides == strides


@pytest.mark.parametrize(("direction", "move"), [("right", (3, 0)), ("left", (-3, 0)), ("up", (0, -3)), ("down", (0, 3))])
def test_a_wide_input_moves_the_photograph(direction, move):
    bundle = bundle_of(network())
    image = IMAGES.open_source(0)
    wide = wide_input(bundle, image, 6)
    assert torch.equal(wide.shifted(0), bundle.prepare(image))
    right, down = move
    moved, still = wide.shifted(right, down), wide.shifted(0)
    inner = [slice(max(0, -step), SIDE - max(0, step)) for step in (down, right)]
    shifted = [slice(max(0, step), SIDE + min(0, step)) for step in (down, right)]
    assert torch.equal(moved[:, shifted[0], shifted[1]], still[:, inner[0], inner[1]])
    assert wide.real == (4, 4, 4, 4)
    assert [wide.is_real(4), wide.is_real(5), wide.is_real(0, -4), wide.is_real(0, -5)] == [True, False, True, False]
    assert dw.shift_response(bundle, IMAGES, shifts=[4], direction=direction, photographs=1).filled == 0
    assert dw.shift_response(bundle, IMAGES, shifts=[5], direction=direction, photographs=1).filled == 1


def test_a_photograph_without_a_margin_repeats_its_edge():
    bundle = bundle_of(network(), Preprocess(resize=SIDE, crop=(SIDE, SIDE)))
    wide = wide_input(bundle, IMAGES.open_source(0), 3)
    assert torch.equal(wide.shifted(3)[:, :, :3], wide.shifted(0)[:, :, :1].expand(-1, -1, 3))
    plain = ModelBundle.from_module(network(), transform=bundle.prepare, categories=["red", "blue"], input_size=(3, SIDE, SIDE), name="own")
    assert torch.equal(wide_input(plain, IMAGES.open_source(0), 3).pixels, wide.pixels)


def test_statistics_of_batch_norm_are_those_of_its_inputs():
    model = network(norm=True)
    with torch.no_grad():
        model[1].running_mean.uniform_(-0.2, 0.2)
        model[1].running_var.uniform_(0.05, 1)
    bundle = bundle_of(model)
    found = dw.check_input(bundle, IMAGES, device="cpu")
    values = model[0](inputs(bundle, IMAGES)).detach().double().transpose(0, 1).flatten(1)
    recorded = model[1].running_var.double() + model[1].eps
    shift = values.mean(1) - model[1].running_mean.double()
    deviation = (values.var(1, correction=0) + model[1].eps).sqrt() - recorded.sqrt()
    expected = ((shift**2 + deviation**2) / recorded).median()
    pair = ((shift**2 + deviation**2) / recorded).sort().values[[5, 6]].mean()  # of 12 channels; torch's median is the lower one
    assert float(expected) <= found.divergences[0]
    assert found.divergences[0] == pytest.approx(float(pair), rel=1e-4)
    assert (found.layers, found.photographs) == (("1",), 12)


def test_divergence_is_0_for_equal_statistics_and_1_for_a_constant_input():
    variance = np.array([0.2, 3.0])
    assert divergences(np.zeros(2), variance, variance, 0.0).tolist() == [0, 0]
    assert divergences(np.zeros(2), np.zeros(2), variance, 0.0) == pytest.approx([1, 1])
    assert divergences(np.sqrt(variance), variance, variance, 0.0) == pytest.approx([1, 1])


def test_invalid_arguments_are_refused():
    bundle = bundle_of(network())
    for shifts in ([], [1, 1], [-1], [SIDE], [1.0], "12"):
        with pytest.raises(DiagnosisError, match="shifts"):
            dw.shift_response(bundle, IMAGES, shifts=shifts)
    with pytest.raises(DiagnosisError, match="direction"):
        dw.shift_response(bundle, IMAGES, direction="north")
    with pytest.raises(LayerError, match="conv9"):
        dw.diagnose(bundle, IMAGES, layers=["conv9"])
    with pytest.raises(DiagnosisError, match="labels"):
        dw.check_input(bundle, IMAGES, labels=[0, 1])
    with pytest.raises(DiagnosisError, match="no layer 'conv9'"):
        dw.shift_response(bundle, IMAGES, photographs=1).layer("conv9")


def test_unreadable_photographs_are_left_out(noise, tiny_bundle):
    images = noise(broken={0})
    assert [skipped.name for skipped in dw.shift_response(tiny_bundle, images, shifts=[1], photographs=2).skipped] == ["noise-0"]
    with pytest.raises(DiagnosisError, match="truncated"):
        dw.shift_response(tiny_bundle, noise(broken=range(14)), shifts=[1])
