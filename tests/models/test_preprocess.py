"""Preprocessing agrees with torchvision, and its geometry maps input pixels to image pixels."""

import numpy as np
import pytest
import torch
from PIL import Image

from deconvwidgets.models.preprocess import FloorCropPreprocess, Preprocess, as_preprocess, default_preprocess
from deconvwidgets.models.torchvision_import import import_torchvision

PRESETS = [
    "alexnet:IMAGENET1K_V1",
    "resnet50:IMAGENET1K_V2",
    "efficientnet_b0:IMAGENET1K_V1",
    "inception_v3:IMAGENET1K_V1",
    "vit_b_16:DEFAULT",
]


def preset(which):
    name, member = which.split(":")
    return import_torchvision().models.get_model_weights(name)[member].transforms()


@pytest.mark.parametrize("which", PRESETS)
def test_photographs_agree_exactly_with_torchvision(which, photos):
    expected = preset(which)
    preprocess = as_preprocess(expected)
    for index in (0, 3, 10 * 9, 21 * 9, 23 * 9, 25 * 9 + 4):
        image = photos.open_crop(index)
        assert torch.equal(preprocess(image), expected(image))


@pytest.mark.parametrize("size", [(1, 1), (17, 900), (901, 18), (223, 225), (333, 500), (512, 511)])
def test_unusual_sizes_agree_with_torchvision(size, noise_image):
    expected = preset(PRESETS[0])
    assert torch.equal(as_preprocess(expected)(noise_image(*size)), expected(noise_image(*size)))


@pytest.mark.parametrize("size", [(100, 80), (301, 299), (224, 150), (30, 500)])
def test_a_crop_larger_than_the_image_is_padded_as_in_torchvision(size, noise_image):
    transforms = import_torchvision().transforms
    expected = transforms.Compose([transforms.CenterCrop((224, 160)), transforms.ToTensor()])
    preprocess = as_preprocess(expected)
    assert preprocess is not None
    assert torch.equal(preprocess(noise_image(*size)), expected(noise_image(*size)))


@pytest.mark.parametrize("size", [(640, 427), (300, 451), (512, 512), (100, 90)])
def test_geometry_maps_a_dot_to_its_position(size):
    width, height = size
    preprocess = Preprocess(mean=(0.0,) * 3, std=(1.0,) * 3)
    x, y = width // 2 + 11, height // 2 - 9
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[y - 2 : y + 3, x - 2 : x + 3] = 255
    row, column = np.unravel_index(int(preprocess(Image.fromarray(pixels)).sum(0).argmax()), (224, 224))
    left, top, right, bottom = preprocess.geometry(width, height).to_source((column, row, column + 1, row + 1))
    assert left - 2 <= x + 0.5 <= right + 2
    assert top - 2 <= y + 0.5 <= bottom + 2


def test_geometry_of_padding_and_no_resize():
    geometry = Preprocess(resize=None, crop=(10, 20)).geometry(16, 30)
    assert geometry.scale == (1.0, 1.0)
    assert geometry.shift == (2.0, -10.0)


def test_unnormalise_restores_the_cropped_image(photos):
    image = photos.open_crop(0)
    for preprocess in (Preprocess(), Preprocess(mean=(127 / 255,) * 3, std=(128 / 255,) * 3)):
        np.testing.assert_array_equal(preprocess.unnormalise(preprocess(image)), np.asarray(preprocess.resize_and_crop(image)))


def test_pixel_minus_127_over_128():
    preprocess = Preprocess(resize=None, crop=(1, 2), mean=(127 / 255,) * 3, std=(128 / 255,) * 3)
    result = preprocess(Image.fromarray(np.array([[[0, 127, 255], [1, 2, 3]]], np.uint8)))
    torch.testing.assert_close(result[:, 0, 0], torch.tensor([-127 / 128, 0.0, 1.0]), atol=1e-6, rtol=0)


def test_one_channel_is_gray(noise_image):
    preprocess = default_preprocess((1, 28, 28))
    result = preprocess(noise_image(60, 50))
    assert result.shape == (1, 28, 28)
    image = preprocess.unnormalise(result)
    assert image.shape == (28, 28, 3)
    assert (image[..., 0] == image[..., 2]).all()


def test_another_input_size_keeps_the_ratio_of_resize_and_crop():
    assert Preprocess().resized_to(448, 448).resize == 512
    assert Preprocess().resized_to(112, 224).input_size == (3, 112, 224)


def test_compose_is_recognised_and_other_transforms_are_not(noise_image):
    t = import_torchvision().transforms
    usual = [t.Resize(40), t.CenterCrop(32), t.ToTensor(), t.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))]
    preprocess = as_preprocess(t.Compose(usual))
    torch.testing.assert_close(preprocess(noise_image(50, 90)), t.Compose(usual)(noise_image(50, 90)))
    assert as_preprocess(t.Compose([t.RandomHorizontalFlip(1.0), *usual])) is None
    assert as_preprocess(t.Compose([*usual, t.Lambda(lambda x: x * 2)])) is None
    assert as_preprocess(t.Compose([t.Resize((32, 32)), t.ToTensor()])) is None
    assert as_preprocess(lambda image: torch.zeros(3, 32, 32)) is None


def test_a_crop_that_is_rounded_in_another_way_is_not_recognised(noise_image):
    """With these sizes no margin of the two larger images is odd: only an image made for that shows the difference."""
    t = import_torchvision().transforms

    class CenterCrop:
        size = (224, 224)

        def __call__(self, image):
            left, top = ((length - 224) // 2 for length in image.size)
            return image.crop((left, top, left + 224, top + 224))

    floored = t.Compose([t.Resize(256), CenterCrop(), t.ToTensor(), t.Normalize((0.5,) * 3, (0.5,) * 3)])
    assert as_preprocess(floored) is None
    known = FloorCropPreprocess(256, (224, 224), (0.5,) * 3, (0.5,) * 3)
    for size in ((256, 256), (347, 256), (256, 259), (300, 500)):
        torch.testing.assert_close(known(noise_image(*size)), floored(noise_image(*size)), rtol=0, atol=1e-6)
    assert known.geometry(347, 256).shift == (-61.0, -16.0)
    assert Preprocess(256, (224, 224)).geometry(347, 256).shift == (-62.0, -16.0)
    assert type(known.resized_to(448, 448)) is FloorCropPreprocess
