"""Our preprocessing is torchvision's, and its geometry says where each input pixel came from."""

import numpy as np
import pytest
import torch
from PIL import Image

from deconvwidgets.models.preprocess import Preprocess, as_preprocess, default_preprocess
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
def test_photographs_come_out_bit_for_bit_as_in_torchvision(which, photos):
    theirs = preset(which)
    ours = as_preprocess(theirs)
    for index in (0, 3, 10 * 9, 21 * 9, 23 * 9, 25 * 9 + 4):
        picture = photos.open_crop(index)
        assert torch.equal(ours(picture), theirs(picture))


@pytest.mark.parametrize("size", [(1, 1), (17, 900), (901, 18), (223, 225), (333, 500), (512, 511)])
def test_awkward_sizes_as_well(size, noise_picture):
    theirs = preset(PRESETS[0])
    assert torch.equal(as_preprocess(theirs)(noise_picture(*size)), theirs(noise_picture(*size)))


@pytest.mark.parametrize("size", [(100, 80), (301, 299), (224, 150), (30, 500)])
def test_a_crop_larger_than_the_picture_is_padded_as_in_torchvision(size, noise_picture):
    transforms = import_torchvision().transforms
    theirs = transforms.Compose([transforms.CenterCrop((224, 160)), transforms.ToTensor()])
    ours = as_preprocess(theirs)
    assert ours is not None
    assert torch.equal(ours(noise_picture(*size)), theirs(noise_picture(*size)))


@pytest.mark.parametrize("size", [(640, 427), (300, 451), (512, 512), (100, 90)])
def test_geometry_finds_a_dot_again(size):
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


def test_unnormalise_gives_the_cropped_picture_back(photos):
    picture = photos.open_crop(0)
    for preprocess in (Preprocess(), Preprocess(mean=(127 / 255,) * 3, std=(128 / 255,) * 3)):
        np.testing.assert_array_equal(preprocess.unnormalise(preprocess(picture)), np.asarray(preprocess.resize_and_crop(picture)))


def test_pixel_minus_127_over_128():
    preprocess = Preprocess(resize=None, crop=(1, 2), mean=(127 / 255,) * 3, std=(128 / 255,) * 3)
    got = preprocess(Image.fromarray(np.array([[[0, 127, 255], [1, 2, 3]]], np.uint8)))
    torch.testing.assert_close(got[:, 0, 0], torch.tensor([-127 / 128, 0.0, 1.0]), atol=1e-6, rtol=0)


def test_one_channel_is_gray(noise_picture):
    preprocess = default_preprocess((1, 28, 28))
    got = preprocess(noise_picture(60, 50))
    assert got.shape == (1, 28, 28)
    picture = preprocess.unnormalise(got)
    assert picture.shape == (28, 28, 3)
    assert (picture[..., 0] == picture[..., 2]).all()


def test_another_input_size_keeps_the_margin():
    assert Preprocess().resized_to(448, 448).resize == 512
    assert Preprocess().resized_to(112, 224).input_size == (3, 112, 224)


def test_compose_is_recognised_and_lookalikes_are_not(noise_picture):
    t = import_torchvision().transforms
    usual = [t.Resize(40), t.CenterCrop(32), t.ToTensor(), t.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))]
    ours = as_preprocess(t.Compose(usual))
    torch.testing.assert_close(ours(noise_picture(50, 90)), t.Compose(usual)(noise_picture(50, 90)))
    assert as_preprocess(t.Compose([t.RandomHorizontalFlip(1.0), *usual])) is None
    assert as_preprocess(t.Compose([*usual, t.Lambda(lambda x: x * 2)])) is None
    assert as_preprocess(t.Compose([t.Resize((32, 32)), t.ToTensor()])) is None
    assert as_preprocess(lambda picture: torch.zeros(3, 32, 32)) is None
