"""Fixtures: folders with noisy images of three colours, and a service with a small network."""

import numpy as np
import pytest
from PIL import Image

from deconvwidgets.instruments.transfer.records import TransferSettings
from deconvwidgets.local_service import LocalModelService
from deconvwidgets.service.worker import SynchronousExecutor

COLOURS = {"brick": (180, 70, 50), "grass": (90, 160, 60), "sea": (40, 90, 170)}


def make_class_folders(folder, each=12, classes=COLOURS, noise=40):
    """Create a folder per class with `each` noisy images of its colour, 28 x 24."""
    for number, (name, colour) in enumerate(classes.items()):
        (folder / name).mkdir(parents=True)
        for image in range(each):
            generator = np.random.default_rng([number, image])
            values = np.array(colour) + generator.normal(0, noise, (24, 28, 1)) + generator.normal(0, noise, 3)
            Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(folder / name / f"{name}_{image}.png")
    return folder


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    """An empty cache folder for each test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(folder))
    monkeypatch.delenv("DECONVWIDGETS_DATA", raising=False)
    return folder


@pytest.fixture
def class_folders():
    """The function make_class_folders."""
    return make_class_folders


@pytest.fixture
def colours(tmp_path):
    return make_class_folders(tmp_path / "colours")


@pytest.fixture
def make_service(tiny_bundle, tiny_images):
    """A function that returns a service with an executor (None: its own worker thread). The services are closed after the test."""
    services = []

    def make(worker, bundle=tiny_bundle, images=tiny_images):
        services.append(LocalModelService(bundle, images, device="cpu", worker=worker))
        return services[-1]

    yield make
    for service in services:
        service.close()


@pytest.fixture
def service(make_service):
    return make_service(SynchronousExecutor())


@pytest.fixture
def settings(colours):
    """A function that returns TransferSettings for the folders of colours."""

    def make(**changes):
        return TransferSettings(**{"data": str(colours), "images_per_class": 5, "folds": 2, **changes})

    return make
