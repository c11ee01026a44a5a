"""Two real services side by side: what is compared, what is refused, and whose answers are given."""

from __future__ import annotations

import copy
import csv
import io
from dataclasses import replace

import numpy as np
import pytest
import torch

import deconvwidgets as dw
from deconvwidgets.errors import DeconvWidgetsError, LayerError, ServiceError
from deconvwidgets.instruments.comparison.occlusion_sides import class_of_name, difference_of, maps_settings, scaled
from deconvwidgets.instruments.comparison.pair_order import ordered_pairs
from deconvwidgets.instruments.comparison.service.api import LocalSideBySide
from deconvwidgets.instruments.comparison.service.occlusion import both_sides
from deconvwidgets.service.worker import SynchronousExecutor
from tests.conftest import make_tiny_bundle
from tests.widgets.requests import send_request, sent

__all__ = ["sent"]  # pytest finds fixtures by name

PERMUTATION = [3, 0, 2, 1]  # unit i of B is unit PERMUTATION[i] of A; unit 2 is dead


def permuted(bundle):
    """A copy of the tiny model with the units of conv1 in another order: the same function."""
    net = copy.deepcopy(bundle.model)
    with torch.no_grad():
        net[0].weight.copy_(bundle.model[0].weight[PERMUTATION])
        net[0].bias.copy_(bundle.model[0].bias[PERMUTATION])
        net[3].weight.copy_(bundle.model[3].weight[:, PERMUTATION])
    options = {"transform": bundle.transform, "categories": bundle.categories, "input_size": bundle.input_size}
    return dw.ModelBundle.from_module(net, name="permuted", **options)


@pytest.fixture
def make_service(tiny_images):
    made = []

    def make(bundle, images=tiny_images):
        made.append(dw.LocalModelService(bundle, images, device="cpu", worker=SynchronousExecutor()))
        return made[-1]

    yield make
    for service in made:
        service.close()


def test_a_model_beside_itself_differs_nowhere(make_service, tiny_bundle):
    service = make_service(tiny_bundle)
    both = LocalSideBySide(service, service)
    pairs = both.pairs("conv1", "conv1")
    assert np.array_equal(pairs.unit_a, pairs.unit_b)
    assert set(pairs.status_a) == {"kept", "dead"}
    assert np.array_equal(np.isnan(pairs.correlation), [False, False, True, False])
    assert np.nanmin(pairs.correlation) == 1
    assert np.allclose(np.diag(both.similarity().cka), 1)
    assert both.names() == ("tiny (A)", "tiny (B)")


def test_permuted_units_stand_beside_their_copies(make_service, tiny_bundle):
    both = LocalSideBySide(make_service(tiny_bundle), make_service(permuted(tiny_bundle)))
    pairs = both.pairs("conv1", "conv1")
    assert {a: pairs.partner("a", a) for a in (0, 1, 3)} == {0: 1, 1: 3, 3: 0}
    assert pairs.partner("b", 1) == 0
    assert [pairs.words(pair) for pair in range(4)] == ["moved", "moved", "dead", "moved"]
    numbered = both.pairs("conv1", "conv1", "number")
    assert np.array_equal(numbered.unit_a, numbered.unit_b)
    values = [both.side(side).index.tallies["1"].sample.values for side in ("a", "b")]
    assert numbered.words(0) == "A moved (B 1), B moved (A 3)", "what they are matched to, as they are no match of each other"
    assert numbered.match_a[0] == 1
    expected = np.corrcoef(values[0][:, 0], values[1][:, 0])[0, 1]
    assert numbered.correlation[0] == pytest.approx(expected, abs=1e-6)
    other = both.pairs("conv1", "conv2")  # of 4 and of 5 units
    assert np.array_equal(np.sort(other.unit_b[other.unit_b >= 0]), np.arange(5))
    assert len(other.unit_a) == 5
    assert ordered_pairs(other, "difference", (), np.zeros(4, np.float32))[-1] == int(np.flatnonzero(other.unit_a < 0)[0])


def test_different_image_sets_are_refused_by_digest(make_service, tiny_bundle, noise):
    services = [make_service(tiny_bundle), make_service(tiny_bundle, noise(seed=1))]
    with pytest.raises(ServiceError, match=r"different image sets: .*\(digest .{12}\).*make both services with one image set"):
        dw.side_by_side(*services)
    with pytest.raises(ServiceError, match="service_b must be a model service"):
        dw.side_by_side(services[0], "alexnet")
    for explorer, call in (
        (dw.LayerExplorer, r"dw\.side_by_side\(service_a, service_b\)"),
        (dw.OcclusionExplorer, "instrument='occlusion'"),
    ):
        with pytest.raises(ServiceError, match=call):
            explorer([services[0], services[0]])


def test_a_unit_is_answered_on_any_crop(make_service, tiny_bundle, tiny_images):
    service = make_service(tiny_bundle)
    strongest = service.index.top("conv2", 3)[0]
    found = service.layers.on_crop("conv2", 3, strongest.image)
    assert found.value == pytest.approx(strongest.value, rel=1e-5)
    assert (found.row, found.column) == (strongest.row, strongest.column)
    assert found.source.box == pytest.approx(service.layers.source("conv2", 3, 0).box)
    with torch.no_grad():
        expected = tiny_bundle.model[:4](tiny_bundle.prepare(tiny_images.open_crop(5))[None])[0, 3]
    assert np.allclose(service.layers.on_crop("conv2", 3, 5).feature_map, expected, atol=1e-5)
    with pytest.raises(ServiceError, match=r"crop of .* must be an integer from 0 to"):
        service.layers.on_crop("conv2", 3, len(tiny_images))
    with pytest.raises(LayerError, match="unit of conv2 must be an integer from 0 to 4"):
        service.layers.on_crop("conv2", 5, 0)


def test_state_and_requests_of_each_side(make_service, tiny_bundle, sent):
    a, b = make_service(tiny_bundle), make_service(permuted(tiny_bundle))
    widget = dw.side_by_side(a, b, state={"layer_a": "conv1"})
    assert widget.state["layer_b"] == "conv1"
    widget.state = {"unit_a": 3}
    assert widget.state["unit_b"] == 0
    assert widget.summary["correlation"] == pytest.approx(1)
    assert widget.summary["a"]["maximum"] == pytest.approx(widget.summary["b"]["maximum"], rel=1e-5)
    widget.state = {"unit_b": 1}
    assert widget.state["unit_a"] == 0
    for paired_by, pair in (("match", (0, 0)), ("number", (0, 1))):
        widget.state = {"unit_a": 0, "paired_by": paired_by}
        assert widget.summary["a"]["unit"] == 0
        before = dict(widget.state)
        with pytest.raises(ServiceError, match=f"are no pair by {paired_by}: set only one"):
            widget.state = dict(zip(("unit_a", "unit_b"), pair, strict=True))
        assert widget.state == before
    widget.state = {**widget.state, "paired_by": "match"}
    assert (widget.state["unit_a"], widget.state["unit_b"]) == (0, 1), "the unit of A is carried over"
    widget.state = {"pinned": [{"side": "b", "layer": "conv1", "unit": 3}]}
    widget.state = {"layer_a": "conv2"}
    assert (widget.state["layer_b"], widget.state["unit_a"], widget.state["unit_b"]) == ("conv2", None, None)
    assert widget.state["pinned"] == [{"side": "b", "model": "permuted", "layer": "conv1", "unit": 3}]
    for side, name in (("a", "tiny"), ("b", "permuted")):
        assert send_request(widget, sent, "hello", side=side)[0]["overview"]["model"] == name
    b.set_units({("conv1", 0): 0.0})
    assert [content["side"] for content, _ in sent if content.get("event") == "changed"] == ["b"]
    assert send_request(widget, sent, "set_units", side="a", units=[["conv1", 1, 0.5]])[0]["ok"]
    assert (a.units, b.units) == ({("1", 1): 0.5}, {("1", 0): 0.0})
    assert "needs a side" in send_request(widget, sent, "mosaics", layer="conv1", unit=0, tile=24)[0]["error"]
    widget.close()


def test_files(make_service, tiny_bundle, tmp_path):
    widget = dw.side_by_side(make_service(tiny_bundle), make_service(permuted(tiny_bundle)), state={"layer_a": "conv1"})
    rows = list(csv.reader(io.StringIO(widget.save(tmp_path / "pairs.csv").read_text())))
    assert rows[0][:3] == ["model_a", "layer_a", "unit_a"]
    assert rows[1] == ["tiny", "conv1", "0", "permuted", "conv1", "1", "1.000000", "moved", "moved", "1", "0"]
    assert widget.save(tmp_path / "pairs.png", pairs=2).stat().st_size > 1000
    assert widget.picture().width > 300
    widget.close()


OCCLUSION = {"image": "crop:2", "window": 4, "stride": 4}


def test_maps_of_both_and_their_difference(make_service, tiny_bundle, tiny_images, tmp_path):
    other = replace(make_tiny_bundle(seed=1), name="=other")
    widget = dw.side_by_side(make_service(tiny_bundle), make_service(other), "occlusion", state=OCCLUSION)
    rows = list(csv.DictReader(io.StringIO(widget.save(tmp_path / "maps.csv").read_text())))
    assert {row["model"] for row in rows} == {"tiny", "'=other"}, "no formula of a spreadsheet"
    scores = {side: np.array([float(row["score"]) for row in rows if row["side"] == side]) for side in "AB"}
    target = widget.summary["a"]["target"]
    assert widget.summary["b"]["target"] == target, "the class of the same name"
    for side, bundle in (("A", tiny_bundle), ("B", other)):
        expected = dw.occlude(bundle, tiny_images.open_crop(2), window=4, stride=4, target=target).probability
        assert np.allclose(scores[side], expected.ravel(), atol=1e-5)
    maps = [widget._service.side(side).occlusion for side in ("a", "b")]
    sides = both_sides(widget._service, widget.state)
    found = [
        occlusion.wait(occlusion.start_maps(side.scene.request, maps_settings(side.state)))
        for occlusion, side in zip(maps, sides, strict=True)
    ]
    difference = difference_of(found[0], found[1], ((16, 16), (16, 16)))
    assert np.allclose(difference.ravel(), scores["A"] - scores["B"], atol=1e-5)
    assert widget.save(tmp_path / "maps.png").stat().st_size > 1000
    widget.close()


def test_classes_are_matched_by_name_and_lengths_are_scaled():
    assert class_of_name("Sea_Lion", ["ant", "sea lion"]) == 1
    assert class_of_name("kite", ["ant"]) is None
    state = {"window": [48, 24], "stride": [8, 8], "patches": [[112, 56]]}
    assert scaled(state, (224, 224), (112, 448)) == {"window": [24, 48], "stride": [4, 16], "patches": [[56.0, 112.0]]}


def test_state_on_one_photograph(make_service, tiny_bundle):
    a = make_service(tiny_bundle)
    b = make_service(make_tiny_bundle(classes=2))
    widget = dw.side_by_side(a, b, "occlusion", state={**OCCLUSION, "target_a": "cow"})
    assert widget.summary["b"]["target"] != "cow", "B has no such class: its most probable one"
    for state, message in (
        ({"target_b": "cow"}, "has no class 'cow'"),
        ({"image": "upload:1"}, "show a crop of the image set"),
        ({"window": [0, 1]}, "A window is 1 to 16 rows"),
    ):
        with pytest.raises(DeconvWidgetsError, match=message):
            widget.state = state
    assert widget.state["window"] == [4, 4]
    widget.close()
