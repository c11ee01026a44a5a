"""Folders of coloured photographs, and small networks."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

import deconvwidgets as dw

CLASSES = ("blue", "green", "red")


def draw_classes(root: Path, count=21, seed=0):
    """Write `count` photographs per class, which differ by their brightest channel, in folders of their classes."""
    generator = np.random.default_rng(seed)
    for number, name in enumerate(CLASSES):
        folder = root / name
        folder.mkdir(parents=True)
        for image in range(count):
            pixels = generator.integers(0, 160, (44, 50, 3), dtype=np.uint8)
            pixels[..., 2 - number] += 60
            Image.fromarray(pixels).save(folder / f"{image:02}.png")
    return root


def small(classes):
    """A network with a dropout that DistributedDataParallel and resuming have to repeat."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2), nn.ReLU(), nn.Dropout(0.3), nn.AdaptiveMaxPool2d(3), nn.Flatten(), nn.Linear(54, classes)
    )  # fmt: skip


@pytest.fixture(scope="session")
def coloured_folder(tmp_path_factory):
    return draw_classes(tmp_path_factory.mktemp("coloured"))


@pytest.fixture(scope="session")
def coloured(coloured_folder):
    return dw.open_images(coloured_folder)
