"""The activations of the explorer's tabs, and what is projected of them."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from deconvwidgets.engine import project
from deconvwidgets.errors import ActivationIndexError, LayerError, ServiceError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.index.options import IndexOptions
from deconvwidgets.instruments.layers.records import PlacePicturesRequest
from deconvwidgets.instruments.layers.service import unit_places
from deconvwidgets.local_service import LocalModelService
from deconvwidgets.service.worker import SynchronousExecutor


@pytest.fixture
def service(tiny_bundle, tiny_images, own_cache):
    service = LocalModelService(tiny_bundle, tiny_images, device="cpu", worker=SynchronousExecutor())
    yield service
    service.close()


def test_the_strongest_are_all_of_the_index_and_the_nine_are_the_first_of_them(service):
    layers = service.layers
    assert service.index.k == 36
    assert layers.unit_table("conv2").labels.shape[1] == layers.top_activations("conv2", 0).count == service.overview().k == 9
    places, nine = layers.places("conv2", 0, "strongest").places, layers.unit_detail("conv2", 0).entries
    assert len(places) == len(service.index.top("conv2", 0)) > 9  # one of each photograph in which it is active
    assert [(place.image, place.value) for place in places[:9]] == [(entry.image, entry.value) for entry in nine]


def test_samples_of_the_range_are_projected_where_the_unit_is_active(service):
    found = service.layers.places("conv1", 0, "range")
    assert sum(group.share for group in found.groups) == pytest.approx(1)
    assert all(group.low <= place.value <= group.high for group in found.groups for place in group.places)
    dead = service.layers.places("conv1", 2, "range")
    assert [place.projected for place in dead.places] == [False] * len(dead.places)
    (picture, *_) = service.layers.place_pictures(PlacePicturesRequest("conv1", 2, "range", (0,)))
    assert picture.projection is None
    assert "not active" in picture.reason


def test_a_place_may_be_asked_for_twice(service):
    first, other, again = service.layers.place_pictures(PlacePicturesRequest("conv2", 0, "strongest", (9, 10, 9)))
    assert first.projection == again.projection != other.projection


def test_the_most_negative_are_projected_from_what_the_rectifier_reads(service, tiny_bundle, tiny_images, monkeypatch):
    """A unit with negated weights and bias is most active where the unit is most negative, and has the same projection there."""
    projections = []
    monkeypatch.setattr(
        unit_places.display, "projection_to_rgb", lambda pixels, size: projections.append(pixels) or np.zeros((8, 8, 3), np.uint8)
    )
    places = service.layers.places("conv1", 1, "negative").places
    service.layers.place_pictures(PlacePicturesRequest("conv1", 1, "negative", (0,)))
    net = copy.deepcopy(tiny_bundle.model)
    for parameter in net[0].parameters():
        parameter.data[1] *= -1
    first = places[0]
    pixels = tiny_bundle.prepare(tiny_images.open_crop(first.image))[None]
    negated = project(net, pixels, "conv1", unit=1)
    assert negated.positions.tolist() == [[first.row, first.column]]
    assert -first.value == pytest.approx(float(negated.values[0]), rel=1e-5)
    expected = negated.pixels[0].numpy()
    np.testing.assert_allclose(projections[0], expected, rtol=2e-3, atol=2e-3 * np.abs(expected).max())  # kept as float16


def test_an_index_without_samples_says_so_in_words(tiny_bundle, tiny_images, own_cache):
    index = ActivationIndex.build(tiny_bundle, tiny_images, None, IndexOptions(samples=0, negative=False), progress=False)
    service = LocalModelService(tiny_bundle, tiny_images, index=index, device="cpu", worker=SynchronousExecutor())
    for tab, option in (("range", "samples=256"), ("negative", "negative=True")):
        found = service.layers.places("conv1", 0, tab)
        assert found.places == ()
        assert option in found.note
    service.close()


def test_invalid_requests_are_refused(service):
    layers = service.layers
    with pytest.raises(ServiceError, match="strongest, range or negative"):
        layers.places("conv1", 0, "weakest")
    with pytest.raises(LayerError, match="no number 14"):
        layers.place_pictures(PlacePicturesRequest("conv2", 0, "strongest", (14,)))
    with pytest.raises(ServiceError, match="1 to 64"):
        layers.place_pictures(PlacePicturesRequest("conv2", 0, "strongest", ()))
    with pytest.raises(ActivationIndexError, match="selectivity"):
        layers.matching_units("conv1", "selectivitty > 5")


def test_a_map_is_computed_once(service, monkeypatch):
    first = service.layers.unit_map("conv1", "pca")
    monkeypatch.setattr(ActivationIndex, "unit_map", None)
    assert service.layers.unit_map("conv1", "pca") is first


def test_figures_show_what_the_condition_and_the_selection_leave(service):
    """The tile that is left is that of the only unit."""
    table = service.layers.unit_table("conv2")
    strongest, weakest = int(np.argmax(table.maximum)), int(np.argmin(table.maximum))
    alone = service.layers.figure("layer.svg", {"layer": "conv2", "units": [weakest]})
    where = {"layer": "conv2", "where": f"max < {table.maximum[strongest]}", "selected_units": [weakest, strongest]}
    figure = service.layers.figure("layer.svg", where)
    assert figure.count(b"<image") == alone.count(b"<image") > 0
    assert b", of those where max" in figure
    assert b"selected on the map" in figure
    assert service.layers.figure("layer.svg", {"layer": "conv2", "sort": "purity"}).count(b"<image") > alone.count(b"<image")
