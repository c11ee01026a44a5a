"""The OcclusionExplorer's Python side: state, messages, events, maps, the chart, files and the static image."""

from __future__ import annotations

import base64
import io
import json
import threading

import numpy as np
import pytest
from PIL import Image

import deconvwidgets as dw
from deconvwidgets.errors import LayerError, OcclusionError, PictureError, ServiceError
from deconvwidgets.instruments.occlusion.records import MapsSettings
from deconvwidgets.instruments.occlusion.service.protocol import OcclusionService, SupportsOcclusion
from deconvwidgets.instruments.occlusion.widget.chart import map_chart
from deconvwidgets.instruments.occlusion.widget.explorer import OcclusionExplorer
from deconvwidgets.service.protocol import ModelService
from tests.instruments.occlusion.widget.fake_api import KINDS, FakeOcclusionService
from tests.widgets.fake_service import encode
from tests.widgets.requests import send_request, sent, wait_until

__all__ = ["sent"]  # pytest finds fixtures by name

FEW = {"window": [32, 32], "stride": [16, 16]}


@pytest.fixture
def service():
    return FakeOcclusionService()


@pytest.fixture
def api(service):
    return service.occlusion


@pytest.fixture
def explorer(service):
    with OcclusionExplorer(service, state=FEW) as opened:
        yield opened


def test_fakes_implement_the_protocols(service, api):
    assert isinstance(service, ModelService)
    assert isinstance(service, SupportsOcclusion)
    assert isinstance(api, OcclusionService)


def test_public_name():
    assert dw.OcclusionExplorer is OcclusionExplorer


# State


def test_initial_state(service):
    with OcclusionExplorer(service) as explorer:
        state = explorer.state
        assert (state["image"], state["layer"], state["unit"], state["target"], state["fill"]) == ("crop:0", None, None, None, "gray")
        assert (state["patches"], state["window"], state["stride"]) == ([[32.0, 32.0]], [14, 14], [2, 2])
        assert (state["border"], state["map"], state["overlay"], state["tab"]) == ("inside", "probability", 0.0, "maps")
        assert json.loads(json.dumps(state)) == state
        assert repr(explorer) == "OcclusionExplorer(fakenet, crop:0)"


@pytest.mark.parametrize(("side", "window", "stride"), [(32, 7, 1), (224, 48, 8), (300, 48, 8)])
def test_default_window_and_stride_are_proportional_to_the_input(side, window, stride):
    with OcclusionExplorer(FakeOcclusionService(side)) as explorer:
        assert (explorer.state["window"], explorer.state["stride"]) == ([window] * 2, [stride] * 2)
        explorer.state = {"window": 20, "stride": 5}
        explorer.state = {"fill": "mean"}
        saved = json.loads(json.dumps(explorer.state))
        explorer.state = {"window": None, "stride": None}
        assert (explorer.state["window"], explorer.state["stride"]) == ([window] * 2, [stride] * 2)
    with OcclusionExplorer(FakeOcclusionService(side), state=saved) as again:
        assert (again.state["window"], again.state["stride"]) == ([20, 20], [5, 5])


def test_arrays_are_accepted_in_the_state(service):
    arrays = {"window": np.array([8, 9]), "stride": np.int16(3) * np.ones(2, np.int16), "patches": np.array([[1, 2], [3, 4]])}
    with OcclusionExplorer(service, state=arrays) as explorer:
        state = explorer.state
        assert (state["window"], state["stride"], state["patches"]) == ([8, 9], [3, 3], [[1.0, 2.0], [3.0, 4.0]])
        assert json.loads(json.dumps(state)) == state
        explorer.state = {"window": np.array(7), "patches": [np.array([5, 6.5])], "stride": (2, 4)}
        assert (explorer.state["window"], explorer.state["patches"], explorer.state["stride"]) == ([7, 7], [[5.0, 6.5]], [2, 4])


def test_state_can_be_saved_and_restored(service, explorer):
    explorer.state = {"image": np.int64(7), "layer": "features.0", "unit": np.int32(3), "target": "lamp", "fill": "#12ab34", "window": 20}
    explorer.state = {
        "stride": (4, 6),
        "border": "same",
        "patches": ((1, 2.5), [np.float32(9), 70]),
        "map": "label",
        "overlay": 0.4,
        "tab": "images",
    }
    saved = json.loads(json.dumps(explorer.state))
    assert (saved["image"], saved["layer"], saved["unit"], saved["target"]) == ("crop:7", "conv1", 3, "lamp")
    assert (saved["window"], saved["stride"], saved["patches"]) == ([20, 20], [4, 6], [[1.0, 2.5], [9.0, 64.0]])
    with OcclusionExplorer(service, state=saved) as other:
        assert other.state == explorer.state
    assert repr(explorer) == "OcclusionExplorer(fakenet, crop:7, conv1, 3, lamp)"
    with OcclusionExplorer(service, 9, state=saved) as other:
        assert other.state["image"] == "crop:9"


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        ({"image": "crop:120"}, PictureError, "'crop:0' to 'crop:119'"),
        ({"image": -1}, PictureError, "no image 'crop:-1'"),
        ({"image": True}, PictureError, "not True"),
        ({"image": 2.5}, PictureError, "not 2.5"),
        ({"image": "upload:none"}, PictureError, "upload the image again"),
        ({"layer": "conv9"}, LayerError, "Its layers are conv1, conv5"),
        ({"unit": 12}, LayerError, "conv5 has 12 units, 0 to 11"),
        ({"layer": "conv1", "unit": 6}, LayerError, "conv1 has 6 units"),
        ({"unit": "strongest"}, ServiceError, "must be an integer"),
        ({"target": "lampe"}, OcclusionError, "Did you mean 'lamp'.*lists them all"),
        ({"target": 3}, OcclusionError, "name of a class"),
        ({"fill": "greyish"}, OcclusionError, "'gray', 'mean', 'blur'"),
        ({"fill": None}, OcclusionError, "not None"),
        ({"window": 0}, OcclusionError, "1 to 64 rows"),
        ({"window": [8, 65]}, OcclusionError, "not 8 x 65"),
        ({"window": [8]}, OcclusionError, r"\[rows, columns\]"),
        ({"window": [8, 2.5]}, ServiceError, "must be an integer"),
        ({"window": np.array([8, 8, 8])}, OcclusionError, r"\[rows, columns\]"),
        ({"window": np.array([8.0, 8.5])}, ServiceError, "must be an integer"),
        ({"patches": np.array([1, 2])}, OcclusionError, r"\[row, column\]"),
        ({"stride": [0, 8]}, OcclusionError, "A stride is 1 to 64"),
        ({"patches": 3}, OcclusionError, "list of at most 64"),
        ({"patches": [[1, 2]] * 65}, OcclusionError, "at most 64"),
        ({"patches": [[1, float("nan")]]}, OcclusionError, r"\[row, column\]"),
        ({"patches": [[1, "2"]]}, OcclusionError, r"\[row, column\]"),
        ({"border": "wrap"}, ServiceError, "inside or same"),
        ({"map": "logits"}, ServiceError, "probability, value, activity or label"),
        ({"overlay": 1.5}, ServiceError, "from 0 to 1"),
        ({"overlay": True}, ServiceError, "from 0 to 1"),
        ({"tab": "chart "}, ServiceError, "maps, chart, why or images"),
        ({"zoom": 2}, ServiceError, "'zoom'"),
        (None, ServiceError, "An OcclusionExplorer's state .* the others keep their values"),
    ],
)
def test_invalid_state_is_rejected_and_changes_nothing(service, explorer, state, error, message):
    before = explorer.state
    with pytest.raises(error, match=message):
        explorer.state = state
    assert explorer.state == before


def test_invalid_initial_state_raises_an_error(service):
    with pytest.raises(OcclusionError, match="1 to 64 rows"):
        OcclusionExplorer(service, state={"window": 65})
    for state in (5, 0, [], "crop:3"):
        with pytest.raises(ServiceError, match=r"An OcclusionExplorer's state is a dict such as .* the others keep their values"):
            OcclusionExplorer(service, state=state)
    assert len(service.events) == 0


@pytest.mark.parametrize(
    ("fill", "saved"),
    [("grey", "gray"), ("Gray", "gray"), ("Mean", "mean"), ("red", "#ff0000"), ("#7F7F7f", "#7f7f7f"), ("#f80", "#ff8800")],
)
def test_fills_are_normalised(explorer, fill, saved):
    explorer.state = {"fill": fill}
    assert explorer.state["fill"] == saved


def test_unit_is_reset_with_the_layer(explorer):
    explorer.state = {"layer": "conv5", "unit": 11}
    explorer.state = {"fill": "mean"}
    assert explorer.state["unit"] == 11
    explorer.state = {"layer": "conv1"}
    assert explorer.state["unit"] is None
    explorer.state = {**explorer.state, "layer": "conv5", "unit": 4}  # as the front end sets it
    assert explorer.state["unit"] == 4


def test_target_is_reset_when_the_classifier_is_removed(service, explorer):
    explorer.state = {"target": "lamp", "map": "label"}
    service.classifier = None
    explorer.state = {"fill": "mean"}
    assert (explorer.state["target"], explorer.state["map"]) == (None, "activity")
    with pytest.raises(OcclusionError, match=r"no classifier.*from_module\(net, \.\.\., categories=\[\.\.\.\]\)"):
        explorer.state = {"target": "lamp"}


def test_uploads_of_another_kernel_are_replaced_with_a_warning(service):
    with pytest.warns(UserWarning, match="'upload:12' is not in this kernel.*'crop:0', is shown instead.*OcclusionExplorer") as warned:
        explorer = OcclusionExplorer(service, state={"image": "upload:12", "fill": "blur"})
    assert [warning.filename for warning in warned] == [__file__], "one warning, at the line that opens the explorer"
    with explorer:
        assert (explorer.state["image"], explorer.state["fill"]) == ("crop:0", "blur")


def test_uploads_of_this_kernel_give_no_warning(service, recwarn):
    image = np.zeros((8, 8, 3), np.uint8)
    with OcclusionExplorer(service, image, state={"image": "upload:12"}) as explorer:
        saved = explorer.state
        explorer.set_state({"state": {**saved, "overlay": 0.5}})  # as the front end does, also after it reconnects
        with pytest.raises(PictureError, match="upload the image again"):
            explorer.state = {"image": "upload:12"}
    with OcclusionExplorer(service, state=saved) as again:
        assert again.state["image"] == saved["image"] != "crop:0"
    assert [str(warning.message) for warning in recwarn] == []


def test_state_can_be_changed_after_its_upload_was_discarded(service, api):
    with OcclusionExplorer(service, np.zeros((8, 8, 3), np.uint8)) as explorer:
        saved = explorer.state
        del api.pixels[saved["image"]]
        explorer.state = {**saved, "window": [9, 9]}
        assert (explorer.state["image"], explorer.state["window"]) == (saved["image"], [9, 9])
        explorer.state = {"image": "crop:1"}
        with pytest.raises(PictureError, match="upload the image again"):
            explorer.state = {"image": saved["image"]}


def test_colours_are_rejected_if_the_transform_is_unknown(service, api):
    api.colours_known = False
    with OcclusionExplorer(service) as explorer:
        with pytest.raises(OcclusionError, match=r"transform is unknown: choose 'gray', 'mean' or 'blur'"):
            explorer.state = {"fill": "red"}
        assert explorer.state["fill"] == "gray"
        explorer.state = {"fill": "blur"}


# Images from Python


@pytest.mark.slow
def test_images_from_python(service, api, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "beach.png")
    for image in (pixels, Image.fromarray(pixels), tmp_path / "beach.png", str(tmp_path / "beach.png")):
        with OcclusionExplorer(service, image) as explorer:
            assert explorer.state["image"].startswith("upload:")
            assert explorer.maps.complete
    decoded = [np.asarray(Image.open(io.BytesIO(data))) for _, data in api.uploads.values()]
    assert all((image == pixels).all() for image in decoded)
    assert [name for name, _ in api.uploads.values()] == ["your image", "your image", "beach.png", "beach.png"]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("/nowhere/at all.png", "cannot be read"),
        (np.full((3, 4), 2.5), "not 0 to 1"),
        (np.zeros((3, 4, 4), np.uint8), "must be"),
        (b"bytes", "not b'bytes'"),
        (2.5, "not 2.5"),
        (True, "not True"),
        (120, "no image 'crop:120'"),
    ],
)
def test_invalid_images_raise_errors(service, image, message):
    with pytest.raises(PictureError, match=message):
        OcclusionExplorer(service, image)
    assert len(service.events) == 0


# Methods


def test_maps_are_complete_and_match_the_state(api, explorer):
    api.complete_at_once = False
    explorer.state = {"target": "platypus", "unit": 3, "fill": "mean", "border": "same"}
    maps = explorer.maps
    assert (maps.complete, maps.target, maps.unit, maps.fill, maps.border) == (True, 2, 3, "mean", "same")
    assert (maps.window, maps.stride) == ((32, 32), (16, 16))
    assert explorer.maps.complete
    assert len(api.runs) == 1


@pytest.mark.parametrize(("suffix", "kind"), [("png", "figure.png"), ("SVG", "figure.svg"), ("html", "figure.html"), ("npz", "maps.npz")])
def test_save_by_suffix(api, explorer, tmp_path, suffix, kind):
    api.complete_at_once = False
    path = explorer.save(tmp_path / f"a.{suffix}")
    assert path.read_bytes().startswith(b"\x89PNG" if suffix == "png" else b"<file>" + kind.encode())
    name, (called_kind, request, run, state) = api.calls[-1]
    assert (name, called_kind, request.image, state) == ("file", kind, "crop:0", explorer.state)
    assert api.runs[run].maps.complete


# Messages

REQUEST = {"image": "crop:2", "layer": None, "unit": None, "target": None, "fill": "gray"}
SETTINGS = {"window": [32, 24], "stride": [16, 10], "border": "inside"}


def test_hello_returns_overview_layers_and_classes(service, explorer, sent):
    content, buffers = send_request(explorer, sent, "hello")
    assert (content["overview"]["model"], content["classes"]) == ("fakenet", list(KINDS))
    assert content["layers"] == [
        {"id": "conv1", "channels": 6, "height": 27, "width": 27},
        {"id": "conv5", "channels": 12, "height": 13, "width": 13},
    ]
    overview = content["overview"]
    assert (overview["classifier"], overview["index_ready"], content["bundled_head"], buffers) == (service.classifier, True, False, [])
    service.classifier = None
    content, _ = send_request(explorer, sent, "hello")
    assert (content["classes"], content["overview"]["classifier"], content["bundled_head"]) == (None, None, True)


def test_scene_and_patch_requests(api, explorer, sent):
    content, (image, fill, values) = send_request(explorer, sent, "scene", request=REQUEST)
    scene = content["scene"]
    assert scene["request"]["layer"] == "conv5"
    assert (scene["map_shape"], len(values)) == ([13, 13], 4 * 169)
    assert scene["images"][0] == {"mime": "image/png", "width": 64, "height": 64}
    assert image[:4] == fill[:4] == b"\x89PNG"
    answer, (now,) = send_request(explorer, sent, "patch", request=scene["request"], boxes=[[0, 0, 32, 64], [-4, 3, 9, 90]])
    assert api.calls[-1][1][1] == [(0, 0, 32, 64), (-4, 3, 9, 90)]
    assert np.frombuffer(now, "<f4").sum() == pytest.approx(answer["activity"], rel=1e-4)
    assert answer["activity"] != scene["activity"]
    assert set(answer["classes"][0]) == {"label", "name", "before", "now", "unchanged"}
    named, _ = send_request(explorer, sent, "patch", request={**scene["request"], "target": "gramophone"}, boxes=[])
    assert "gramophone" in [share["name"] for share in named["classes"]]


def test_maps_are_sent_as_little_endian_arrays_with_nan_for_missing_positions(api, explorer, sent):
    api.complete_at_once = False
    scene = send_request(explorer, sent, "scene", request=REQUEST)[0]["scene"]
    run = send_request(explorer, sent, "start_maps", request=scene["request"], settings=SETTINGS)[0]["run"]
    assert api.calls[-1][1][1] == MapsSettings((32, 24), (16, 10), "inside")
    api.advance(run, 4)
    content, (activity, probability, label, share, against) = send_request(explorer, sent, "maps", run=run)
    maps = api.maps(run)
    assert (content["against"], against) == (None, b""), "nothing is compared"
    assert (content["done"], content["total"], content["complete"], content["rows"], content["cols"]) == (4, 15, False, 3, 5)
    assert (content["origin"], content["window"], content["stride"], content["method"]) == ([16.0, 12.0], [32, 24], [16, 10], "incremental")
    for data, values in ((activity, maps.activity), (probability, maps.probability), (share, maps.label_probability)):
        np.testing.assert_array_equal(np.frombuffer(data, "<f4").reshape(3, 5), values)
    np.testing.assert_array_equal(np.frombuffer(label, "<i4").reshape(3, 5), maps.label)
    assert {int(label) for label in content["names"]} >= {int(label) for label in np.unique(maps.label) if label >= 0}
    assert content["has_classes"] is True
    send_request(explorer, sent, "stop_maps", run=run)
    assert api.runs[run].stopped


def test_the_maps_of_a_second_class_are_sent(api, explorer, sent):
    scene = send_request(explorer, sent, "scene", request={**REQUEST, "against": "auto"})[0]["scene"]
    run = send_request(explorer, sent, "start_maps", request=scene["request"], settings=SETTINGS)[0]["run"]
    content, (*_, against) = send_request(explorer, sent, "maps", run=run)
    assert content["against"] == scene["request"]["against"] is not None
    np.testing.assert_array_equal(np.frombuffer(against, "<f4").reshape(3, 5), api.maps(run).against_scores)
    assert content["unoccluded"]["against"] == api.maps(run).unoccluded.against


def test_maps_without_a_classifier_have_empty_buffers_for_probabilities(service, explorer, sent):
    service.classifier = None
    scene = send_request(explorer, sent, "scene", request=REQUEST)[0]["scene"]
    run = send_request(explorer, sent, "start_maps", request=scene["request"], settings=SETTINGS)[0]["run"]
    content, (activity, *rest) = send_request(explorer, sent, "maps", run=run)
    assert rest == [b"", b"", b"", b""]
    assert len(activity) == 60
    assert (content["target"], content["names"], content["has_classes"]) == (None, {}, False)
    assert send_request(explorer, sent, "use_bundled_head")[0]["message"].startswith("fakenet now predicts Caltech-101's")


def test_image_projection_and_file_requests(api, explorer, sent):
    content, buffers = send_request(explorer, sent, "images", start=2, count=3, query="drawing", size=48)
    assert (content["total"], content["start"]) == (60, 2)
    assert [tile["image"] for tile in content["images"]] == ["crop:2", "crop:3", "crop:4"]
    assert content["images"][0]["thumbnail"] == {"mime": "image/png", "width": 48, "height": 48}
    assert len(buffers) == 3
    content, buffers = send_request(explorer, sent, "projections", request=REQUEST, size=40)
    assert [entry["own"] for entry in content["entries"]] == [True, False, False, False]
    assert [len(entry["images"]) for entry in content["entries"]] == [3] * 4
    assert (len(buffers), content["entries"][1]["map_shape"]) == (16, [4, 4])
    assert np.frombuffer(buffers[7], "<f4").reshape(4, 4)[1, 0] == content["entries"][1]["value"] == 8
    refused, _ = send_request(explorer, sent, "projections", request={**REQUEST, "layer": "conv1"}, size=40)
    assert (refused["ok"], refused["refused"]) == (False, True)
    content, (data,) = send_request(explorer, sent, "file", figure="figure.svg", request=REQUEST, run=None, state={"window": [4, 4]})
    assert (content["mime"], data) == ("image/svg+xml", b"<file>figure.svg")


def test_background_requests_do_not_delay_patch_requests(api, explorer, sent, monkeypatch):
    release, images = threading.Event(), api.images
    monkeypatch.setattr(api, "images", lambda *args: release.wait(20) and images(*args))
    explorer._handle_custom_msg({"seq": 1, "client": "v1", "kind": "images", "start": 0, "count": 3, "size": 48, "background": True}, [])
    explorer._handle_custom_msg({"seq": 2, "client": "v1", "kind": "scene", "request": REQUEST}, [])
    assert [content["seq"] for content, _ in sent] == [2]
    release.set()
    wait_until(lambda: len(sent) == 2)
    assert sent[1][0]["seq"] == 1


def test_upload_in_chunks(api, explorer, sent):
    data = encode(np.zeros((20, 30, 3), np.uint8)).data
    upload = send_request(explorer, sent, "upload", step="begin", name="mine.png", size=len(data))[0]["upload"]
    assert send_request(explorer, sent, "upload", [memoryview(data[:50])], step="chunk", upload=upload, offset=0)[0]["have"] == 50
    assert send_request(explorer, sent, "upload", [memoryview(data[50:])], step="chunk", upload=upload, offset=50)[0]["have"] == len(data)
    image = send_request(explorer, sent, "upload", step="finish", upload=upload)[0]["image"]
    assert send_request(explorer, sent, "scene", request={"image": image})[0]["scene"]["caption"] == "mine.png"
    explorer.state = {"image": image}
    assert explorer.state["image"] == image


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"kind": "dance"}, "no request 'dance'"),
        ({"kind": "scene"}, "needs 'request' as a dict"),
        ({"kind": "scene", "request": {"image": 4}}, "needs an 'image'"),
        ({"kind": "scene", "request": {**REQUEST, "image": "crop:999"}}, "there is no 'crop:999'"),
        ({"kind": "scene", "request": {**REQUEST, "layer": 5}}, "by its name"),
        ({"kind": "scene", "request": {**REQUEST, "layer": "conv7"}}, "no layer 'conv7'"),
        ({"kind": "scene", "request": {**REQUEST, "unit": "all"}}, "an integer"),
        ({"kind": "scene", "request": {**REQUEST, "target": "lampe"}}, "Did you mean 'lamp'"),
        ({"kind": "scene", "request": {**REQUEST, "fill": "greyish"}}, "A fill is"),
        ({"kind": "patch", "request": REQUEST}, "'boxes' as a list"),
        ({"kind": "patch", "request": REQUEST, "boxes": [[1, 2, 3]]}, "[left, top, right, bottom]"),
        ({"kind": "patch", "request": REQUEST, "boxes": [[1, 2, 3, 4.5]]}, "an integer"),
        ({"kind": "start_maps", "request": REQUEST}, "'settings' as a dict"),
        ({"kind": "start_maps", "request": REQUEST, "settings": {"window": 48}}, "[rows, columns]"),
        ({"kind": "maps", "run": "1"}, "an integer"),
        ({"kind": "images", "start": 0, "count": 3, "size": 48, "query": 7}, "'query' as a string"),
        ({"kind": "projections", "request": REQUEST}, "'size' as an integer"),
        ({"kind": "file", "figure": "figure.png", "request": REQUEST}, "'state' as a dict"),
        ({"kind": "upload", "step": "begin", "name": "a.png", "size": 9_000_000}, "save it smaller"),
        ({"kind": "upload", "step": "chunk", "upload": "u", "offset": 0}, "one buffer"),
        ({"kind": "upload", "step": "jump", "upload": "u"}, "no step 'jump'"),
    ],
)
def test_invalid_requests_return_an_error(explorer, sent, request_, message):
    content, buffers = send_request(explorer, sent, **request_)
    assert content["ok"] is False
    assert message in content["error"]
    assert not buffers
    assert send_request(explorer, sent, "hello")[0]["ok"] is True


# The chart


def test_chart_of_each_map(api, explorer):
    explorer.state = {"window": [32, 24], "stride": [16, 10]}
    maps = explorer.maps
    figure = map_chart(maps, "probability", {})
    (trace,) = figure.data
    np.testing.assert_array_equal(np.asarray(trace.z), maps.probability)
    assert (list(trace.x), list(trace.y)) == ([12.0, 22.0, 32.0, 42.0, 52.0], [16.0, 32.0, 48.0])
    assert trace.zmin <= maps.probability.min()
    assert trace.zmax >= max(maps.probability.max(), maps.unoccluded.probability)
    assert tuple(figure.layout.yaxis.range) == (56.0, 8.0)  # row 0 above
    assert maps.name(maps.target) in figure.layout.title.text
    colours = api.colours(maps)
    figure = map_chart(maps, "label", colours)
    (trace,) = figure.data
    indices = np.asarray(trace.z, float)
    assert trace.showscale is False
    names = [maps.name(label) for label in colours]
    assert [[names[int(index)] for index in row] for row in indices] == [[maps.name(int(label)) for label in row] for row in maps.label]
    assert names[0] == maps.name(max(set(maps.label.ravel().tolist()), key=maps.label.ravel().tolist().count)), (
        "classes are sorted by frequency"
    )
    legend = figure.layout.title.text
    assert all(f'{colour}">\u25a0</span> {maps.name(label)}' in legend for label, colour in colours.items())
    shown = {name: trace.colorscale[2 * index][1] for index, name in enumerate(names)}
    assert shown == {maps.name(label): colour for label, colour in colours.items()}, "each class has the colour that the API returns"
    assert names[int(indices[1, 1])] in trace.customdata[1][1]
    figure = map_chart(maps, "activity", colours)
    (trace,) = figure.data
    np.testing.assert_array_equal(np.asarray(trace.z), maps.activity)
    assert (trace.showscale, trace.customdata) == (True, None)
    assert names[0] not in figure.layout.title.text


def test_chart_of_partial_maps_and_without_classes(service, api, explorer):
    api.complete_at_once = False
    run = api.start_maps(api.scene(explorer._request()).request, MapsSettings((32, 32), (16, 16)))
    api.advance(run, 1)
    for name in ("probability", "label", "activity"):
        (trace,) = map_chart(api.maps(run), name, api.colours(api.maps(run))).data
        assert np.isfinite(np.asarray(trace.z, float)).sum() == 1, name
    service.classifier = None
    figure = map_chart(explorer.maps, "label", {})
    assert np.isfinite(np.asarray(figure.data[0].z, float)).all()
    assert "activity" in figure.layout.title.text


def test_plotly_and_the_chart_of_a_run_are_sent(api, explorer, sent):
    api.complete_at_once = False
    scene = send_request(explorer, sent, "scene", request=REQUEST)[0]["scene"]
    run = send_request(explorer, sent, "start_maps", request=scene["request"], settings=SETTINGS)[0]["run"]
    assert "no position" in send_request(explorer, sent, "chart", run=run, map="probability")[0]["error"]
    api.advance(run, 2)
    content, (data,) = send_request(explorer, sent, "chart", run=run, map="probability")
    assert content["ok"]
    figure = json.loads(data)
    assert figure["data"][0]["type"] == "heatmap"
    assert figure["layout"]["uirevision"] == f"{run} probability"
    assert (
        "There is no map 'size': choose probability, value, activity or label."
        in send_request(explorer, sent, "chart", run=run, map="size")[0]["error"]
    )
    content, (source,) = send_request(explorer, sent, "plotly")
    assert content["ok"]
    assert len(source) > 10**6
    assert b"plotly.js" in source[:200]


# The static image


def test_static_image_is_cached_until_the_state_changes(api, explorer, monkeypatch):
    explorer.state = {"unit": 3, "target": "lamp"}
    drawn = []
    monkeypatch.setattr(api, "file", lambda kind, request, run, state: drawn.append((kind, request, run)) or b"png %d" % len(drawn))
    static_image = lambda: base64.b64decode(explorer._repr_mimebundle_()[0]["image/png"])  # noqa: E731
    assert (static_image(), static_image()) == (b"png 1", b"png 1")
    assert drawn[0][2] is None, "no map is computed for the image"
    maps = explorer.maps
    assert (static_image(), static_image()) == (b"png 2", b"png 2")
    assert api.runs[drawn[1][2]].maps is maps
    explorer.state = {"patches": []}
    assert static_image() == b"png 3"
    assert drawn[2][2] == drawn[1][2]
    explorer.state = {"image": "crop:5"}
    assert static_image() == b"png 4"
    assert drawn[3][2] is None, "there are no maps of this image"
    data = explorer._repr_mimebundle_()[0]
    assert data["text/plain"] == "OcclusionExplorer(fakenet, crop:5, 3, lamp)"
    assert "application/vnd.jupyter.widget-view+json" in data
