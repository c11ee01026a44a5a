"""Fixtures for several parts: a small network, photographs of noise with crops and labels, and real models and images."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from deconvwidgets.assets.cache import cache_dir
from deconvwidgets.engine import Network
from deconvwidgets.errors import PictureError
from deconvwidgets.images.image_set import Crop, ImageSet, digest_of
from deconvwidgets.images.open import open_images
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.zoo import load_model
from deconvwidgets.records.heads import Head
from deconvwidgets.service.worker import Job


@pytest.fixture(scope="session", autouse=True)
def one_thread_each() -> None:
    """Compute on one thread if several processes test at the same time: threads that wait for each other are slow."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        torch.set_num_threads(1)


class NoisePhotographs(ImageSet):
    """`count` photographs of noise with three crops each; those in `broken` cannot be decoded."""

    BOXES = (None, (0, 0, 20, 20), (6, 4, 26, 24))

    def __init__(self, count=14, seed=0, broken=()):
        generator = np.random.default_rng(seed)
        self.pixels = generator.integers(0, 256, (count, 24, 28, 3), dtype=np.uint8)
        self.pixels[3] = self.pixels[2]  # two equal photographs: ties between sources
        self.broken = set(broken)
        self.opened = 0
        super().__init__("noise", digest_of([str(seed), str(count)]), ["cat", "dog", "kite"])

    @property
    def source_count(self):
        return len(self.pixels)

    def source_name(self, source):
        return f"noise-{source}"

    def label(self, source):
        return None if source == 0 else source % 3

    def open_source(self, source):
        self.opened += 1
        if source in self.broken:
            raise PictureError(f"noise-{source} is truncated.")
        return Image.fromarray(self.pixels[source])

    def __len__(self):
        return 3 * self.source_count

    def crop(self, index):
        return Crop(index // 3, index % 3, self.BOXES[index % 3])

    def crops_of(self, source):
        return range(3 * source, 3 * source + 3)


def make_tiny_bundle(seed=0, classes=3):
    """A bundle whose conv1 has a dead unit (2) and whose conv2 has no rectifier, so that it has negative maxima."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 5, 3, padding=1),
        nn.Flatten(),
        nn.Linear(5 * 16, classes),
    )
    with torch.no_grad():
        net[0].bias[2] = -100.0
        net[3].bias[1] = -5.0
    transform = Preprocess(resize=18, crop=(16, 16), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    return ModelBundle.from_module(net.eval(), transform=transform, categories=["ant", "bee", "cow"][:classes], name="tiny")


@pytest.fixture(scope="session")
def tiny_bundle():
    return make_tiny_bundle()


@pytest.fixture
def noise():
    """The class NoisePhotographs, for sets with other arguments."""
    return NoisePhotographs


@pytest.fixture
def tiny_images():
    return NoisePhotographs()


@pytest.fixture
def tiny_model():
    """The function make_tiny_bundle, for bundles with other arguments."""
    return make_tiny_bundle


def random_head(bundle, layer, classes=4, pool=None, seed=0, **changes):
    """Return a head with random weights that fits a layer of the bundle. `changes` are other values of its fields."""
    network = Network.of(bundle.model, bundle.input_size)
    info = network.layer(layer)
    rows, columns = pool or (info.height, info.width)
    generator = np.random.default_rng(seed)
    fields = {
        "model": bundle.name,
        "layer": info.name,
        "alias": info.alias,
        "pool": pool,
        "weight": generator.normal(size=(classes, info.channels * rows * columns)).astype(np.float16),
        "bias": generator.normal(size=classes).astype(np.float32),
        "categories": tuple(f"kind {number}" for number in range(classes)),
        "digest": network.digest(layer),
        "dataset": "caltech101, 30 per class",
        "report": {"accuracy": 0.8461, "folds": 5, "note": "größer"},
    }
    return Head(**(fields | changes))


@pytest.fixture
def make_head():
    """The function random_head."""
    return random_head


@pytest.fixture(scope="session")
def alexnet():
    return load_model("alexnet")


@pytest.fixture(scope="session")
def photos():
    return open_images("photos")


@pytest.fixture(scope="session")
def photographs_folder(photos):
    """The folder of the default photographs in the user's cache, to which other caches may link: a download takes seconds."""
    return cache_dir() / "photographs"


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(folder))
    return folder


@pytest.fixture
def file_size_limit() -> Callable[[int], AbstractContextManager[None]]:
    """A context manager in which files cannot be longer than a number of bytes: writes stop there and fail, as on a full disk."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def limit(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit


@pytest.fixture
def noise_image():
    def make(width=40, height=30, seed=0):
        return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))

    return make


class ManualExecutor:
    """An executor whose jobs are run by the test."""

    def __init__(self):
        self.jobs = []

    def submit(self, name, work, on_failure):
        self.jobs.append(Job(name, work, on_failure))
        return self.jobs[-1]

    def cancel(self):
        for job in self.jobs:
            job.cancel()

    close = cancel


@pytest.fixture
def manual_executor():
    """A new ManualExecutor."""
    return ManualExecutor()
