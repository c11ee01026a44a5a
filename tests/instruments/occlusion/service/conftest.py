"""A service on the tiny net, to occlude its noise."""

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
    """A service with another executor (None: the real workers); closed when the test is over."""
    made = []

    def make(worker, bundle=tiny_bundle, images=tiny_images, **options):
        made.append(LocalModelService(bundle, images, device="cpu", worker=worker, **options))
        return made[-1]

    yield make
    for service in made:
        service.close()


@pytest.fixture
def service(make_service):
    return make_service(SynchronousExecutor())


@pytest.fixture
def api(service):
    return service.occlusion


@pytest.fixture
def make_request():
    """OcclusionRequest of view 3, with changes."""

    def make(image="crop:3", **changes):
        return OcclusionRequest(image, **changes)

    return make


@pytest.fixture
def settings():
    """MapsSettings for inputs of 16 x 16, with changes."""

    def make(window=(4, 4), stride=(2, 2), border="inside"):
        return MapsSettings(window, stride, border)

    return make


def photograph(seed=0, size=(40, 30), form="PNG", mode="RGB"):
    """A image's file as bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, form)
    return buffer.getvalue()


def upload(api, data, name="mine.png", chunk=700):
    """Bring a file in chunks; the image."""
    number = api.begin_upload(name, len(data))
    for offset in range(0, len(data), chunk):
        assert api.add_chunk(number, offset, data[offset : offset + chunk]) == min(offset + chunk, len(data))
    return api.finish_upload(number)


@pytest.fixture
def send():
    """upload"""
    return upload


@pytest.fixture
def image_file():
    """photograph"""
    return photograph
