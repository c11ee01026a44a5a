"""What an occluded place shows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from deconvwidgets.engine.occlusion.patches import patched
from deconvwidgets.errors import OcclusionError
from deconvwidgets.instruments.occlusion.compute.fill import fill_in_words, fill_of
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess


@pytest.fixture
def pixels():
    return torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(1)) * 4 - 1


def test_gray_is_nothing_and_mean_is_this_images(tiny_bundle, pixels):
    assert fill_of(tiny_bundle, pixels, "gray").tolist() == [[[0.0]]] * 3
    mean = fill_of(tiny_bundle, pixels, "mean")
    assert mean.shape == (3, 1, 1)
    assert mean.flatten().tolist() == pytest.approx([float(plane.mean()) for plane in pixels])


def test_blur_keeps_the_light_and_loses_the_detail(tiny_bundle):
    flat = torch.full((3, 16, 16), 0.7)
    assert torch.allclose(fill_of(tiny_bundle, flat, "blur"), flat, atol=1e-6)
    point = torch.zeros(3, 100, 100)
    point[:, 50, 50] = 1.0
    blurred = fill_of(tiny_bundle, point, "blur")[0]
    assert float(blurred.sum()) == pytest.approx(1.0, abs=1e-3)
    assert float(blurred[50, 50]) == pytest.approx(1 / (2 * np.pi * 5.0**2), rel=0.02)  # a deviation of 5 for 100 pixels
    assert float(blurred[50, 55] / blurred[50, 50]) == pytest.approx(np.exp(-0.5), rel=0.02)


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 16, 1), (3, 3, 40), (1, 2, 2)])
def test_images_too_small_to_mirror_are_blurred_all_the_same(tiny_bundle, shape):
    assert fill_of(tiny_bundle, torch.ones(shape), "blur").shape == shape


def test_blur_keeps_rows_and_columns_apart(tiny_bundle):
    stripes = torch.arange(40.0).expand(1, 3, 40).contiguous()
    blurred = fill_of(tiny_bundle, stripes, "blur")
    assert torch.allclose(blurred[:, 0], blurred[:, 2], atol=1e-5)
    assert float(blurred[0, 1, 20]) == pytest.approx(20.0, abs=1e-3)


@pytest.mark.parametrize(("fill", "rgb"), [("#ff8000", (255, 128, 0)), ((12, 0, 250), (12, 0, 250)), ("white", (255, 255, 255))])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_colour_is_what_a_picture_of_that_colour_becomes(fill, rgb, channels):
    transform = Preprocess(resize=8, crop=(8, 8), mean=(0.4, 0.5, 0.6)[:channels], std=(0.2, 0.3, 0.4)[:channels])
    bundle = ModelBundle.from_module(nn.Conv2d(channels, 2, 3).eval(), transform=transform)
    shown = bundle.prepare(Image.new("RGB", (8, 8), rgb))
    laid = fill_of(bundle, torch.zeros(channels, 8, 8), fill)
    assert torch.allclose(laid.expand_as(shown), shown, atol=1e-6)


def test_a_colour_is_refused_where_its_normalisation_is_not_known(tiny_bundle, pixels):
    opaque = replace(tiny_bundle, transform=lambda picture: pixels)
    with pytest.raises(OcclusionError, match="'gray', 'mean' or 'blur'"):
        fill_of(opaque, pixels, "#ff0000")
    assert fill_of(opaque, pixels, "mean").shape == (3, 1, 1)


def test_pixels_of_ones_own_come_as_planes_or_as_a_colour(tiny_bundle, pixels):
    own = np.arange(3, dtype=np.float32)
    assert fill_of(tiny_bundle, pixels.double(), own).flatten().tolist() == [0.0, 1.0, 2.0]
    assert fill_of(tiny_bundle, pixels.double(), own).dtype == torch.float64
    assert torch.equal(fill_of(tiny_bundle, pixels, pixels.numpy()), pixels)
    assert torch.equal(fill_of(tiny_bundle, pixels, pixels), pixels)


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        ("grey-ish", "'gray', 'mean', 'blur', a colour"),
        ("#12345678", "colour"),
        ("rgb(300, 0, 0)", "colour"),
        ((1, 2), "colour"),
        ((1, 2, 256), "colour"),
        ((0.1, 0.2, 0.3), "colour"),
        (None, "colour"),
        (np.zeros((3, 4, 4), np.float32), r"\(3, 16, 16\) or \(3,\)"),
        (np.zeros(3, np.uint8), "floating-point"),
        (np.full(3, np.nan), "finite"),
    ],
)
def test_what_is_no_fill_is_refused_in_words(tiny_bundle, pixels, fill, words):
    with pytest.raises(OcclusionError, match=words):
        fill_of(tiny_bundle, pixels, fill)


@pytest.mark.parametrize("fill", ["grey", "Gray", "GREY"])
def test_grey_is_gray_and_not_a_colour(tiny_bundle, pixels, fill):
    assert torch.equal(fill_of(tiny_bundle, pixels, fill), fill_of(tiny_bundle, pixels, "gray"))
    assert fill_in_words(fill) == "gray"
    assert float(fill_of(tiny_bundle, pixels, "#808080").abs().max()) > 0, "mid-grey is not the training mean"


def test_fills_in_words():
    wanted = {"gray": "gray", "mean": "mean", "blur": "blur", "red": "#ff0000", "#0a0B0c": "#0a0b0c", (1, 2, 255): "#0102ff"}
    assert {fill: fill_in_words(fill) for fill in wanted} == wanted
    assert fill_in_words(np.zeros(3)) == "array"
    assert fill_in_words(torch.zeros(3)) == "array"


def test_a_patch_lies_where_its_box_is_and_nowhere_else(pixels):
    laid = patched(pixels, torch.full((3, 1, 1), 9.0), [(-2, 3, 4, 5), (6, -3, 8, 2), (14, 15, 30, 40), (20, 0, 30, 4), (9, -9, 11, -1)])
    there = torch.zeros(16, 16, dtype=torch.bool)
    there[3:5, :4] = True
    there[:2, 6:8] = True
    there[15:, 14:] = True
    assert torch.equal(laid[:, ~there], pixels[:, ~there])
    assert bool((laid[:, there] == 9.0).all())
