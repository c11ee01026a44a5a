"""Tests of units that are switched off while a service runs."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import deconvwidgets as dw
from deconvwidgets.engine import project
from deconvwidgets.errors import HeadError, LayerError
from deconvwidgets.instruments.invariance.records import InvarianceRequest
from deconvwidgets.instruments.layers.records import EnlargeRequest
from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionRequest
from deconvwidgets.local_service import LocalModelService
from deconvwidgets.service.networks_below import NetworksBelow
from deconvwidgets.service.worker import SynchronousExecutor

UNITS = {("conv1", 1): 0.0, ("conv2", 3): 0.0}
REQUEST = OcclusionRequest("crop:0", "conv2", 1, 0)
BOX = [(2, 2, 9, 9)]


@pytest.fixture
def service(tiny_bundle, tiny_images, tmp_path, monkeypatch):
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path / "cache"))  # a stored index would hide that a wrong one is built
    service = LocalModelService(tiny_bundle, tiny_images, device="cpu", worker=SynchronousExecutor())
    yield service
    service.close()


def bundle_of(service):
    return service._context.snapshot.bundle


def answers(service):
    """Return everything that a widget shows and the units decide, by name."""
    answer = service.occlusion.answer(REQUEST, BOX)
    entries = service.layers.unit_detail("conv2", 1).entries
    mosaics = {layer: service.layers.top_activations(layer, 1) for layer in ("conv1", "conv2")}
    return {"answer": [(one.label, one.now) for one in answer.classes], "map": answer.map.tolist(), "entries": entries, **mosaics}


def test_reset_restores_the_same_bundle_and_all_answers_bit_for_bit(service):
    bundle, before, events = bundle_of(service), answers(service), []
    service.subscribe(events.append)
    service.set_units(UNITS)
    assert service.units == {("1", 1): 0.0, ("3", 3): 0.0}
    off = answers(service)
    assert {name for name in before if off[name] != before[name]} == {"answer", "map", "entries", "conv2"}  # conv1 lies below all of them
    service.set_units(dict(service.units))
    assert [event.kind for event in events] == ["changed"]  # equal units change nothing
    service.reset_units()
    assert bundle_of(service) is bundle
    assert answers(service) == before
    assert service.overview().units == ()


def test_answers_are_those_of_the_changed_network(service, tiny_bundle, tiny_images):
    service.set_units(UNITS)
    pixels = tiny_bundle.prepare(tiny_images.open_crop(0))[None]
    pixels[..., 2:9, 2:9] = 0
    with torch.no_grad():
        value = tiny_bundle.model[:2](pixels)
        value[:, 1] = 0
        value = tiny_bundle.model[2:4](value)
        value[:, 3] = 0
        probabilities = tiny_bundle.model[4:](value).double().softmax(1)[0]
    answer = service.occlusion.answer(REQUEST, BOX)
    np.testing.assert_allclose([one.now for one in answer.classes], [probabilities[one.label] for one in answer.classes], rtol=1e-5)


def test_a_unit_that_is_off_keeps_its_pictures(service, tiny_bundle):
    before = service.layers.top_activations("conv2", 3), service.layers.enlarged(EnlargeRequest("conv2", 3, 0, size=32))
    service.set_units({("conv2", 3): 0.0})
    after = service.layers.top_activations("conv2", 3), service.layers.enlarged(EnlargeRequest("conv2", 3, 0, size=32))
    assert after[0] == before[0]
    assert after[1].feature_map.tolist() == before[1].feature_map.tolist()
    assert service.occlusion.scene(replace(REQUEST, unit=3)).map.max() == 0
    assert service.occlusion.projections(replace(REQUEST, unit=3), 32)[0].own
    service.set_units({("conv2", 3): 0.0, ("conv1", 1): 0.0})
    assert service.layers.top_activations("conv2", 3).projections != before[0].projections  # through the changed layer below
    assert service.layers.top_activations("conv2", 3).patches == before[0].patches
    network = service._context.snapshot.below.network("3")
    entry = service.index.top("3", 3)[0]
    pixels = tiny_bundle.prepare(service._context.snapshot.images.open_crop(entry.image))[None]
    expected = project(tiny_bundle.with_units({("conv1", 1): 0.0}).network, pixels, "conv2", unit=3, at=[(entry.row, entry.column)])
    actual = project(network, pixels, "conv2", unit=3, at=[(entry.row, entry.column)])
    assert torch.equal(actual.pixels, expected.pixels)


def test_the_index_is_that_of_the_unchanged_network(service, tiny_bundle, tiny_images):
    index, table = service.index, service.layers.unit_table("conv2")
    service.set_units({("conv1", 1): 0.0})
    assert service.index is index
    np.testing.assert_array_equal(service.layers.unit_table("conv2").maximum, table.maximum)
    assert [layer.changed for layer in service.overview().layers] == [True, True]
    changed = bundle_of(service)
    service.layers.open("pool1")  # its index is built now
    expected = dw.ActivationIndex.build(tiny_bundle, tiny_images, ["pool1"], progress=False, device="cpu")
    np.testing.assert_array_equal(service.wait().layers.unit_table("pool1").maximum, expected.stats("pool1").maximum)
    second = LocalModelService(changed, tiny_images, index=index, device="cpu", worker=SynchronousExecutor())
    assert second.units == {("1", 1): 0.0}
    second.reset_units()
    assert bundle_of(second) is tiny_bundle
    second.close()


def test_heads_and_units_are_changed_apart(service, tiny_bundle, make_head):
    head = make_head(tiny_bundle, "conv2", seed=3)
    heads = service._context.heads
    service.set_units(UNITS)
    heads.use(head, run=1)
    assert (service.units, heads.used, bundle_of(service).head) == ({("1", 1): 0.0, ("3", 3): 0.0}, 1, head)
    assert service.overview().classifier == bundle_of(service).unchanged.classifier
    service.set_units({("conv1", 0): 2.0})
    heads.undo()
    assert service.units == {("1", 0): 2.0}
    assert bundle_of(service).unchanged is tiny_bundle
    service.set_head(head)
    service.reset_head()
    assert service.units == {("1", 0): 2.0}
    service.reset_units()
    assert bundle_of(service) is tiny_bundle


def test_a_head_below_a_unit_that_is_off_is_refused(service, tiny_bundle, make_head):
    service.set_units({("conv2", 3): 0.0})
    with pytest.raises(HeadError, match=r"while these units are switched off.*conv2.*reset the units"):
        service.set_head(make_head(tiny_bundle, "conv1", seed=3))
    assert service.units == {("3", 3): 0.0}


def test_some_units_are_changed_and_saved(service, tmp_path):
    service.change_units({("conv1", 1): 0.0, ("conv2", 3): 0.5})
    service.change_units({("1", 1): 1, ("conv1", 2): 0.0})
    assert service.units == {("1", 2): 0.0, ("3", 3): 0.5}
    path = service.save_units(tmp_path / "units")
    service.reset_units()
    service.set_units(path)
    assert service.units == {("1", 2): 0.0, ("3", 3): 0.5}
    with pytest.raises(LayerError, match="has 4 units, 0 to 3"):
        service.change_units({("conv1", 4): 0.0})
    broken = json.loads(path.read_text())
    broken["layers"][0]["digest"] = "0"
    path.write_text(json.dumps(broken))
    with pytest.raises(LayerError, match="conv1 with other weights"):
        service.set_units(path)
    assert service.units == {("1", 2): 0.0, ("3", 3): 0.5}


def test_classes_before_and_after(service):
    auto = replace(REQUEST, target=None, unit=None)
    before, scene = service.occlusion.answer(auto, BOX), service.occlusion.scene(auto)
    assert {one.unchanged for one in before.classes} == {None}
    service.set_units({("conv2", unit): 0.0 for unit in range(5)})
    changed = service.occlusion.scene(auto)
    assert changed.request == scene.request  # switching a unit off changes neither the class nor the map
    after = service.occlusion.answer(auto, BOX)
    assert {one.label: one.unchanged for one in after.classes} == {one.label: one.now for one in before.classes}
    assert all(one.now != one.unchanged for one in after.classes)


def test_maps_before_and_after(service):
    settings = MapsSettings((8, 8), (4, 4))
    before = service.occlusion.wait(service.occlusion.start_maps(REQUEST, settings, "view"))
    service.set_units(UNITS)
    first = service.occlusion.start_maps(REQUEST, settings, "view")
    second = service.occlusion.start_maps(REQUEST, settings, "view", unchanged=True)
    changed, unchanged = service.occlusion.wait(first), service.occlusion.wait(second)
    np.testing.assert_array_equal(unchanged.probability, before.probability)
    assert not np.allclose(changed.probability, before.probability)
    assert changed.target == unchanged.target == 0
    about = json.loads(str(np.load(io.BytesIO(service.occlusion.file("maps.npz", REQUEST, first, {})))["about"]))
    assert about["units"] == [["conv1", 1, 0.0], ["conv2", 3, 0.0]]


def test_predictions_are_computed_again_only_if_the_network_changes(service):
    detail = service.layers.unit_detail("conv2", 1)
    runs = []
    handle = bundle_of(service).model.register_forward_hook(lambda *_: runs.append(1))
    service._context.layers.replace(notes=("a new index",))
    assert service.layers.unit_detail("conv2", 1).entries == detail.entries
    assert not runs
    handle.remove()
    service.set_units(UNITS)
    assert service.layers.unit_detail("conv2", 1).entries != detail.entries


@pytest.mark.parametrize("order", [1, -1])
def test_networks_of_units_below_are_traced_under_the_device_lock(service, monkeypatch, order):
    """Tracing changes nn.Module for the whole process meanwhile. Of several uses, the first one traces."""
    unlocked, network = [], NetworksBelow.network

    def checked(below, layer):
        if not service._context.device_lock._held:
            unlocked.append(layer)
        return network(below, layer)

    monkeypatch.setattr(NetworksBelow, "network", checked)
    uses = [
        lambda: service.invariance.unit_pictures(InvarianceRequest("crop:0", "rotate", 30, (), "conv2"), [1], 32),
        lambda: service.layers.on_crop("conv2", 1, 0),
        lambda: service.layers.enlarged(EnlargeRequest("conv2", 1, 0)),
        lambda: service.occlusion.projections(REQUEST),
    ]
    for number, use in enumerate(uses[::order]):
        service.set_units({("conv1", number % 4): 0.0, ("conv2", 3): 0.0})
        use()
    assert unlocked == []
