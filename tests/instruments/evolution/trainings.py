"""Trainings that did not take place: checkpoints with planted changes, and what follows from them computed plainly."""

import copy

import numpy as np
import torch
from PIL import Image

from deconvwidgets.checkpoints.checkpoint_file import write_checkpoint
from deconvwidgets.checkpoints.open import open_checkpoints
from tests.conftest import make_tiny_bundle

LAYERS = {"conv1": slice(0, 2), "conv2": slice(0, 4)}  # of the network of make_tiny_bundle


def write_training(folder, changes, bundle=None):
    """Write a checkpoint for each of `changes`, functions of the network by epoch, each of which changes the network of the one before."""
    bundle = bundle or make_tiny_bundle()
    net = copy.deepcopy(bundle.model)
    for epoch, change in changes.items():
        with torch.no_grad():
            change(net)
        write_checkpoint(folder, epoch, net.state_dict())
    return open_checkpoints(folder, build=bundle)


def unchanged(net):
    """Change nothing."""


def noise(seed, size=0.3):
    """Return a change of every parameter at random."""

    def change(net):
        generator = torch.Generator().manual_seed(seed)
        for parameter in net.parameters():
            parameter.add_(size * torch.randn(parameter.shape, generator=generator) * parameter.abs().clamp(max=1).mean())

    return change


def plain_activations(bundle, images, layer):
    """Return the maxima (crops, units) in the different crops, and the bytes of each crop's photograph."""
    pixels, contents = [], []
    for crop in range(len(images)):
        place = images.crop(crop)
        key = (images.open_source(place.source).tobytes(), place.number)
        if key not in contents:
            contents.append(key)
            pixels.append(bundle.transform(images.open_crop(crop)))
    with torch.no_grad():
        maps = bundle.model[LAYERS[layer]](torch.stack(pixels))
    return maps.amax(dim=(2, 3)).double().numpy(), [photograph for photograph, _ in contents]


def plain_cka(left, right):
    """Return linear CKA by its definition with kernels (Kornblith et al. 2019, equation 3)."""
    crops = len(left)
    centring = np.eye(crops) - np.ones((crops, crops)) / crops

    def hsic(a, b):
        return np.trace(a @ a.T @ centring @ b @ b.T @ centring)

    return hsic(left, right) / np.sqrt(hsic(left, left) * hsic(right, right))


def plain_photographs(values, photographs):
    """Return the photograph of each unit's strongest activation, None for a unit that is zero everywhere."""
    return [None if not column.any() else photographs[int(column.argmax())] for column in values.T]


def colour_images(*colours):
    """Return images of one colour each."""
    return [Image.new("RGB", (16, 16), colour) for colour in colours]
