"""Real weights and photographs, fetched once per machine into the user's cache."""

import numpy as np
import pytest
from PIL import Image

from deconvwidgets.images.open import open_images
from deconvwidgets.models.zoo import load_model


@pytest.fixture(scope="session")
def alexnet():
    return load_model("alexnet")


@pytest.fixture(scope="session")
def photos():
    return open_images("photos")


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A fresh cache folder, for tests of fetching itself."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(folder))
    return folder


@pytest.fixture
def noise_picture():
    def make(width=40, height=30, seed=0):
        return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))

    return make
