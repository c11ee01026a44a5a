"""Bundles prepare the input of a model, and refuse arguments that do not fit."""

import numpy as np
import pytest
import torch
from torch import nn

from deconvwidgets.errors import ModelError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess


def net():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()


def test_a_module_is_neither_copied_nor_changed():
    module = net()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    bundle = ModelBundle.from_module(module, categories=list("abcd"), name="mine")
    assert bundle.model is module
    assert all(torch.equal(tensor, module.state_dict()[name]) for name, tensor in before.items())
    assert module[0].weight.requires_grad
    assert (bundle.name, bundle.categories, bundle.input_size) == ("mine", ("a", "b", "c", "d"), (3, 224, 224))
    assert ModelBundle.from_module(module).name == "Sequential"
    assert ModelBundle.from_module(module).classifier is None


def test_a_model_in_training_mode_is_refused():
    with pytest.raises(ModelError, match=r"model\.eval\(\)"):
        ModelBundle.from_module(net().train())


def test_a_note_describes_the_default_transform(noise_image):
    bundle = ModelBundle.from_module(net(), input_size=(3, 20, 30))
    assert bundle.prepare(noise_image()).shape == (3, 20, 30)
    assert "20 x 30" in bundle.notes[0]
    assert ModelBundle.from_module(net(), transform=Preprocess()).notes == ()


def test_models_with_one_channel_receive_gray_images(noise_image):
    bundle = ModelBundle.from_module(nn.Conv2d(1, 2, 3).eval(), input_size=(1, 28, 28))
    assert bundle.model(bundle.prepare(noise_image())[None]).shape == (1, 2, 26, 26)


def test_an_unknown_transform_has_no_geometry(noise_image):
    bundle = ModelBundle.from_module(net(), transform=lambda image: torch.full((3, 8, 8), 7.0), input_size=(3, 8, 8))
    assert bundle.geometry((40, 30)) is None
    assert bundle.prepare(noise_image()).dtype == torch.float32
    assert bundle.to_picture(torch.linspace(-3, 5, 192).view(3, 8, 8)).max() == 255
    assert bundle.to_picture(torch.full((3, 8, 8), 7.0)).shape == (8, 8, 3)
    assert bundle.to_picture(torch.rand(5, 8, 8)).shape == (8, 8, 3)


def test_a_known_transform_has_a_geometry():
    bundle = ModelBundle.from_module(net(), transform=Preprocess(resize=64, crop=(64, 64)))
    assert bundle.input_size == (3, 64, 64)
    assert bundle.geometry((128, 256)).scale == (0.5, 0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"transform": Preprocess(), "input_size": (3, 32, 32)}, "Pass only one of them"),
        ({"input_size": (4, 32, 32)}, "no default transform"),
        ({"transform": lambda image: 3, "input_size": (3, 32)}, "channels, height, width"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ModelError, match=message):
        ModelBundle.from_module(net(), **arguments)


@pytest.mark.parametrize("result", [torch.zeros(3, 9, 8), np.zeros((3, 8, 8)), None])
def test_a_transform_that_returns_something_else_is_refused(result, noise_image):
    bundle = ModelBundle.from_module(net(), transform=lambda image: result, input_size=(3, 8, 8))
    with pytest.raises(ModelError, match="returned"):
        bundle.prepare(noise_image())
