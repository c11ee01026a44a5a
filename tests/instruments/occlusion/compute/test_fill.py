"""The fills of occluded regions."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from deconvwidgets.engine.occlusion.patches import patched
from deconvwidgets.errors import OcclusionError
from deconvwidgets.instruments.occlusion.compute.fill import fill_name, fill_of
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess


@pytest.fixture
def pixels():
    return torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(1)) * 4 - 1


def test_gray_is_zero_and_mean_is_the_mean_of_the_image(tiny_bundle, pixels):
    assert fill_of(tiny_bundle, pixels, "gray").tolist() == [[[0.0]]] * 3
    mean = fill_of(tiny_bundle, pixels, "mean")
    assert mean.shape == (3, 1, 1)
    assert mean.flatten().tolist() == pytest.approx([float(plane.mean()) for plane in pixels])


def test_blur_preserves_the_sum_and_has_the_documented_standard_deviation(tiny_bundle):
    flat = torch.full((3, 16, 16), 0.7)
    assert torch.allclose(fill_of(tiny_bundle, flat, "blur"), flat, atol=1e-6)
    point = torch.zeros(3, 100, 100)
    point[:, 50, 50] = 1.0
    blurred = fill_of(tiny_bundle, point, "blur")[0]
    assert float(blurred.sum()) == pytest.approx(1.0, abs=1e-3)
    assert float(blurred[50, 50]) == pytest.approx(1 / (2 * np.pi * 5.0**2), rel=0.02)  # a standard deviation of 5 for 100 pixels
    assert float(blurred[50, 55] / blurred[50, 50]) == pytest.approx(np.exp(-0.5), rel=0.02)


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 16, 1), (3, 3, 40), (1, 2, 2)])
def test_images_too_small_for_reflection_are_blurred(tiny_bundle, shape):
    assert fill_of(tiny_bundle, torch.ones(shape), "blur").shape == shape


def test_blur_does_not_confuse_rows_and_columns(tiny_bundle):
    stripes = torch.arange(40.0).expand(1, 3, 40).contiguous()
    blurred = fill_of(tiny_bundle, stripes, "blur")
    assert torch.allclose(blurred[:, 0], blurred[:, 2], atol=1e-5)
    assert float(blurred[0, 1, 20]) == pytest.approx(20.0, abs=1e-3)


@pytest.mark.parametrize(("fill", "rgb"), [("#ff8000", (255, 128, 0)), ((12, 0, 250), (12, 0, 250)), ("white", (255, 255, 255))])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_colour_equals_an_image_of_that_colour_after_the_transform(fill, rgb, channels):
    transform = Preprocess(resize=8, crop=(8, 8), mean=(0.4, 0.5, 0.6)[:channels], std=(0.2, 0.3, 0.4)[:channels])
    bundle = ModelBundle.from_module(nn.Conv2d(channels, 2, 3).eval(), transform=transform)
    expected = bundle.prepare(Image.new("RGB", (8, 8), rgb))
    pixels = fill_of(bundle, torch.zeros(channels, 8, 8), fill)
    assert torch.allclose(pixels.expand_as(expected), expected, atol=1e-6)


def test_a_colour_needs_a_known_normalisation(tiny_bundle, pixels):
    opaque = replace(tiny_bundle, transform=lambda image: pixels)
    with pytest.raises(OcclusionError, match="'gray', 'mean' or 'blur'"):
        fill_of(opaque, pixels, "#ff0000")
    assert fill_of(opaque, pixels, "mean").shape == (3, 1, 1)


def test_arrays_are_whole_inputs_or_one_value_per_channel(tiny_bundle, pixels):
    channels = np.arange(3, dtype=np.float32)
    assert fill_of(tiny_bundle, pixels.double(), channels).flatten().tolist() == [0.0, 1.0, 2.0]
    assert fill_of(tiny_bundle, pixels.double(), channels).dtype == torch.float64
    assert torch.equal(fill_of(tiny_bundle, pixels, pixels.numpy()), pixels)
    assert torch.equal(fill_of(tiny_bundle, pixels, pixels), pixels)


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        ("grey-ish", "'gray', 'mean', 'blur', a colour"),
        ("#12345678", "colour"),
        ("rgb(300, 0, 0)", "colour"),
        ((1, 2), "colour"),
        ((1, 2, 256), "colour"),
        ((1, 2, 3, 256), "colour"),
        ((0.1, 0.2, 0.3), "colour"),
        (None, "colour"),
        (np.zeros((3, 4, 4), np.float32), r"\(3, 16, 16\) or \(3,\)"),
        (np.zeros(3, np.uint8), "floating-point"),
        (np.full(3, np.nan), "finite"),
    ],
)
def test_invalid_fills_raise_errors(tiny_bundle, pixels, fill, message):
    with pytest.raises(OcclusionError, match=message):
        fill_of(tiny_bundle, pixels, fill)


@pytest.mark.parametrize("fill", ["grey", "Gray", "GREY"])
def test_grey_is_an_alias_of_gray(tiny_bundle, pixels, fill):
    assert torch.equal(fill_of(tiny_bundle, pixels, fill), fill_of(tiny_bundle, pixels, "gray"))
    assert fill_name(fill) == "gray"
    assert float(fill_of(tiny_bundle, pixels, "#808080").abs().max()) > 0, "mid-gray is not the training mean"


def test_names_of_fills():
    names = {"gray": "gray", "mean": "mean", "blur": "blur", "red": "#ff0000", "#0a0B0c": "#0a0b0c", (1, 2, 255): "#0102ff"}
    assert {fill: fill_name(fill) for fill in names} == names
    assert fill_name(np.zeros(3)) == "array"
    assert fill_name(torch.zeros(3)) == "array"


def test_a_patch_covers_exactly_its_box(pixels):
    occluded = patched(
        pixels, torch.full((3, 1, 1), 9.0), [(-2, 3, 4, 5), (6, -3, 8, 2), (14, 15, 30, 40), (20, 0, 30, 4), (9, -9, 11, -1)]
    )
    covered = torch.zeros(16, 16, dtype=torch.bool)
    covered[3:5, :4] = True
    covered[:2, 6:8] = True
    covered[15:, 14:] = True
    assert torch.equal(occluded[:, ~covered], pixels[:, ~covered])
    assert bool((occluded[:, covered] == 9.0).all())
