"""Two classes of one occlusion run: their maps, their difference, and the class that is compared by default."""

from __future__ import annotations

import io

import numpy as np
import pytest

import deconvwidgets as dw
from deconvwidgets.errors import LayerError, OcclusionError


def test_both_maps_are_those_of_runs_of_their_own(api, make_request, settings):
    one, other = (api.wait(api.start_maps(make_request(target=label), settings())) for label in (0, 2))
    both = api.wait(api.start_maps(make_request(target=0, against=2), settings()))
    np.testing.assert_array_equal(both.probability, one.probability)
    np.testing.assert_array_equal(both.against_scores, other.probability)
    np.testing.assert_array_equal(both.difference, one.probability - other.probability)
    assert both.unoccluded.against == other.unoccluded.probability
    assert both.colour_range("probability") == both.colour_range("against")
    low, high = both.colour_range("difference")
    assert low == -high
    assert len(api._runs.computations()) == 1, "one computation has the maps of every class"


def test_maps_without_logits_have_both_classes(service, make_request, settings, monkeypatch):
    expected = service.occlusion.wait(service.occlusion.start_maps(make_request(target=0, against=1), settings((4, 4), (4, 4))))
    monkeypatch.setattr("deconvwidgets.instruments.occlusion.service.api._MAX_LOGITS_BYTES", 0)
    found = service.occlusion.wait(service.occlusion.start_maps(make_request(target=0, against=1, fill="blur"), settings((4, 4), (4, 4))))
    assert found.against_scores.shape == expected.against_scores.shape
    assert np.isfinite(found.against_scores).all()
    again = service.occlusion.wait(service.occlusion.start_maps(make_request(target=1, against=0, fill="blur"), settings((4, 4), (4, 4))))
    np.testing.assert_allclose(again.against_scores, found.probability, atol=1e-6)


def test_occlude_maps_a_second_class(tiny_bundle, noise):
    image = noise().open_source(0)
    maps = dw.occlude(tiny_bundle, image, 4, 4, target="ant", against="cow", logits=True)
    shares = np.exp(maps.logits) / np.exp(maps.logits).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(maps.difference, shares[..., 0] - shares[..., 2], atol=1e-6)
    assert "against cow" in repr(maps)
    assert dw.occlude(tiny_bundle, image, 4, 4).difference is None
    with pytest.raises(OcclusionError, match="has no class 'zebra'"):
        dw.occlude(tiny_bundle, image, 4, 4, against="zebra")


def test_the_true_class_is_compared_by_default_or_else_the_next(api, make_request, image_file, upload_file):
    unlabelled = api.scene(make_request(upload_file(api, image_file()), against="auto"))
    ranked = sorted(unlabelled.classes, key=lambda share: -share.before)
    assert (unlabelled.truth, unlabelled.request.against) == (None, ranked[1].label)
    number = api.begin_upload("mine.png", len(image_file(1)))
    api.add_chunk(number, 0, image_file(1))
    worst = ranked[-1]
    labelled = api.scene(make_request(api.finish_upload(number, worst.name.upper()), against="auto", target=ranked[0].label))
    assert (labelled.label, labelled.truth, labelled.request.against) == (worst.name.upper(), worst.label, worst.label)
    right = api.scene(make_request(labelled.request.image, against="auto", target=worst.label))
    assert right.request.against not in (None, worst.label), "the true class is not compared with itself"
    assert api.scene(make_request()).request.against is None, "without a request, nothing is compared"


def test_both_classes_are_in_the_files(service, make_request, settings):
    api = service.occlusion
    run = api.start_maps(make_request(target=0, against=2), settings())
    maps = api.wait(run)
    arrays = np.load(io.BytesIO(api.file("maps.npz", make_request(target=0, against=2), run, {})))
    np.testing.assert_array_equal(arrays["against_scores"], maps.against_scores)
    for kind in ("figure.svg", "figure.html"):
        text = api.file(kind, make_request(target=0, against=2), run, {"patches": [], "window": [4, 4]}).decode()
        assert "(d) difference" in text
        assert f"{maps.name(0)} against {maps.name(2)}" in text


def test_the_maps_of_units_are_those_of_the_network(service, make_request, tiny_bundle):
    api = service.occlusion
    scene = api.scene(make_request(layer="conv1", unit=3))
    found = api.unit_maps(make_request(layer="conv1"), [3, 0])
    assert found.units == (3, 0)
    np.testing.assert_array_equal(found.values[0], scene.map)
    with pytest.raises(LayerError, match="there is no unit 99"):
        api.unit_maps(make_request(layer="conv1"), [99])
