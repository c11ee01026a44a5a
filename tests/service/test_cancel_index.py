"""Cancelling the pass that builds the index, and going on with it."""

from __future__ import annotations

import pytest

from deconvwidgets.errors import JobCancelledError, ServiceError
from deconvwidgets.local_service import LocalModelService


@pytest.fixture
def service(tiny_bundle, noise, manual_executor, own_cache):
    service = LocalModelService(tiny_bundle, noise(count=40), device="cpu", worker=manual_executor)
    yield service
    service.close()


def run(job):
    job.run()
    return job.error


def test_a_cancelled_pass_ends_and_is_resumed(service, manual_executor):
    events = []
    unsubscribe = service.subscribe(lambda event: events.append(event.kind))
    index = manual_executor.jobs[0]
    service.layers.cancel_index()
    assert isinstance(run(index), JobCancelledError)
    assert service.layers.index_state().cancelled == ("conv1", "conv2")
    assert "failed" not in events
    assert "changed" in events
    assert any("was cancelled" in note for note in service.overview().notes)
    with pytest.raises(ServiceError, match="resume_index"):
        service.layers.unit_table("conv1", partial=True)
    with pytest.raises(ServiceError, match="resume_index"):
        service.wait(1)
    service.layers.resume_index()
    assert service.layers.index_state().cancelled == ()
    assert run(manual_executor.jobs[-1]) is None
    assert service.layers.unit_table("conv1").crops is None
    unsubscribe()


def test_what_was_shown_stays_when_the_pass_is_cancelled_in_its_middle(service, manual_executor, monkeypatch):
    from deconvwidgets.service import partial_index

    monkeypatch.setattr(partial_index, "FIRST_SECONDS", 0.0)
    with pytest.raises(ServiceError):
        service.layers.unit_table("conv1", partial=True)  # the page shows the layer from now on
    partial = service._context.index.partial
    partial.begin()
    service.subscribe(lambda event: service.layers.cancel_index() if event.kind == "partial" else None)
    assert isinstance(run(manual_executor.jobs[0]), JobCancelledError)
    crops = service.layers.unit_table("conv1", partial=True).crops
    assert 0 < crops < service.overview().crops
    service.layers.resume_index()
    assert service.layers.unit_table("conv1", partial=True).crops == crops, "until the new pass has more"


def test_a_layer_that_was_opened_is_cancelled_and_resumed(service, manual_executor):
    run(manual_executor.jobs[0])
    service.layers.open("pool1")
    opened = manual_executor.jobs[-1]
    service.layers.cancel_index()
    assert isinstance(run(opened), JobCancelledError)
    assert service.layers.index_state().cancelled == ("pool1",)
    assert service.layers.unit_table("conv1").crops is None, "the index of the others stays"
    service.layers.resume_index()
    assert run(manual_executor.jobs[-1]) is None
    assert service.layers.unit_table("pool1").crops is None


def test_a_session_does_not_cancel_the_index_that_others_wait_for(service):
    other = service.new_session()
    with pytest.raises(ServiceError, match="another session waits"):
        other.layers.cancel_index()
    assert service.layers.index_state().cancelled == ()
    other.close()
