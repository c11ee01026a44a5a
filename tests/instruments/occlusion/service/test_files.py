"""Files of the OcclusionExplorer: arrays and figures."""

import io
import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.occlusion.figures.pixels import label_pixels, map_edges, value_pixels
from deconvwidgets.instruments.occlusion.figures.sheet import OcclusionSheet
from deconvwidgets.instruments.occlusion.patch_boxes import patch_boxes
from deconvwidgets.instruments.occlusion.records import OcclusionRequest
from deconvwidgets.service.worker import SynchronousExecutor

STATE = {"window": [5, 4], "patches": [[8, 8], [0, 16]]}


@pytest.fixture
def run(api, make_request, settings):
    return api.start_maps(make_request(), settings())


def make_sheet(service, make_request, run=None, boxes=()):
    api = service.occlusion
    maps = None if run is None else api.maps(run)
    colours = {} if maps is None else api.colours(maps)
    answer, projections = api.answer(make_request, boxes), tuple(api.projections(make_request))
    return OcclusionSheet(service.overview(), api.scene(make_request), boxes, answer, maps, colours, projections)


def test_npz_contains_the_maps_and_their_metadata(api, make_request, run):
    maps = api.maps(run)
    with np.load(io.BytesIO(api.file("maps.npz", make_request(), run, {}))) as file:
        for name in ("probability", "label", "label_probability", "activity", "centres"):
            np.testing.assert_array_equal(file[name], getattr(maps, name))
        about = json.loads(str(file["about"]))
    assert (about["layer"], about["unit"], about["target"], about["window"], about["fill"]) == (
        "conv2",
        maps.unit,
        maps.target,
        [4, 4],
        "gray",
    )
    assert about["categories"] == ["ant", "bee", "cow"]
    assert about["unoccluded"]["probability"] == maps.unoccluded.probability
    assert about["complete"] is True
    assert (about["model"], about["image"], about["caption"]) == ("tiny", make_request().image, api.scene(make_request()).caption)
    assert about["caption"]
    with pytest.raises(ServiceError, match="no maps to save"):
        api.file("maps.npz", make_request(), None, {})


def test_npz_of_a_discarded_upload_has_no_caption(api, make_request, run):
    with np.load(io.BytesIO(api.file("maps.npz", make_request(image="upload:gone"), run, {}))) as file:
        about = json.loads(str(file["about"]))
    assert (about["image"], about["caption"]) == ("upload:gone", "")


def test_figures_in_all_formats(api, make_request, run):
    image = Image.open(io.BytesIO(api.file("figure.png", make_request(), run, STATE)))
    assert image.size[0] == 1200
    assert image.size[1] > 500
    svg = api.file("figure.svg", make_request(), run, STATE).decode()
    ElementTree.fromstring(svg)
    target = api.maps(run).name(api.maps(run).target)
    for text in (svg, api.file("figure.html", make_request(), run, STATE).decode()):
        for expected in ("tiny", f"probability of {target}", "most probable class", "noise-1", "Zeiler", "deconvnet"):
            assert expected in text
        assert "://" not in text.replace("http://www.w3.org/", "")  # the file has no references
    with pytest.raises(ServiceError, match=r"no file 'figure\.gif'; choose one of maps\.npz, figure\.png"):
        api.file("figure.gif", make_request(), run, STATE)
    with pytest.raises(ServiceError, match="state such as"):
        api.file("figure.png", make_request(), run, {"patches": "middle"})


@pytest.mark.slow
def test_figures_without_maps_with_partial_maps_and_without_classes(
    make_service, tiny_bundle, manual_executor, api, make_request, settings
):
    assert "The maps have not" in api.file("figure.svg", make_request(), None, {}).decode()
    manual_api = make_service(manual_executor).occlusion
    partial = manual_api.start_maps(make_request(), settings())
    assert "The maps have not" in manual_api.file("figure.html", make_request(), partial, {}).decode()
    assert manual_api.file("figure.png", make_request(), partial, STATE)[:4] == b"\x89PNG"
    manual_api._runs.get(partial).computation.advance(manual_api._context.device_lock.batch)
    assert "1 of 49 positions so far" in manual_api.file("figure.svg", make_request(), partial, STATE).decode()
    without_classes = make_service(SynchronousExecutor(), tiny_bundle.with_head(None)).occlusion
    run = without_classes.start_maps(make_request(), settings())
    text = without_classes.file("figure.svg", make_request(), run, STATE).decode()
    assert "no classifier" in text
    assert without_classes.file("figure.png", make_request(), run, STATE)[:4] == b"\x89PNG"
    page = without_classes.file("figure.html", make_request(), run, STATE).decode()
    assert "no classifier" in page
    assert "probability of" not in page
    dead = api.start_maps(make_request(layer="conv1", unit=2), settings())
    assert "is inactive" in api.file("figure.svg", make_request(layer="conv1", unit=2), dead, STATE).decode()


def test_patch_boxes_are_rounded_as_in_the_front_end():
    assert patch_boxes({"window": [48, 48], "patches": [[112, 112], [24.5, 100]]}) == ((88, 88, 136, 136), (76, 0, 124, 48))
    assert patch_boxes({"window": [5, 4], "patches": [[8, 8]]}) == ((6, 5, 10, 10),)
    assert patch_boxes({"window": [5, 4], "patches": []}) == ()
    assert patch_boxes({}) == ()


def test_figure_shows_the_patches_and_the_maps_at_their_positions(service, api, make_request, settings):
    scene = api.scene(make_request())
    run = api.start_maps(make_request(), settings((4, 6), (4, 5)))
    sheet = make_sheet(service, make_request(), run, ((2, 3, 6, 9), (-5, -5, 1, 1)))
    occluded, image = sheet.occluded(), np.asarray(Image.open(io.BytesIO(scene.image.data)))
    changed = (occluded != image).any(axis=2)
    expected = np.zeros((16, 16), bool)
    expected[3:9, 2:6] = expected[:1, :1] = True
    np.testing.assert_array_equal(changed | ~expected, np.ones((16, 16), bool))
    assert not changed[~expected].any()
    maps = api.maps(run)
    assert maps.activity.shape == (4, 3)
    assert map_edges(maps) == (0.5, 0, 15.5, 16)
    values = value_pixels(sheet, "activity", 64)
    assert values.shape == (64, 64, 3)
    pixels = [(round(4 * row), round(4 * column)) for row, column in maps.centres.reshape(-1, 2)]
    lowest, highest = (pixels[int(index)] for index in (maps.activity.argmin(), maps.activity.argmax()))
    np.testing.assert_array_equal(values[lowest], (68, 1, 84))
    np.testing.assert_array_equal(values[lowest[0] + 7, lowest[1] + 9], (68, 1, 84))
    if maps.activity.max() >= maps.unoccluded.activity:
        np.testing.assert_array_equal(values[highest], (253, 231, 37))
    labels, first = label_pixels(sheet, 64), sheet.legend()[0][0]
    blue = [bool((labels[pixel] == (76, 120, 168)).all()) for pixel in pixels]
    assert blue == (maps.label == first).ravel().tolist()


def test_names_are_escaped(make_service, tiny_bundle, make_request, settings):
    from dataclasses import replace

    bundle = replace(tiny_bundle, categories=("</script><b>1", "</script><b>2", "</script><b>3"), name="a<b>")
    api = make_service(SynchronousExecutor(), bundle).occlusion
    run = api.start_maps(OcclusionRequest("crop:3"), settings())
    for kind in ("figure.html", "figure.svg"):
        text = api.file(kind, make_request(), run, STATE).decode()
        assert "</script><b>" not in text
        assert "a<b>" not in text
