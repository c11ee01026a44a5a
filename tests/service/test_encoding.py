"""Encoded images and mosaics."""

import io

import numpy as np
import pytest
from PIL import Image

from deconvwidgets.service.encoding import GAP, encode_image, encode_mosaic


def decode(image):
    return Image.open(io.BytesIO(image.data))


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_size_and_type(form):
    pixels = np.full((20, 30, 3), 77, np.uint8)
    image = encode_image(pixels, form)
    assert (image.mime, image.width, image.height) == (f"image/{form}", 30, 20)
    assert decode(image).format.lower() == form
    assert np.abs(np.asarray(decode(image).convert("RGB")).astype(int) - 77).max() <= 3


def test_jpeg_keeps_colour_resolution():
    image = encode_image(np.zeros((16, 16, 3), np.uint8))
    assert {component[1:3] for component in decode(image).layer} == {(1, 1)}  # 4:4:4


def test_encode_mosaic():
    tiles = [np.full((10, 10, 3), 20 * number, np.uint8) for number in range(9)]
    image = encode_mosaic(tiles, 10)
    assert image.width == image.height == 30 + 2 * GAP
    pixels = np.asarray(decode(image)).astype(int)
    for number in range(9):
        row, column = divmod(number, 3)
        assert abs(pixels[row * 12 + 5, column * 12 + 5] - 20 * number).max() < 20
