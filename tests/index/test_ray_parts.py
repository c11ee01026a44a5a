"""What a pass on a Ray cluster is made of, without a cluster."""

from types import SimpleNamespace

import numpy as np
import pytest

from deconvwidgets.compute import ray_cluster
from deconvwidgets.compute.decoded import DecodedBatch
from deconvwidgets.compute.ray_cluster import ClusterShape, ray_session
from deconvwidgets.errors import ActivationIndexError, ModelError
from deconvwidgets.index.ray_rows import from_rows, to_rows
from deconvwidgets.index.ray_run import own_error, sizes
from deconvwidgets.index.ray_stages import Chunks, PartOutcome, Versions, merge_rows
from deconvwidgets.records.images import SkippedImage


def batch_of(crops, skipped=()):
    crops = np.array(crops, np.int64)
    pixels = np.broadcast_to(crops.astype(np.uint8)[:, None, None, None], (len(crops), 3, 2, 2)).copy()
    images = tuple((crop, SkippedImage(f"image-{crop}", "truncated")) for crop in skipped)
    return DecodedBatch(crops, crops // 3, crops % 3, crops.astype(np.uint64) + np.uint64(1 << 63), crops % 2 - 1, pixels, images)


def together(*tables):
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def test_rows_in_any_order_give_the_same_batch():
    whole = batch_of([0, 1, 3, 4, 6], skipped=[2, 5])
    first, second = to_rows(batch_of([3, 4, 6], skipped=[5]), "b"), to_rows(batch_of([0, 1], skipped=[2]), "a")
    found, hosts = from_rows(together(first, second))
    for name in ("crops", "sources", "numbers", "contents", "labels", "pixels"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
        assert getattr(found, name).dtype == getattr(whole, name).dtype
    assert found.skipped == whole.skipped
    assert hosts == ("a", "b")


def test_rows_of_skipped_crops_only():
    found, hosts = from_rows(to_rows(batch_of([], skipped=[7, 8]), "a"))
    assert len(found) == 0
    assert [crop for crop, _ in found.skipped] == [7, 8]
    assert hosts == ("a", "a")


def test_chunks_cover_each_crop_once():
    chunks = Chunks(((0, 10), (12, 13), (21, 28)), 4)
    assert [list(chunks.crops(chunk)) for chunk in range(len(chunks))] == [
        [0, 1, 2, 3], [4, 5, 6, 7], [8, 9], [12], [21, 22, 23], [24, 25, 26, 27],
    ]  # fmt: skip
    with pytest.raises(IndexError):
        chunks.crops(len(chunks))


@pytest.mark.parametrize(
    ("crops", "actors", "crop_bytes", "store", "expected"),
    [
        (1_281_167, 8, 150_528, 16 << 30, (2048, 64)),  # the largest part, so that a failure costs seconds
        (2_000, 2, 150_528, 4 << 30, (64, 64)),  # about eight for each actor
        (9_000, 2, 150_528, 4 << 30, (512, 64)),
        (2_000, 2, 150_528, 40 << 20, (32, 32)),  # a small object store
        (3, 8, 150_528, 1 << 20, (32, 32)),
    ],
)
def test_sizes_are_multiples_of_the_models_block(crops, actors, crop_bytes, store, expected):
    assert sizes(crops, actors, 32, crop_bytes, store) == expected


def test_the_shape_of_a_cluster_counts_living_nodes_that_compute():
    def node(alive, **resources):
        return {"Alive": alive, "Resources": {"object_store_memory": 5e9, **resources}}

    head = {"Alive": True, "Resources": {"object_store_memory": 1e9}}
    shape = ClusterShape.of([head, node(True, CPU=4.0), node(True, CPU=16.0, GPU=2.0), node(False, CPU=64.0, GPU=8.0)])
    assert shape == ClusterShape(nodes=2, cpus=20, gpus=2, object_store=5_000_000_000)


def test_other_versions_on_a_node_are_refused():
    Versions.here().require()
    with pytest.raises(ActivationIndexError, match=r"torch .* instead of 0\.0"):
        Versions.here()._replace(torch="0.0").require()


def test_errors_of_ray_become_those_of_the_package():
    inner = ModelError("Layer conv1 contains NaN")
    outer = RuntimeError("ray::MapWorker died")
    outer.__cause__ = inner
    assert own_error(outer) is inner
    missing = ModuleNotFoundError("No module named 'my_models'", name="my_models")
    outer.__cause__ = missing
    assert "cannot import my_models" in str(own_error(outer))
    assert "out of memory" in str(own_error(RuntimeError("out of memory")))


def test_an_address_without_a_cluster_is_an_error_at_once():
    pytest.importorskip("ray")
    with pytest.raises(ActivationIndexError, match=r"no Ray cluster at 127\.0\.0\.1:9"), ray_session("127.0.0.1:9"):
        pass
    with pytest.raises(ActivationIndexError, match="ray_address must be"), ray_session(7):
        pass


def failing_ray(error):
    """A module ray that cannot be started."""

    def init(**options):
        raise error

    return SimpleNamespace(is_initialized=lambda: False, init=init, shutdown=lambda: None)


@pytest.mark.parametrize("kind", [Exception, RuntimeError, ValueError, TimeoutError])
def test_ray_that_does_not_start_is_reported_in_our_words(monkeypatch, kind):
    """Ray raises a plain Exception of several lines where its own processes time out."""
    error = kind("The current node timed out during startup.\n\nThis could happen because\n" + "some raylet log " * 100)
    monkeypatch.setattr(ray_cluster, "import_ray", lambda: failing_ray(error))
    with pytest.raises(ActivationIndexError, match="Ray cannot be started on this machine") as raised, ray_session(None):
        pass
    message = str(raised.value)
    assert "The current node timed out during startup. This could happen" in message
    assert "leave out engine='ray'" in message
    assert "\n" not in message
    assert len(message) < 600
    assert raised.value.__cause__ is error


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ImportError, match=r'pip install "deconvwidgets\[ray\]"'), ray_session(None):
        pass


def test_an_error_of_a_part_survives_merging_and_pickling():
    error = PartOutcome(b"", 0, (), ModelError("Layer conv1 contains NaN"))
    found = merge_rows({"outcome": error.row()["outcome"] + PartOutcome(b"not read", 3, ()).row()["outcome"]})
    (outcome,) = PartOutcome.of(found)
    assert isinstance(outcome.error, ModelError)
    assert str(outcome.error) == "Layer conv1 contains NaN"
