"""Fixtures: a service with a small network and photographs of noise, occlusion requests and uploads."""

import io

import numpy as np
import pytest
from PIL import Image

from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionRequest
from deconvwidgets.local_service import LocalModelService
from deconvwidgets.service.worker import SynchronousExecutor


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def make_service(tiny_bundle, tiny_images):
    """A function that returns a service with an executor (None: its own worker threads). The services are closed after the test."""
    services = []

    def make(worker, bundle=tiny_bundle, images=tiny_images, **options):
        services.append(LocalModelService(bundle, images, device="cpu", worker=worker, **options))
        return services[-1]

    yield make
    for service in services:
        service.close()


@pytest.fixture
def service(make_service):
    return make_service(SynchronousExecutor())


@pytest.fixture
def api(service):
    return service.occlusion


@pytest.fixture
def make_request():
    """A function that returns an OcclusionRequest, by default of crop 3."""

    def make(image="crop:3", **changes):
        return OcclusionRequest(image, **changes)

    return make


@pytest.fixture
def settings():
    """A function that returns MapsSettings, by default for inputs of 16 x 16."""

    def make(window=(4, 4), stride=(2, 2), border="inside"):
        return MapsSettings(window, stride, border)

    return make


def encode_photograph(seed=0, size=(40, 30), form="PNG", mode="RGB"):
    """Return the file of a noise image as bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, form)
    return buffer.getvalue()


def upload(api, data, name="mine.png", chunk=700):
    """Upload a file in chunks, and return the name of the image."""
    number = api.begin_upload(name, len(data))
    for offset in range(0, len(data), chunk):
        assert api.add_chunk(number, offset, data[offset : offset + chunk]) == min(offset + chunk, len(data))
    return api.finish_upload(number)


@pytest.fixture
def upload_file():
    """The function upload."""
    return upload


@pytest.fixture
def image_file():
    """The function encode_photograph."""
    return encode_photograph
