"""Projections are resampled, then scaled: zero is mid-gray, and 2.5 standard deviations are black or white."""

import subprocess
import sys

import numpy as np
import pytest

from deconvwidgets import display


def test_zero_is_mid_gray_and_signs_are_symmetric():
    signed = np.zeros((3, 8, 8), np.float32)
    signed[0, 2, 2], signed[0, 5, 5] = 1.0, -1.0
    tile = display.projection_to_rgb(signed, 8)
    assert tile.shape == (8, 8, 3)
    assert tile.dtype == np.uint8
    assert set(np.unique(tile[..., 1:])) == {display.GREY}
    assert tile[2, 2, 0] == 255
    assert tile[5, 5, 0] == 0


def test_contrast_is_two_and_a_half_deviations_about_zero():
    signed = np.full((1, 4, 4), 3.0, np.float32)  # its deviation about zero is 3, about its mean 0
    assert display.deviation([signed]) == pytest.approx(3.0)
    expected = round(127.5 + 127.5 / 2.5)
    assert set(np.unique(display.projection_to_rgb(signed, 4))) == {expected}


def test_zeros_are_mid_gray():
    assert set(np.unique(display.projection_to_rgb(np.zeros((3, 5, 5)), 20))) == {display.GREY}


def test_resampling_is_done_before_scaling():
    """With pixels of alternating sign on a weak bump, the small tile would be gray if values were scaled first."""
    checker = np.where(np.indices((64, 64)).sum(axis=0) % 2, 1.0, -1.0).astype(np.float32)
    bump = np.zeros((64, 64), np.float32)
    bump[16:48, 16:48] = 0.1
    tile = display.projection_to_rgb(np.stack([checker + bump] * 3), 16).astype(int)
    assert tile[6:10, 6:10].mean() > display.GREY + 60


def test_resampling_down_is_antialiased():
    checker = np.where(np.indices((64, 64)).sum(axis=0) % 2, 1.0, -1.0).astype(np.float32)
    assert np.abs(display.resample_signed(checker[None], 16)).max() < 0.05


def test_shared_contrast_has_one_scale():
    strong = np.random.default_rng(0).normal(size=(3, 9, 9)).astype(np.float32)
    separate = display.projections_to_rgb([strong, strong / 10], 9)
    shared = display.projections_to_rgb([strong, strong / 10], 9, shared=True)
    assert np.array_equal(separate[0], separate[1])
    assert shared[1].std() < shared[0].std() / 5


def test_one_channel_is_gray_and_five_are_averaged():
    channel = np.random.default_rng(0).normal(size=(1, 6, 6))
    tile = display.projection_to_rgb(channel, 6)
    assert (tile == tile[..., :1]).all()
    assert np.array_equal(display.projection_to_rgb(np.repeat(channel, 5, axis=0), 6), tile)


def test_an_integer_size_is_the_longer_side():
    assert display.projection_to_rgb(np.zeros((3, 20, 10)), 40).shape == (40, 20, 3)
    assert display.projection_to_rgb(np.zeros((3, 20, 10)), (5, 6)).shape == (5, 6, 3)


@pytest.mark.parametrize("box", [(-3, -2, 5, 6), (6, 5, 14, 13), (-4, -4, 20, 20), (-9, -9, -1, -1), (12, 0, 20, 8)])
def test_a_patch_is_gray_outside_the_image(box):
    image = np.random.default_rng(0).integers(0, 100, (10, 10, 3), dtype=np.uint8)
    patch = display.crop_patch(image, box)
    left, top, right, bottom = box
    assert patch.shape == (bottom - top, right - left, 3)
    for row in range(patch.shape[0]):
        for column in range(patch.shape[1]):
            y, x = row + top, column + left
            inside = 0 <= y < 10 and 0 <= x < 10
            assert patch[row, column].tolist() == (image[y, x].tolist() if inside else [display.GREY] * 3)


def test_mosaic_arranges_tiles_in_reading_order_and_centres_small_ones():
    tiles = [np.full((4, 4, 3), value, np.uint8) for value in (10, 20, 30, 40)] + [np.full((2, 4, 3), 50, np.uint8)]
    canvas = display.mosaic(tiles, grid=3, tile=4, gap=1, background=(1, 2, 3))
    assert canvas.shape == (14, 14, 3)
    assert canvas[0, 5, 0] == 20
    assert canvas[5, 0, 0] == 40
    assert canvas[5:9, 5, 0].tolist() == [display.GREY, 50, 50, display.GREY]
    assert canvas[4, 0].tolist() == [1, 2, 3]
    assert canvas[13, 13].tolist() == [1, 2, 3]


def test_mosaic_refuses_too_many_and_too_large_tiles():
    with pytest.raises(ValueError, match="do not fit"):
        display.mosaic([np.zeros((1, 1, 3), np.uint8)] * 5, grid=2)
    with pytest.raises(ValueError, match="resize it first"):
        display.mosaic([np.zeros((9, 9, 3), np.uint8)], tile=4)


def test_display_needs_no_torch():
    code = "import sys, deconvwidgets.display; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
