"""dw.project gives the same projection for every form of an image."""

import numpy as np
import pytest
import torch
from PIL import Image

import deconvwidgets as dw
from deconvwidgets import engine
from deconvwidgets.errors import LayerError, PictureError


@pytest.fixture
def photograph(tiny_images):
    return tiny_images.open_source(1)


def test_every_form_of_an_image_gives_the_same_projection(tiny_bundle, photograph, tmp_path):
    photograph.save(tmp_path / "photograph.png")
    forms = [photograph, str(tmp_path / "photograph.png"), tmp_path / "photograph.png", np.asarray(photograph)]
    alone = [dw.project(tiny_bundle, form, "conv2", unit=3) for form in forms]
    together = dw.project(tiny_bundle, forms, "conv2", unit=3)
    assert together.pixels.shape[0] == 4
    for projection in alone:
        assert projection.pixels.dtype == np.float32
        np.testing.assert_array_equal(projection.pixels[0], alone[0].pixels[0])
        np.testing.assert_allclose(together.pixels[0], projection.pixels[0], rtol=1e-5, atol=1e-6)


def test_record_equals_the_engine(tiny_bundle, photograph):
    batch = tiny_bundle.prepare(photograph)[None]
    expected = engine.project(tiny_bundle.model, batch, "conv2", unit=1, at=torch.tensor([[2, 1]]), rule="gradient")
    record = dw.project(tiny_bundle, photograph, "conv2", unit=1, at=[(2, 1)], rule="gradient")
    np.testing.assert_array_equal(record.pixels, expected.pixels.detach().numpy())
    assert record.boxes.tolist() == expected.boxes.tolist()
    assert record.positions.tolist() == [[2, 1]]
    assert (record.layer, record.unit, record.rule, record.method) == ("conv2", 1, "gradient", expected.method)


def test_gray_arrays_are_images(tiny_bundle):
    gray = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
    coloured = np.repeat(gray[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(
        dw.project(tiny_bundle, Image.fromarray(coloured), "conv1", unit=0).pixels, dw.project(tiny_bundle, gray, "conv1", unit=0).pixels
    )


@pytest.mark.parametrize("wrong", [np.zeros((3, 8, 8), np.float32), np.zeros((8, 8, 4), np.uint8), []])
def test_other_values_raise_an_error(tiny_bundle, wrong):
    with pytest.raises(PictureError):
        dw.project(tiny_bundle, wrong, "conv1", unit=0)


def test_unknown_layers_and_files_raise_errors(tiny_bundle, photograph, tmp_path):
    with pytest.raises(LayerError):
        dw.project(tiny_bundle, photograph, "conv9", unit=0)
    with pytest.raises(PictureError):
        dw.project(tiny_bundle, tmp_path / "missing.png", "conv1", unit=0)
