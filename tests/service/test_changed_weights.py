"""A service whose model is trained further does not answer with an index and caches of other weights."""

from __future__ import annotations

import copy

import pytest
import torch

import deconvwidgets as dw
from deconvwidgets.errors import ActivationIndexError, ServiceError
from deconvwidgets.instruments.occlusion.records import OcclusionRequest
from deconvwidgets.local_service import LocalModelService
from deconvwidgets.service.worker import SynchronousExecutor

REQUEST = OcclusionRequest("crop:0", "conv2", 1, 0)


def change(bundle):
    state = {name: value + 0.1 for name, value in bundle.model.state_dict().items()}
    bundle.model.load_state_dict(state)


@pytest.fixture
def bundle(tiny_model):
    return tiny_model()


@pytest.fixture
def service(bundle, tiny_images, own_cache):
    service = LocalModelService(bundle, tiny_images, device="cpu", worker=SynchronousExecutor())
    service.occlusion.answer(REQUEST, [(2, 2, 9, 9)])  # the photograph's maps are cached
    yield service
    service.close()


@pytest.mark.parametrize(
    "ask",
    [
        lambda service: service.occlusion.answer(REQUEST, [(2, 2, 9, 9)]),
        lambda service: service.layers.unit_table("conv2"),
        lambda service: service.layers.top_activations("conv2", 1),
        lambda service: service.new_session().layers.unit_table("conv1"),
        lambda service: service.diagnosis.start(),
        lambda service: dw.LayerExplorer(service).save("picture.png"),
    ],
    ids=["occlusion", "table", "mosaic", "new session", "diagnosis", "widget"],
)
def test_requests_are_refused_with_the_way_on(service, bundle, ask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    change(bundle)
    with pytest.raises(ServiceError, match=r"weights of .* were changed after this service was made.*dw.LocalModelService"):
        ask(service)


def test_the_overview_says_so_and_the_service_can_be_closed(service, bundle):
    assert not any("changed" in note for note in service.overview().notes)
    change(bundle)
    assert any("were changed after this service was made" in note for note in service.overview().notes)
    assert service.bundle is not None
    assert service.images.source_count


def test_heads_and_units_do_not_change_the_weights(service, make_head):
    service.set_head(make_head(service.bundle, "conv2"))
    service.set_units({("conv1", 1): 0.0})
    service.layers.unit_table("conv2")


def test_an_index_of_weights_that_change_meanwhile_is_not_stored(bundle, tiny_images, tmp_path):
    original, path = copy.deepcopy(bundle.model.state_dict()), tmp_path / "units.index"

    def train(so_far):
        change(bundle)

    with pytest.raises(ActivationIndexError, match="were changed while its index was built"):
        dw.ActivationIndex.build(bundle, tiny_images, path=path, batch_size=2, commit_seconds=1e-9, on_so_far=train, progress=False)
    bundle.model.load_state_dict(original)
    built = dw.ActivationIndex.build(bundle, tiny_images, path=path, progress=False, device="cpu")
    alone = dw.ActivationIndex.build(bundle, tiny_images, progress=False, device="cpu")
    assert torch.equal(torch.as_tensor(built.stats("conv1").maximum), torch.as_tensor(alone.stats("conv1").maximum))
