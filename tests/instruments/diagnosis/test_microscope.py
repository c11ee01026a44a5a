"""The shift microscope: photographs shifted by whole pixels, and what a network computes of them, against plain PyTorch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from deconvwidgets.compute.job import JobContext
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.diagnosis.compute.accuracy import arm_accuracy
from deconvwidgets.instruments.diagnosis.compute.filter_pictures import filter_spectrum, filter_sprite
from deconvwidgets.instruments.diagnosis.compute.microscope import ShiftMicroscope, median_change
from deconvwidgets.instruments.diagnosis.compute.watched_layers import watched_layers
from deconvwidgets.instruments.diagnosis.compute.wide_input import wide_input
from deconvwidgets.instruments.diagnosis.panel_records import LayerChoice, ShiftedResult, ShiftRequest
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from tests.instruments.diagnosis.planted import DEEP_OUTPUTS, deep_network
from tests.instruments.diagnosis.widget.fake_api import first_layer

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)


def bundle_of(net: nn.Module, transform: object, side: int = 16, **options: object) -> ModelBundle:
    return ModelBundle.from_module(net.eval(), transform=transform, input_size=(3, side, side), name="small", **options)


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3)
    )


@pytest.fixture
def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (40, 52, 3), dtype=np.uint8))


def reference_input(image: Image.Image, transform: Preprocess, right: int, down: int) -> torch.Tensor:
    """The moved input, written literally: resize, then read the pixel `right` columns to the left of each."""
    scale = transform.resize / min(image.size)
    width, height = int(image.width * scale), int(image.height * scale)
    whole = np.asarray(image.resize((width, height), transform.interpolation))
    top, left = round((height - transform.crop[0]) / 2), round((width - transform.crop[1]) / 2)
    rows = np.clip(top - down + np.arange(transform.crop[0]), 0, height - 1)
    columns = np.clip(left - right + np.arange(transform.crop[1]), 0, width - 1)
    pixels = whole[np.ix_(rows, columns)].astype(np.float64) / 255
    return torch.from_numpy(((pixels - MEAN) / STD).transpose(2, 0, 1)).float()


@pytest.mark.parametrize(("right", "down"), [(0, 0), (1, 0), (-3, 0), (0, 2), (5, -4), (-12, 12)])
def test_content_beside_the_crop_moves_in(net, noise, right, down):
    transform = Preprocess(resize=24, crop=(16, 16), mean=MEAN, std=STD)
    shifted = wide_input(bundle_of(net, transform), noise, margin=12)
    torch.testing.assert_close(shifted.shifted(right, down), reference_input(noise, transform, right, down), rtol=0, atol=1e-6)


def test_the_photograph_as_it_is_is_the_models_own_input_bit_for_bit(net, noise):
    bundle = bundle_of(net, Preprocess(resize=24, crop=(16, 16), mean=MEAN, std=STD))
    assert torch.equal(wide_input(bundle, noise, 12).shifted(0), bundle.prepare(noise))


def test_what_is_real_is_counted_by_side(net, noise):
    bundle = bundle_of(net, Preprocess(resize=24, crop=(16, 16), mean=MEAN, std=STD))
    assert wide_input(bundle, noise, 4).real == (4, 4, 4, 4)
    assert wide_input(bundle, noise, 7).real == (7, 4, 7, 4)  # 31 x 24 pixels: 7 and 8 beside the crop, 4 above and below


def test_an_unknown_transform_repeats_the_edge_of_the_input(net, noise):
    bundle = bundle_of(net, lambda image: torch.from_numpy(np.asarray(image.resize((16, 16)), np.float32).transpose(2, 0, 1)) / 255)
    shifted = wide_input(bundle, noise, 5)
    assert shifted.real == (0, 0, 0, 0)
    moved, still = shifted.shifted(2, 0), bundle.prepare(noise)
    assert torch.equal(moved[:, :, 2:], still[:, :, :-2])
    assert torch.equal(moved[:, :, :2], still[:, :, :1].expand(-1, -1, 2))


def test_an_image_that_is_smaller_than_the_crop_keeps_the_padding_of_its_transform(net):
    bundle, small = bundle_of(net, Preprocess(resize=None, crop=(16, 16), mean=MEAN, std=STD)), Image.new("RGB", (9, 30), "red")
    assert torch.equal(wide_input(bundle, small, 4).shifted(0), bundle.prepare(small))


def moved(microscope: ShiftMicroscope, right: int, down: int = 0, layers: LayerChoice = "all") -> ShiftedResult:
    return microscope.shifted(ShiftRequest("crop:0", right, down, layers=layers))


def check_layers(shifted: ShiftedResult, net: nn.Sequential, before: torch.Tensor, after: torch.Tensor, outputs: dict[str, int]) -> None:
    """Compare each layer that is shown with the output of the network's first modules."""
    for shown in shifted.layers:
        with torch.no_grad():
            still, then = (net[: outputs[shown.layer]](batch)[0] for batch in (before, after))
        still, then = (value[:, None, None] if value.dim() == 1 else value for value in (still, then))  # a vector: maps of 1 x 1
        strongest, now = still.amax(dim=(1, 2)), then.amax(dim=(1, 2))
        assert shown.unit == int(strongest.argmax()), shown.layer
        np.testing.assert_allclose([shown.before, shown.after], [strongest[shown.unit], now[shown.unit]], rtol=1e-4, err_msg=shown.layer)
        np.testing.assert_allclose(shown.maps, [still[shown.unit], then[shown.unit]], rtol=1e-3, atol=1e-5, err_msg=shown.layer)
        active = strongest > 0
        expected = ((now - strongest).abs() / strongest)[active].double().quantile(0.5)
        np.testing.assert_allclose(shown.change, expected, rtol=1e-3, err_msg=shown.layer)


@pytest.mark.parametrize(
    ("layers", "names"),
    [("all", list(DEEP_OUTPUTS)), ("few", ["conv1", "conv3", "conv4", "conv5", "conv7", "fc8", "fc9", "fc10"])],
)
def test_layers_and_probabilities_are_those_of_the_model(noise, layers, names):
    net, transform = deep_network(16), Preprocess(resize=24, crop=(16, 16), mean=MEAN, std=STD)
    bundle = bundle_of(net, transform, categories=["cat", "dog", "kite"])
    shifted = moved(ShiftMicroscope(bundle, wide_input(bundle, noise, 8), "dog"), 3, -1, layers)
    assert [shown.layer for shown in shifted.layers] == names
    assert (shifted.few, shifted.total) == (8, 10)
    before, after = (reference_input(noise, transform, *shift)[None] for shift in ((0, 0), (3, -1)))
    check_layers(shifted, net, before, after, DEEP_OUTPUTS)
    with torch.no_grad():
        shares = [net(batch).softmax(dim=1)[0] for batch in (before, after)]
    predicted = shifted.predicted
    assert predicted is not None
    assert (predicted.name, predicted.reference) == ("dog", "label")
    np.testing.assert_allclose([predicted.before, predicted.after], [shares[0][1], shares[1][1]], rtol=1e-4)


def test_a_small_network_shows_every_layer_by_either_choice(net, noise):
    transform = Preprocess(resize=24, crop=(16, 16), mean=MEAN, std=STD)
    bundle = bundle_of(net, transform)
    microscope = ShiftMicroscope(bundle, wide_input(bundle, noise, 8))
    before, after = (reference_input(noise, transform, right, 0)[None] for right in (0, 2))
    for layers in ("few", "all"):
        shifted = moved(microscope, 2, layers=layers)
        assert ([shown.layer for shown in shifted.layers], shifted.few, shifted.total) == (["conv1", "conv2", "fc3"], 3, 3)
        check_layers(shifted, net, before, after, {"conv1": 2, "conv2": 5, "fc3": 7})


def test_the_class_that_is_predicted_now_is_that_of_the_moved_photograph():
    """A photograph that is red on the left and blue on the right, of which a shift to the right shows more red."""
    image = Image.new("RGB", (32, 16), "red")
    image.paste("blue", (13, 0, 32, 16))
    net = nn.Sequential(nn.Conv2d(3, 2, 1, stride=(1, 2), bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 0, 0], [0, 0, 1.0]]).view(2, 3, 1, 1))
    bundle = bundle_of(net, Preprocess(resize=None, crop=(16, 16), mean=(0, 0, 0), std=(1, 1, 1)), categories=["red", "blue"])
    microscope = ShiftMicroscope(bundle, wide_input(bundle, image, 8))
    shifted = moved(microscope, 6)
    (layer,), predicted = shifted.layers, shifted.predicted
    assert (predicted.name, predicted.now, layer.stride) == ("blue", "red", 2)  # the stride of columns, along which most shifts are


def test_a_photograph_that_is_not_moved_does_not_change(net, noise):
    bundle = bundle_of(net, Preprocess(resize=24, crop=(16, 16), mean=MEAN, std=STD), categories=["cat", "dog", "kite"])
    shifted = moved(ShiftMicroscope(bundle, wide_input(bundle, noise, 8)), 0)
    predicted = shifted.predicted
    assert all(shown.change == 0 and shown.before == shown.after for shown in shifted.layers)
    assert predicted is not None
    assert (predicted.reference, predicted.now) == ("predicted", predicted.name)


def test_a_shift_by_the_stride_leaves_the_first_layer_as_it_is(noise):
    """The stride's period: without borders and with a constant background, the strongest activation moves, and is the same."""
    net = nn.Sequential(nn.Conv2d(3, 6, 3, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(96, 3))
    image = Image.new("RGB", (40, 40))
    image.paste(noise.crop((0, 0, 5, 5)), (18, 18))
    bundle = bundle_of(net, Preprocess(resize=None, crop=(16, 16), mean=MEAN, std=STD))
    microscope = ShiftMicroscope(bundle, wide_input(bundle, image, 8))
    assert moved(microscope, 4).layers[0].change == pytest.approx(0, abs=1e-6)
    assert moved(microscope, 2).layers[0].change > 0.01


def test_a_model_that_cannot_be_traced_and_one_without_classes(noise):
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            maps = self.conv(batch)
            return maps.relu() if float(maps.detach().mean()) > 1e9 else maps.relu() * 1.0

    bundle = bundle_of(Branching(), Preprocess(resize=24, crop=(16, 16), mean=MEAN, std=STD))
    photograph = wide_input(bundle, noise, 8)
    shifted = moved(ShiftMicroscope(bundle, photograph), 1)
    layers = shifted.layers
    assert shifted.predicted is None
    with torch.no_grad():
        expected = bundle.network.map(photograph.shifted(1, 0)[None], layers[0].layer)[0, layers[0].unit].max()
    assert layers[0].after == pytest.approx(float(expected), rel=1e-5)


def test_the_median_is_over_active_units_only():
    before, after = np.array([2.0, 0.0, 4.0, 10.0, -1.0]), np.array([1.0, 5.0, 5.0, 10.0, 3.0])
    assert median_change(before, after) == 0.25
    assert np.isnan(median_change(np.zeros(3), np.ones(3)))


def test_large_maps_are_reduced_by_maxima(noise):
    net = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.ReLU())
    bundle = bundle_of(net, Preprocess(resize=128, crop=(128, 128), mean=MEAN, std=STD), side=128)
    (shown,) = moved(ShiftMicroscope(bundle, wide_input(bundle, noise, 4)), 1).layers
    assert shown.maps.shape == (2, 56, 56)
    np.testing.assert_allclose(shown.maps.max(axis=(1, 2)), [shown.before, shown.after], rtol=1e-6)


def test_a_deep_network_has_all_its_layers_in_order_or_a_few_with_the_first_and_the_last():
    convolutions = [layer for _ in range(9) for layer in (nn.Conv2d(3, 3, 1), nn.ReLU())]
    linear = [layer for _ in range(4) for layer in (nn.Linear(3, 3), nn.ReLU())]
    network = bundle_of(nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(), *linear), None).network
    names = [info.short_name for info in watched_layers(network)]
    assert names == [f"conv{number}" for number in range(1, 10)] + [f"fc{number}" for number in range(10, 14)]
    few = [info.short_name for info in watched_layers(network, "few")]
    assert few == ["conv1", "conv3", "conv5", "conv7", "conv9", "fc11", "fc12", "fc13"]


def test_a_spectrum_is_that_of_the_filter_and_has_frequency_0_in_its_centre():
    first = first_layer()
    for unit in (0, 23):
        values = filter_spectrum(first.weights[unit])
        literal = np.zeros((48, 48))
        steps = np.arange(-24, 24) / 48
        for channel in first.weights[unit].astype(float):
            rows = np.exp(-2j * np.pi * np.outer(steps, np.arange(11)))
            literal += np.abs(rows @ channel @ rows.T) ** 2
        np.testing.assert_allclose(values, np.sqrt(literal / literal.max()), atol=1e-5)
    assert np.unravel_index(filter_spectrum(np.ones((3, 5, 5), np.float32)).argmax(), (48, 48)) == (24, 24)


def test_filters_are_shown_in_the_order_of_the_units():
    first = first_layer()
    sprite = filter_sprite(first, [0, 1, 2], 22)
    assert sprite.shape == (24 * 22, 22, 3)
    tile = sprite[5 * 22 : 6 * 22]
    assert np.array_equal(tile[::2, ::2], tile[1::2, 1::2])  # each pixel of 11 is 2 x 2
    red = tile[::2, ::2, 0].astype(float)
    assert np.corrcoef(red.ravel(), first.weights[5, 0].ravel())[0, 1] > 0.98


def test_a_filter_that_is_not_square_is_enlarged_by_rows_and_columns():
    first = first_layer()
    sprite = filter_sprite(replace(first, weights=first.weights[:2, :, :4, :8]), [0, 1, 2], 16)
    rows, columns = sprite[::4], sprite[:, ::2]
    assert np.array_equal(sprite, np.repeat(rows, 4, axis=0))
    assert np.array_equal(sprite, np.repeat(columns, 2, axis=1))
    assert np.corrcoef(sprite[16::4, ::2, 0].ravel().astype(float), first.weights[1, 0, :4, :8].ravel())[0, 1] > 0.98


class _Labelled(ImageSet):
    """Photographs of one colour, labelled by it; one has no label."""

    def __init__(self) -> None:
        super().__init__("colours", "digest", ["red", "blue"])

    @property
    def source_count(self) -> int:
        return 9

    def source_name(self, source: int) -> str:
        return f"colour-{source}"

    def label(self, source: int) -> int | None:
        return None if source == 8 else source % 2

    def open_source(self, source: int) -> Image.Image:
        return Image.new("RGB", (20, 20), "red" if source % 2 == 0 or source in (1, 3) else "blue")


def test_the_accuracy_of_an_arm_counts_labelled_photographs():
    net = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 0, 0], [0, 0, 1.0]]).view(2, 3, 1, 1))
    transform = Preprocess(resize=16, crop=(16, 16), mean=(0, 0, 0), std=(1, 1, 1))
    found = arm_accuracy(bundle_of(net, transform, categories=["red", "blue"]), _Labelled(), JobContext())
    assert (found.top1, found.photographs) == (6 / 8, 8)  # two blue ones are red
    why = arm_accuracy(bundle_of(net, transform), _Labelled(), JobContext())
    assert isinstance(why, str)
    assert "predicts no classes" in why
