"""Heads are set on a running service."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

import deconvwidgets as dw
from deconvwidgets.compute.stream import prepared_crops
from deconvwidgets.errors import HeadError
from deconvwidgets.local_service import LocalModelService
from deconvwidgets.service.worker import SynchronousExecutor


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def service(tiny_bundle, tiny_images):
    service = LocalModelService(tiny_bundle, tiny_images, device="cpu", worker=SynchronousExecutor())
    yield service
    service.close()


@pytest.fixture
def head(tiny_bundle, make_head):
    return make_head(tiny_bundle, "conv1", pool=(2, 2))


def predictions(service, layer="conv2", unit=0):
    return [(entry.prediction, entry.probability) for entry in service.layers.unit_detail(layer, unit).entries]


def entries_without_predictions(service, layer="conv2", unit=0):
    return [replace(entry, prediction=None, probability=None) for entry in service.layers.unit_detail(layer, unit).entries]


def test_set_head_changes_only_the_predictions_and_the_classifier(service, head, tiny_bundle, tiny_images):
    before, mosaics = service.overview(), {layer: service.layers.top_activations(layer, 0) for layer in ("conv1", "conv2")}
    entries, expected, index = entries_without_predictions(service), predictions(service), service.index
    events = []
    service.subscribe(events.append)
    service.set_head(head)
    after = service.overview()
    assert [event.kind for event in events] == ["changed"]
    assert after == replace(before, version=after.version, classifier="Caltech-101's 4 classes (head on conv1, 84.6%)")
    assert after.version > before.version
    assert service.index is index
    assert service._context.snapshot.network.model is service._context.snapshot.bundle.model  # the logits are traced, too
    assert {layer: service.layers.top_activations(layer, 0) for layer in ("conv1", "conv2")} == mosaics  # conv2 is above the head's layer
    assert entries_without_predictions(service) == entries
    assert predictions(service) != expected

    crops = [entry.image for entry in entries]
    pixels = {item.crop: item.pixels for item in prepared_crops(tiny_bundle, tiny_images, crops)}
    with torch.no_grad():
        logits = tiny_bundle.with_head(head).model(torch.stack([pixels[crop] for crop in crops]))
    best, classes = logits.double().softmax(1).max(1)
    assert [name for name, _ in predictions(service)] == [head.categories[number] for number in classes]
    np.testing.assert_allclose([share for _, share in predictions(service)], best, rtol=1e-5)

    service.reset_head()
    assert predictions(service) == expected
    assert service.overview() == replace(before, version=service.overview().version)
    assert [event.kind for event in events] == ["changed", "changed"]


def test_set_head_keeps_the_cached_projections(service, head, monkeypatch):
    mosaic = service.layers.top_activations("conv2", 0)
    monkeypatch.setattr("deconvwidgets.service.unit_projections.project", None)  # a new projection would raise an error
    service.set_head(head)
    assert service.layers.top_activations("conv2", 0) == mosaic
    service.reset_head()
    assert service.layers.top_activations("conv2", 0) == mosaic


def test_set_head_replaces_and_removes_the_head(service, head, tiny_bundle, make_head, tmp_path):
    service.set_head(head)
    second = make_head(tiny_bundle, "conv2", classes=2, seed=7, dataset="mine", report={})
    service.set_head(dw.save_head(second, tmp_path / "second"))
    assert service.overview().classifier == "mine's 2 classes (head on conv2)"
    assert {name for name, _ in predictions(service)} <= {"kind 0", "kind 1"}
    service.set_head(None)
    assert service.overview().classifier is None
    assert set(predictions(service)) == {(None, None)}
    assert any("no classifier" in note for note in service.overview().notes)


def test_invalid_heads_raise_errors_and_change_nothing(service, head, tmp_path):
    service.set_head(head)
    before, expected, events = service.overview(), predictions(service), []
    service.subscribe(events.append)
    for wrong in (replace(head, digest="0" * 64), tmp_path / "absent.safetensors", "imagenet", 3):
        with pytest.raises(HeadError):
            service.set_head(wrong)
    assert (service.overview(), predictions(service), events) == (before, expected, [])
    service.reset_head()
    assert predictions(service) != expected


def test_reset_head_restores_the_head_of_the_bundle(tiny_bundle, tiny_images, head, make_head):
    service = LocalModelService(tiny_bundle.with_head(head), tiny_images, device="cpu", worker=SynchronousExecutor())
    classifier, expected = service.overview().classifier, predictions(service)
    service.set_head(make_head(tiny_bundle, "conv2", seed=5))
    assert predictions(service) != expected
    service.reset_head()
    assert (service.overview().classifier, predictions(service)) == (classifier, expected)
    service.close()


def test_head_set_before_the_index_is_complete_is_kept(tiny_bundle, tiny_images, head, manual_executor):
    worker = manual_executor
    service = LocalModelService(tiny_bundle, tiny_images, device="cpu", worker=worker)
    service.set_head(head)
    worker.jobs[0].run()
    assert service.overview().index_ready
    assert service.overview().classifier.startswith("Caltech-101's 4 classes")
    assert {name for name, _ in predictions(service)} <= set(head.categories)
    service.close()


def test_requests_are_consistent_while_heads_are_set(service, head, tiny_bundle, make_head):
    """Each request uses one snapshot: the classes and the probabilities are of the same head."""
    heads = [head, make_head(tiny_bundle, "conv2", seed=9, categories=tuple("abcd"))]
    possible = []
    for candidate in heads:
        service.set_head(candidate)
        possible.append(predictions(service))
    stop = threading.Event()

    def send_requests():
        received = []
        while not stop.is_set():
            received.append(predictions(service))
        return all(answer in possible for answer in received) and len(received)

    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(send_requests) for _ in range(3)]
        try:
            for number in range(12):
                service.set_head(heads[number % 2])
        finally:
            stop.set()
        assert all(future.result() for future in futures)


def test_who_hears_of_a_head_reads_the_new_history(service, head):
    heads, heard = service._context.heads, []

    def listen(event):
        heard.append((heads.can_undo, heads.used, service.overview().classifier))

    end = service.subscribe(listen, ["changed"])
    before = service.overview().classifier
    heads.use(head, 7)
    heads.undo()
    end()
    assert heard == [(True, 7, heard[0][2]), (False, None, before)]
    with pytest.raises(HeadError):
        heads.use(replace(head, digest="0" * 64))
    assert not heads.can_undo
