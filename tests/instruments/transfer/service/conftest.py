"""Folders of class folders with images of three colours, and a service on the tiny net to train on them."""

import numpy as np
import pytest
from PIL import Image

from deconvwidgets.instruments.transfer.records import TransferSettings
from deconvwidgets.local_service import LocalModelService
from deconvwidgets.service.worker import SynchronousExecutor

COLOURS = {"brick": (180, 70, 50), "grass": (90, 160, 60), "sea": (40, 90, 170)}


def make_class_folders(folder, each=12, classes=COLOURS, noise=40):
    """`each` noisy images of every colour, 28 x 24."""
    for number, (name, colour) in enumerate(classes.items()):
        (folder / name).mkdir(parents=True)
        for image in range(each):
            draw = np.random.default_rng([number, image])
            values = np.array(colour) + draw.normal(0, noise, (24, 28, 1)) + draw.normal(0, noise, 3)
            Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(folder / name / f"{name}_{image}.png")
    return folder


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    """A cache of its own for each test; its folder."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(folder))
    monkeypatch.delenv("DECONVWIDGETS_DATA", raising=False)
    return folder


@pytest.fixture
def class_folders():
    """make_class_folders"""
    return make_class_folders


@pytest.fixture
def colours(tmp_path):
    return make_class_folders(tmp_path / "colours")


@pytest.fixture
def make_service(tiny_bundle, tiny_images):
    """A service with another executor (None: the real worker); closed when the test is over."""
    made = []

    def make(worker, bundle=tiny_bundle, images=tiny_images):
        made.append(LocalModelService(bundle, images, device="cpu", worker=worker))
        return made[-1]

    yield make
    for service in made:
        service.close()


@pytest.fixture
def service(make_service):
    return make_service(SynchronousExecutor())


@pytest.fixture
def settings(colours):
    """TransferSettings on the colours, to be made with other numbers."""

    def make(**changes):
        return TransferSettings(**{"data": str(colours), "images_per_class": 5, "folds": 2, **changes})

    return make
