"""Transformed photographs against torchvision, SciPy and plain NumPy."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

import deconvwidgets as dw
from deconvwidgets.errors import InvarianceError
from deconvwidgets.instruments.invariance.compute.transformed import TransformedPhotograph, fill_colour, geometry_note
from deconvwidgets.instruments.invariance.transforms import TRANSFORMS, checked_amounts, is_neutral, kind_of
from deconvwidgets.models.torchvision_import import import_torchvision
from tests.conftest import make_tiny_bundle

TF = import_torchvision().transforms.functional
BILINEAR = import_torchvision().transforms.InterpolationMode.BILINEAR

BUNDLE = make_tiny_bundle()
GREY = (128, 128, 128)  # 0 after a normalisation with mean 0.5


def smooth_photograph(width: int = 60, height: int = 44) -> Image.Image:
    """Return a smooth image, for which interpolations agree."""
    generator = np.random.default_rng(1)
    pixels = ndimage.gaussian_filter(generator.uniform(0, 255, (height, width, 3)), (3, 3, 0))
    pixels = 255 * (pixels - pixels.min()) / np.ptp(pixels)
    return Image.fromarray(pixels.round().astype(np.uint8))


PHOTOGRAPH = smooth_photograph()


def resized() -> Image.Image:
    return TF.resize(PHOTOGRAPH, 18, BILINEAR)


def cropped(image: Image.Image) -> torch.Tensor:
    return TF.normalize(TF.to_tensor(TF.center_crop(image, [16, 16])), [0.5] * 3, [0.25] * 3)


def transformed(name: str, amount: float, photograph: Image.Image = PHOTOGRAPH) -> torch.Tensor:
    return TransformedPhotograph(BUNDLE, photograph).input(kind_of(name), amount)


@pytest.mark.parametrize(
    ("name", "shift"), [("translate", (0, 5)), ("translate", (0, -7)), ("translate_x", (4, 0)), ("translate_x", (-30, 0))]
)
def test_a_translation_moves_real_content_in(name, shift):
    expected = TF.affine(resized(), 0, list(shift), 1, [0.0, 0.0], fill=list(GREY))
    torch.testing.assert_close(transformed(name, shift[0] or shift[1]), cropped(expected))


@pytest.mark.parametrize(("width", "height"), [(9, 12), (40, 9), (11, 30), (16, 16)])
@pytest.mark.parametrize(("name", "shift"), [("translate", (0, 3)), ("translate_x", (-4, 0)), ("translate_x", (2, 0))])
def test_a_photograph_smaller_than_the_crop_moves_within_the_black_around_it(name, shift, width, height):
    bundle = replace(BUNDLE, transform=replace(BUNDLE.transform, resize=None))
    photograph = smooth_photograph(width, height)
    found = TransformedPhotograph(bundle, photograph)
    torch.testing.assert_close(found.unchanged(), bundle.prepare(photograph), rtol=0, atol=0)
    black = TF.center_crop(photograph, [max(16, height), max(16, width)])
    expected = TF.affine(black, 0, list(shift), 1, [0.0, 0.0], fill=list(GREY))
    torch.testing.assert_close(found.input(kind_of(name), sum(shift)), cropped(expected), rtol=0, atol=1e-6)


def test_a_translation_is_a_shift_of_the_crop_where_the_photograph_has_content():
    photograph = smooth_photograph(18, 40)  # 40 rows are resized to no other size: the crop has 12 more above and below
    moved, plain = transformed("translate", 3, photograph), np.asarray(photograph, np.float32)
    expected = (plain[12 - 3 : 28 - 3, 1:17].transpose(2, 0, 1) / 255 - 0.5) / 0.25
    np.testing.assert_allclose(moved.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("degrees", [10, -35, 90, 200.5])
def test_a_rotation_is_counterclockwise_about_the_centre(degrees):
    expected = TF.rotate(resized(), degrees, BILINEAR, fill=list(GREY))
    torch.testing.assert_close(transformed("rotate", degrees), cropped(expected))


@pytest.mark.parametrize("factor", [1.1, 1.5, 2.0])
def test_a_photograph_is_enlarged_as_by_torchvision(factor):
    expected = TF.affine(resized(), 0, [0, 0], factor, [0.0, 0.0], BILINEAR, fill=list(GREY))
    difference = (transformed("scale", factor) - cropped(expected)).abs()
    assert float(difference.max()) < 2 / 255 / 0.25


def test_a_reduced_photograph_is_surrounded_by_the_fill_and_has_no_aliasing():
    stripes = np.zeros((18, 18, 3), np.uint8)
    stripes[:, ::2] = 255  # of the smallest period: half the size shows their mean
    small = TransformedPhotograph(BUNDLE, Image.fromarray(stripes)).transformed(kind_of("scale"), 0.5)
    pixels = np.asarray(small).astype(int)
    assert np.abs(pixels[7:11, 7:11] - 127.5).max() < 12  # aliasing would give 0 or 255
    assert (pixels[:3] == 128).all()
    assert (pixels[:, -3:] == 128).all()


def test_blur_is_a_convolution_with_a_gaussian():
    plain = np.pad(np.asarray(resized(), np.float64), ((8, 8), (8, 8), (0, 0)), mode="edge")
    kernel = np.exp(-(np.arange(-8, 9) ** 2) / (2 * 2.0**2))
    kernel /= kernel.sum()
    rows = sum(weight * plain[place : len(plain) - 16 + place] for place, weight in enumerate(kernel))
    expected = sum(weight * rows[:, place : rows.shape[1] - 16 + place] for place, weight in enumerate(kernel))
    blurred = np.asarray(TransformedPhotograph(BUNDLE, PHOTOGRAPH).transformed(kind_of("blur"), 2.0), np.float64)
    assert np.abs(blurred - expected).max() <= 0.51  # it is rounded


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.7])
def test_brightness_multiplies_and_clips(factor):
    pixels = np.asarray(resized(), np.float64)
    found = np.asarray(TransformedPhotograph(BUNDLE, PHOTOGRAPH).transformed(kind_of("brightness"), factor))
    np.testing.assert_array_equal(found, np.minimum(255, np.floor(factor * pixels + 0.5)))


def test_noise_has_the_deviation_and_is_the_same_for_every_amount():
    gray = TransformedPhotograph(replace(BUNDLE), Image.new("RGB", (60, 60), (128, 128, 128)))
    large = TransformedPhotograph(make_tiny_bundle(), Image.new("RGB", (60, 60), (128, 128, 128)))
    ten, twenty = (np.asarray(one.transformed(kind_of("noise"), amount), float) - 128 for one, amount in ((gray, 10), (large, 20)))
    assert ten.std() == pytest.approx(10, rel=0.15)
    np.testing.assert_allclose(twenty, 2 * ten, atol=1.01)  # both are rounded


def test_noise_has_the_deviation_in_a_gray_model_too():
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(2 * 62 * 62, 2)).eval()
    bundle = dw.ModelBundle.from_module(net, input_size=(1, 64, 64), name="gray", task=None)
    photograph = TransformedPhotograph(bundle, Image.new("L", (64, 64), 128))
    noisy = photograph.input(kind_of("noise"), 20) - photograph.unchanged()
    brighter = photograph.input(kind_of("brightness"), 1.5) - photograph.unchanged()  # by 64 values
    assert float(noisy.std() / brighter.mean()) == pytest.approx(20 / 64, rel=0.05)


def test_jpeg_compresses_the_resized_photograph():
    file = io.BytesIO()
    resized().save(file, "JPEG", quality=20)
    torch.testing.assert_close(transformed("jpeg", 20), cropped(Image.open(file).convert("RGB")))


@pytest.mark.parametrize("name", [name for name in TRANSFORMS if name != "jpeg"])
def test_the_neutral_amount_changes_not_a_bit(name):
    assert torch.equal(transformed(name, kind_of(name).neutral), BUNDLE.prepare(PHOTOGRAPH))


def test_the_photograph_as_it_is_is_what_the_bundle_prepares():
    photograph = TransformedPhotograph(BUNDLE, PHOTOGRAPH)
    assert torch.equal(photograph.unchanged(), BUNDLE.prepare(PHOTOGRAPH))
    again = TransformedPhotograph(BUNDLE, BUNDLE.resized(PHOTOGRAPH))  # as uploads are kept
    assert torch.equal(again.unchanged(), BUNDLE.prepare(PHOTOGRAPH))


@given(st.integers(-6, 6), st.integers(-6, 6))
@settings(max_examples=12, deadline=None, derandomize=True)
def test_translations_compose_where_there_is_content(first, second):
    """Two translations equal one by their sum, on the rows that no fill has touched."""
    pixels = np.asarray(smooth_photograph(18, 60))
    photograph = TransformedPhotograph(BUNDLE, Image.fromarray(pixels))
    once = np.asarray(photograph.transformed(kind_of("translate"), first))
    twice = np.asarray(TransformedPhotograph(BUNDLE, Image.fromarray(once)).transformed(kind_of("translate"), second))
    np.testing.assert_array_equal(twice[14:46], np.asarray(photograph.transformed(kind_of("translate"), first + second))[14:46])


def test_a_transform_of_unknown_geometry_takes_pixels_of_the_photograph_scaled_to_the_input():
    def own_transform(image: Image.Image) -> torch.Tensor:
        return TF.to_tensor(image.resize((16, 16)))

    bundle = replace(BUNDLE, transform=own_transform)
    photograph = smooth_photograph(48, 64)  # its shorter side has three pixels for each of the input's
    moved = TransformedPhotograph(bundle, photograph).transformed(kind_of("translate_x"), 2)
    np.testing.assert_array_equal(np.asarray(moved)[:, 6:], np.asarray(photograph)[:, :-6])
    assert geometry_note(bundle, kind_of("translate_x"))
    assert not geometry_note(bundle, kind_of("rotate"))
    assert not geometry_note(BUNDLE, kind_of("translate"))


def test_the_fill_is_zero_after_normalisation():
    assert fill_colour(BUNDLE) == GREY
    beside = transformed("translate", 40)
    assert float(beside.abs().max()) < 0.01  # 128 / 255 is not exactly the mean


def test_the_fill_has_its_channels_in_order():
    bundle = replace(BUNDLE, transform=replace(BUNDLE.transform, mean=(0.2, 0.5, 0.7)))
    assert fill_colour(bundle) == (51, 128, 178)
    assert TransformedPhotograph(bundle, PHOTOGRAPH).transformed(kind_of("translate"), 40).getpixel((3, 3)) == (51, 128, 178)


def test_default_amounts_are_those_of_figure_5():
    assert kind_of("translate").amounts(224)[0], kind_of("translate").amounts(224)[-1] == (-60, 60)
    assert (kind_of("scale").amounts(224)[0], kind_of("scale").amounts(224)[-1]) == (1.0, 1.8)
    for name in TRANSFORMS:
        assert 18 <= len(kind_of(name).amounts(224)) <= 25


@pytest.mark.parametrize(
    ("name", "amounts"),
    [
        ("translate", [1.5]), ("translate", [5000]), ("scale", [0]), ("scale", [float("nan")]), ("blur", [-1]), ("jpeg", [0]),
        ("jpeg", [50.5]), ("rotate", ["30"]), ("noise", [None]), ("noise", []), ("noise", "30"), ("noise", 3), ("noise", [True]),
    ],
)  # fmt: skip
def test_amounts_out_of_range_are_refused(name, amounts):
    with pytest.raises(InvarianceError, match="amount"):
        checked_amounts(kind_of(name), amounts, 224)


def test_whole_turns_are_neutral():
    assert is_neutral(kind_of("rotate"), 360)
    assert is_neutral(kind_of("rotate"), -720.0)
    assert not is_neutral(kind_of("rotate"), 359)
    assert not is_neutral(kind_of("jpeg"), 100)
