"""A head set on a running service: other classes at once, on the same layers and the same index."""

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
    made = LocalModelService(tiny_bundle, tiny_images, device="cpu", worker=SynchronousExecutor())
    yield made
    made.close()


@pytest.fixture
def head(tiny_bundle, make_head):
    return make_head(tiny_bundle, "conv1", pool=(2, 2))


def said(service, layer="conv2", unit=0):
    return [(entry.prediction, entry.probability) for entry in service.layers.unit_detail(layer, unit).entries]


def unsaid(service, layer="conv2", unit=0):
    return [replace(entry, prediction=None, probability=None) for entry in service.layers.unit_detail(layer, unit).entries]


def test_predictions_and_words_change_and_nothing_else(service, head, tiny_bundle, tiny_images):
    before, nines = service.overview(), {layer: service.layers.top_activations(layer, 0) for layer in ("conv1", "conv2")}
    entries, answers, index = unsaid(service), said(service), service.index
    told = []
    service.subscribe(told.append)
    service.set_head(head)
    after = service.overview()
    assert [event.kind for event in told] == ["changed"]
    assert after == replace(before, version=after.version, classifier="Caltech-101's 4 classes (head on conv1, 84.6%)")
    assert after.version > before.version
    assert service.index is index
    assert service._context.snapshot.network.model is service._context.snapshot.bundle.model  # whose logits can be followed, too
    assert {layer: service.layers.top_activations(layer, 0) for layer in ("conv1", "conv2")} == nines  # conv2 lies above the head's layer
    assert unsaid(service) == entries
    assert said(service) != answers

    views = [entry.image for entry in entries]
    pixels = {item.crop: item.pixels for item in prepared_crops(tiny_bundle, tiny_images, views)}
    with torch.no_grad():
        logits = tiny_bundle.with_head(head).model(torch.stack([pixels[view] for view in views]))
    best, classes = logits.double().softmax(1).max(1)
    assert [name for name, _ in said(service)] == [head.categories[number] for number in classes]
    np.testing.assert_allclose([share for _, share in said(service)], best, rtol=1e-5)

    service.reset_head()
    assert said(service) == answers
    assert service.overview() == replace(before, version=service.overview().version)
    assert [event.kind for event in told] == ["changed", "changed"]


def test_what_the_layers_made_is_not_made_again(service, head, monkeypatch):
    nine = service.layers.top_activations("conv2", 0)
    monkeypatch.setattr("deconvwidgets.instruments.layers.service.unit_projections.project", None)  # whoever projects now fails
    service.set_head(head)
    assert service.layers.top_activations("conv2", 0) == nine
    service.reset_head()
    assert service.layers.top_activations("conv2", 0) == nine


def test_a_head_replaces_a_head_and_none_is_no_classifier(service, head, tiny_bundle, make_head, tmp_path):
    service.set_head(head)
    second = make_head(tiny_bundle, "conv2", classes=2, seed=7, dataset="mine", report={})
    service.set_head(dw.save_head(second, tmp_path / "second"))
    assert service.overview().classifier == "mine's 2 classes (head on conv2)"
    assert {name for name, _ in said(service)} <= {"kind 0", "kind 1"}
    service.set_head(None)
    assert service.overview().classifier is None
    assert set(said(service)) == {(None, None)}
    assert any("no classifier" in note for note in service.overview().notes)


def test_a_wrong_head_is_refused_and_nothing_is_lost(service, head, tmp_path):
    service.set_head(head)
    before, answers, told = service.overview(), said(service), []
    service.subscribe(told.append)
    for wrong in (replace(head, digest="0" * 64), tmp_path / "absent.safetensors", "imagenet", 3):
        with pytest.raises(HeadError):
            service.set_head(wrong)
    assert (service.overview(), said(service), told) == (before, answers, [])
    service.reset_head()
    assert said(service) != answers


def test_made_with_a_head_it_comes_back_to_it(tiny_bundle, tiny_images, head, make_head):
    service = LocalModelService(tiny_bundle.with_head(head), tiny_images, device="cpu", worker=SynchronousExecutor())
    words, answers = service.overview().classifier, said(service)
    service.set_head(make_head(tiny_bundle, "conv2", seed=5))
    assert said(service) != answers
    service.reset_head()
    assert (service.overview().classifier, said(service)) == (words, answers)
    service.close()


def test_a_head_set_while_the_index_is_built_stays(tiny_bundle, tiny_images, head, manual_executor):
    worker = manual_executor
    service = LocalModelService(tiny_bundle, tiny_images, device="cpu", worker=worker)
    service.set_head(head)
    worker.jobs[0].run()
    assert service.overview().index_ready
    assert service.overview().classifier.startswith("Caltech-101's 4 classes")
    assert {name for name, _ in said(service)} <= set(head.categories)
    service.close()


def test_requests_see_one_head_or_the_other(service, head, tiny_bundle, make_head):
    """A request answers from one snapshot: never one head's classes with the other's probabilities."""
    heads = [head, make_head(tiny_bundle, "conv2", seed=9, categories=tuple("abcd"))]
    possible = []
    for one in heads:
        service.set_head(one)
        possible.append(said(service))
    ended = threading.Event()

    def ask():
        seen = []
        while not ended.is_set():
            seen.append(said(service))
        return all(answers in possible for answers in seen) and len(seen)

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        try:
            for number in range(12):
                service.set_head(heads[number % 2])
        finally:
            ended.set()
        assert all(one.result() for one in asking)
