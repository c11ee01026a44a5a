"""Image sets with labels of any kind, and literal scores to compare with."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from deconvwidgets.errors import PictureError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess


class Photographs(ImageSet):
    """Photographs of noise with given targets; those in `broken` cannot be decoded."""

    def __init__(self, targets, categories=None, broken=(), seed=0):
        self.targets = list(targets)
        self.broken = set(broken)
        self.opened = []
        self.pixels = np.random.default_rng(seed).integers(0, 256, (len(self.targets), 16, 16, 3), dtype=np.uint8)
        super().__init__("noise", f"noise {seed} {len(self.targets)}", categories)

    @property
    def source_count(self):
        return len(self.targets)

    def source_name(self, source):
        return f"{source}.png"

    def label(self, source):
        return self.targets[source] if isinstance(self.targets[source], int) else None

    def target(self, source):
        return self.targets[source]

    def open_source(self, source):
        self.opened.append(source)
        if source in self.broken:
            raise PictureError(f"{source}.png is truncated.")
        return Image.fromarray(self.pixels[source])


def make_bundle(outputs=3, seed=0, scale=20.0, **options):
    """Return a small network whose outputs differ much between photographs of noise."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 7 * 7, outputs, bias=False))
    with torch.no_grad():
        net[3].weight.mul_(scale)
    transform = Preprocess(resize=16, crop=(16, 16), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    return ModelBundle.from_module(net.eval(), transform=transform, name="small", **options)


@pytest.fixture
def photographs():
    """The class Photographs."""
    return Photographs


@pytest.fixture
def small():
    """The function make_bundle."""
    return make_bundle


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Each test has a cache of its own."""
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path / "cache"))
