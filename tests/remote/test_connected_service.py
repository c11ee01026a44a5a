"""A service elsewhere answers as one in this process does: every method of every instrument, with the same values, errors and words."""

from __future__ import annotations

import gc
import inspect
import io
import pkgutil
import sys
import threading
import time
from dataclasses import fields, is_dataclass
from importlib import import_module

import numpy as np
import pytest
from PIL import Image

import deconvwidgets as dw
import deconvwidgets.instruments
from deconvwidgets import errors
from deconvwidgets.errors import DeconvWidgetsError, HeadError, LayerError, PictureError, ServiceError
from deconvwidgets.instruments.contributions.records import ContributionsRequest
from deconvwidgets.instruments.diagnosis.panel_records import ShiftRequest
from deconvwidgets.instruments.diagnosis.records import SuggestedSurgery
from deconvwidgets.instruments.evaluation.settings import EvaluationSettings, PhotographsRequest
from deconvwidgets.instruments.invariance.records import InvarianceRequest
from deconvwidgets.instruments.layers.records import EnlargeRequest, PlacePicturesRequest
from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionRequest
from deconvwidgets.instruments.transfer.records import TestsRequest as TestsOf
from deconvwidgets.instruments.transfer.records import TransferSettings
from deconvwidgets.records.mosaics import MosaicRequest
from deconvwidgets.remote.event_queue import EventQueue
from deconvwidgets.remote.session_server import SessionServer
from deconvwidgets.service.protocol import ModelService, ServiceEvent
from tests.conftest import random_head
from tests.remote.direct_link import DirectLink, connect_to


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path, photographs_folder):
    """A cache with nothing but the default photographs."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "photographs").symlink_to(photographs_folder)
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def server(tiny_bundle, tiny_images):
    service = dw.LocalModelService(tiny_bundle, tiny_images, device="cpu").wait(60)
    running = SessionServer(service, "lecture-hall", idle_seconds=60)
    yield running
    running.shut_down()


def protocols():
    """The service protocol of every instrument of a model service, found by reflection: (name of the attribute, protocol)."""
    for module in pkgutil.iter_modules(deconvwidgets.instruments.__path__):
        found = vars(import_module(f"deconvwidgets.instruments.{module.name}.service.protocol"))
        supports = found.get(f"Supports{module.name.capitalize()}")
        if supports is None:  # an instrument with a service of its own, which is not served
            continue
        (attribute,) = {name for name in vars(supports) if isinstance(vars(supports)[name], property)} - set(dir(ModelService))
        yield attribute, found[vars(supports)[attribute].fget.__annotations__["return"]]


def methods_of(protocol):
    return {name for name, value in vars(protocol).items() if inspect.isfunction(value) and not name.startswith("_")}


PROTOCOLS = dict(protocols())
FIRST, CONV2 = OcclusionRequest("crop:0", "conv2", 3), ContributionsRequest("crop:0", "conv2")
MAPS, STATE = MapsSettings((8, 8), (8, 8)), {"layer": "conv2", "unit": 3}
TRAIN, EVALUATE = TransferSettings("images", "conv2", images_per_class=2, folds=1), EvaluationSettings("images")
AVERAGE = SuggestedSurgery("average pooling", "swap_pooling", {"to": "average"})
# Calls of each method, in this order: with arguments that are answered, and ones that are refused. A new method of a protocol needs one.
CALLS = {
    "layers": [
        ("open", ["conv2"], ["conv9"]),
        ("all_layers", []),
        ("unit_table", ["conv2"], ["conv9"]),
        ("top_activations", ["conv2", 3], ["conv2", 99]),
        ("mosaics", [MosaicRequest("conv2", 3)], [MosaicRequest("conv2", 3, tile=9999)], ["conv2"]),
        ("unit_detail", ["conv2", 3], ["conv2", 3.5]),
        ("source", ["conv2", 3, 0], ["conv2", 3, 77]),
        ("on_crop", ["conv2", 3, 5, 48], ["conv2", 3, 9999]),
        ("enlarged", [EnlargeRequest("conv2", 3, 0)], [EnlargeRequest("conv2", 3, 77)]),
        ("unit_columns", ["conv2"], ["conv9"]),
        ("matching_units", ["conv2", "max > 0"], ["conv2", "colour > 0"]),
        ("places", ["conv2", 3, "strongest"], ["conv2", 3, "weakest"]),
        ("place_pictures", [PlacePicturesRequest("conv2", 3, "strongest", (0, 1))], [PlacePicturesRequest("conv2", 99, "strongest", (0,))]),
        ("place_source", ["conv2", 3, "strongest", 0], ["conv2", 3, "strongest", 9999]),
        ("unit_map", ["conv2", "pca"], ["conv9"]),
        ("index_state", []),
        ("cancel_index", []),
        ("resume_index", []),
        ("figure", ["layer.svg", STATE], ["layer.doc", STATE]),
    ],
    "occlusion": [
        ("choices", []),
        ("images", [0, 5], [0, 5000]),
        ("scene", [FIRST], [OcclusionRequest("crop:999")]),
        ("answer", [FIRST, [(0, 0, 8, 8)]], [FIRST, [(0, 0, 8)]]),
        ("unit_maps", [FIRST, [0, 1]], [FIRST, [77]]),
        ("start_maps", [FIRST, MAPS], [FIRST, MapsSettings((800, 800))]),
        ("wait", [1], [77]),
        ("maps", [1], [77]),
        ("colours", ["the maps of run 1"]),
        ("projections", [FIRST], [FIRST, 9999]),
        ("file", ["maps.npz", FIRST, 1, {}], ["maps.doc", FIRST, 1, {}]),
        ("stop_maps", [1], [77]),
        ("use_bundled_head", []),
        ("begin_upload", ["dog.png", 70], ["dog.png", 0]),
        ("add_chunk", ["an upload", 0, b"x" * 70]),
        ("finish_upload", ["an upload"]),
        ("cancel_upload", ["an upload"]),
    ],
    "transfer": [
        ("status", []),
        ("data", [TRAIN], [TransferSettings("/nowhere")]),
        ("start", [TRAIN], [TransferSettings("images", "conv9")]),
        ("wait", [1], [77]),
        ("steps", [1], [77]),
        ("results", [1], [77]),
        ("photographs", [1, TestsOf()], [77, TestsOf()]),
        ("thumbnails", [1, [0, 1]], [1, [999]]),
        ("photograph", [1, 0], [1, 999]),
        ("use_head", [1], [77]),
        ("undo_head", [], []),
        ("solve_again", ["conv2 1", 1], ["conv9 1", 1]),
        ("wait", [2]),
        ("muting", [2], [1]),
        ("save_head", [1, "{folder}/mine"], [77, "{folder}/mine"], [1, "{folder}"], [1, "{folder}/nowhere/mine"], [1, ""]),
        ("load_head", ["{folder}/mine.safetensors"], ["{folder}/nowhere.safetensors"], ["caltech101"]),
        ("file", [1, "classes.csv"], [1, "classes.doc"]),
        ("stop", []),
        ("begin_upload", ["pets.zip", 70], ["pets.rar", 70]),
        ("add_chunk", ["an upload", 0, b"x"]),
        ("finish_upload", ["an upload"]),
        ("cancel_upload", ["an upload"]),
    ],
    "invariance": [
        ("choices", []),
        ("view", [InvarianceRequest("crop:3", "rotate", 30, ("conv1",))], [InvarianceRequest("crop:999", "rotate", 30)]),
        ("unit_pictures", [InvarianceRequest("crop:3", "rotate", 30), [0, 3]], [InvarianceRequest("crop:3", "rotate", 30), [99]]),
        ("curves", [["crop:3"], "blur", ["conv1"]], [["crop:3"], "shear", ["conv1"]]),
        ("known", [["crop:3"], "blur", ["conv1"]], [["crop:3"], "blur", ["conv9"]]),
        ("view_picture", [InvarianceRequest("crop:3", "rotate", 30)], [InvarianceRequest("crop:3", "shear", 30)]),
        ("file", ["csv", ["crop:3"], "blur", ["conv1"]], ["doc", ["crop:3"], "blur", ["conv1"]]),
    ],
    "contributions": [
        ("classes", []),
        ("contributions", [CONV2], [ContributionsRequest("crop:999")]),
        ("deletion", [CONV2]),
        ("class_contributions", ["conv2", 1], ["conv9", 1]),
        ("unit_classes", ["conv2", 1], ["conv2", 99]),
        ("feeders", ["conv2", 3], ["conv2", 99]),
        ("tree", ["conv2", [3]], ["conv2", []]),
        ("class_tree", [CONV2]),
        ("label_of", ["crop:3"], ["dog"]),
        ("file", ["contributions.csv", CONV2], ["x.doc", CONV2]),
        ("tree_file", ["tree.svg", "conv2", 3], ["contributions.csv", "conv2", 3]),
        ("cancel", []),
    ],
    "evaluation": [
        ("status", []),
        ("add_images", ["photo-crops"], ["/nowhere"]),
        ("data", [EVALUATE], [EvaluationSettings("/nowhere")]),
        ("classes", ["ant"], [3]),
        ("start", [EvaluationSettings("images", mapping={"cat": "ant", "dog": "bee", "kite": "cow"})], [EvaluationSettings("images:9")]),
        ("wait", [1], [77]),
        ("results", [1], [77]),
        ("photographs", [1, PhotographsRequest()], [77, PhotographsRequest()]),
        ("thumbnails", [1, [0, 1]], [1, [999]]),
        ("photograph", [1, 0], [1, 999]),
        ("compare", [1], [77]),
        ("file", [1, "classes.csv"], [1, "x.doc"]),
        ("stop", []),
    ],
    "diagnosis": [
        ("status", []),
        ("start", []),
        ("wait", [], ["soon"]),
        ("wait_for_arm", [0], [77]),
        ("diagnosis", []),
        ("filters", [16], [4]),
        ("spectrum", [1], [99]),
        ("photograph", ["crop:4"], ["crop:999"]),
        ("neighbour", ["crop:4", -1], ["crop:999"]),
        ("shifted", [ShiftRequest("crop:4", 2, -1)], [ShiftRequest("crop:4", 99)]),
        ("add_arm", [AVERAGE], [SuggestedSurgery("x", "system")]),
        ("wait_for_arm", [1]),
        ("remove_arm", [1], [77]),
        ("file", ["curves.csv"], ["x.doc"]),
        ("stop", []),
    ],
}

# Those whose first call is refused in a session of the tiny network: it has no such upload, and no head of the package fits it.
REFUSED = {
    "occlusion.use_bundled_head", "occlusion.add_chunk", "occlusion.finish_upload", "transfer.add_chunk", "transfer.finish_upload",
    "evaluation.compare", "layers.cancel_index",
}  # fmt: skip


def outcome(service, instrument, method, arguments):
    """What a call returns, or the class and the words of its error."""
    try:
        return getattr(getattr(service, instrument), method)(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
        return type(error), str(error)


def assert_alike(one, other, where, ignored=("seconds", "rate", "features", "progress", "version")):
    """Compare two answers: their types, and every value in them but durations.

    The two sessions compute apart, in batches whose size follows from the time that the last one took, and a kernel's last bits may
    depend on the size of its batch: floats may differ by less than what a connection could change (float16 has steps of 5e-4).
    """
    assert type(one) is type(other), (where, one, other)
    if is_dataclass(one) and not isinstance(one, type):
        for field in fields(one):
            if field.name not in ignored:
                assert_alike(getattr(one, field.name), getattr(other, field.name), f"{where}.{field.name}")
    elif isinstance(one, np.ndarray) and one.dtype.kind != "f":
        np.testing.assert_array_equal(one, other, err_msg=where, strict=True)
    elif isinstance(one, np.ndarray | np.floating | float):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6, err_msg=where, strict=True)
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), (where, one, other)
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_alike(*pair, f"{where}[{number}]")
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_alike(one[key], other[key], f"{where}[{key!r}]")
    elif not isinstance(one, bytes):  # files have the time in them
        np.testing.assert_equal(one, other, err_msg=where)


def test_every_method_of_every_protocol_is_called_below():
    assert {name: methods_of(protocol) for name, protocol in PROTOCOLS.items()} == {
        name: {call[0] for call in calls} for name, calls in CALLS.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("instrument", CALLS)
def test_every_method_answers_as_in_this_process(server, instrument, tmp_path):
    local, connected = server._service.new_session("lecture-hall"), connect_to(server)
    for method, *calls in CALLS[instrument]:
        for number, arguments in enumerate(calls):
            found = []
            for service in (local, connected):
                given = [one.replace("{folder}", str(tmp_path)) if isinstance(one, str) else one for one in arguments]
                if given == ["the maps of run 1"]:
                    given = [service.occlusion.maps(1)]
                if instrument == "contributions":
                    wait_for_answer(service, method, given)
                found.append(outcome(service, instrument, method, given))
                if method == "save_head" and number == 0:
                    (tmp_path / "mine.safetensors").rename(tmp_path / "other.safetensors")
            if method == "save_head" and number == 0:
                (tmp_path / "other.safetensors").rename(tmp_path / "mine.safetensors")
            if not method.endswith("upload"):  # their ids are random
                assert_alike(*found, f"{instrument}.{method}[{number}]")
            else:
                assert type(found[0]) is type(found[1])
            refused = isinstance(found[0], tuple) and len(found[0]) == 2 and isinstance(found[0][0], type)
            assert not refused or issubclass(found[0][0], DeconvWidgetsError), found
            assert number or not refused or f"{instrument}.{method}" in REFUSED, found
    connected.close()
    local.close()


def wait_for_answer(service, method, arguments):
    """Let the worker compute what a request about contributions asks for."""
    if "timeout" in inspect.signature(getattr(service.contributions, method)).parameters:
        try:
            getattr(service.contributions, method)(*arguments, timeout=60.0)
        except DeconvWidgetsError:
            return


def test_an_upload_crosses_in_chunks(server):
    service, data = connect_to(server), io.BytesIO()
    Image.new("RGB", (40, 30), (200, 30, 30)).save(data, "PNG")
    upload = service.occlusion.begin_upload("red.png", len(data.getvalue()))
    service.occlusion.add_chunk(upload, 0, memoryview(data.getvalue()))
    image = service.occlusion.finish_upload(upload)
    assert service.occlusion.scene(OcclusionRequest(image)).request.image == image
    with pytest.raises(PictureError, match="is not kept any more"):
        connect_to(server).occlusion.scene(OcclusionRequest(image))  # it is another student's


def test_files_are_those_of_the_notebook(server, tiny_bundle, tmp_path):
    service, folder = connect_to(server), tmp_path / "notebook"
    folder.mkdir()
    path = dw.save_head(random_head(tiny_bundle, "conv2", classes=7), folder / "seven")
    service.set_head(path)
    assert len(service.occlusion.choices().classes) == 7
    service.set_units({("conv1", 1): 0.0})
    saved = service.save_units(folder / "units")
    assert saved == folder / "units.json"
    service.reset_units()
    service.set_units(str(saved))
    assert service.units == {("1", 1): 0.0}
    with pytest.raises(LayerError, match=f"There is no file of units {folder}/none.json"):
        service.set_units(folder / "none.json")
    (folder / "text.safetensors").write_text("not a head")
    with pytest.raises(HeadError, match=f"{folder}/text.safetensors"):
        service.set_head(folder / "text.safetensors")
    assert sorted(one.name for one in folder.iterdir()) == ["seven.safetensors", "text.safetensors", "units.json"]


@pytest.mark.parametrize(
    ("value", "words"),
    [(print, "is a function"), (io.BytesIO(), "is an open file or stream"), (object(), "is a object of this notebook")],
)
def test_what_cannot_cross_is_refused_by_name(server, value, words):
    with pytest.raises(ServiceError, match=f"images of evaluation.add_images {words}"):
        connect_to(server).evaluation.add_images(value)


def test_a_relative_path_of_images_is_refused_and_a_missing_one_names_the_machine(server):
    service = connect_to(server)
    with pytest.raises(PictureError, match="lecture-hall: give an absolute path there instead of 'mine'"):
        service.transfer.data(TransferSettings("mine"))
    with pytest.raises(PictureError, match="lecture-hall, the machine of the model service"):
        service.evaluation.add_images("/nowhere")


def test_a_wrong_call_is_a_type_error_that_names_the_method(server):
    with pytest.raises(TypeError, match=r"layers.unit_table\(\) missing a required argument: 'layer'"):
        connect_to(server).layers.unit_table()


def test_an_unexpected_failure_says_where_its_traceback_is(server, monkeypatch, caplog):
    class StrangeError(Exception):
        pass

    def fail(self):
        raise StrangeError("boom")

    service = connect_to(server)
    monkeypatch.setattr(type(server._service.layers), "all_layers", fail)
    with pytest.raises(ServiceError, match=r"unexpected StrangeError: boom\. The log of the service has the traceback"):
        service.layers.all_layers()
    assert "boom" in caplog.text


def test_every_error_of_ours_arrives_as_itself(server, monkeypatch):
    service = connect_to(server)
    ours = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DeconvWidgetsError)]
    assert len(ours) > 10
    for kind in ours:
        monkeypatch.setattr(type(server._service.layers), "all_layers", lambda self, kind=kind: (_ for _ in ()).throw(kind("words")))
        with pytest.raises(kind, match="words") as caught:
            service.layers.all_layers()
        assert type(caught.value) is kind


def test_events_arrive_at_bound_methods_in_order_and_the_thread_ends_with_the_service(server):
    class Listener:
        heard: tuple = ()

        def hear(self, event):
            self.heard = (*self.heard, event.kind)

    service, listener = connect_to(server), Listener()
    service.subscribe(listener.hear, {"changed", "failed"})
    thread = service._thread
    service.set_units({("conv1", 1): 0.0})
    end = time.monotonic() + 60
    while listener.heard != ("changed",):
        assert time.monotonic() < end
        time.sleep(0.01)
    del service
    gc.collect()
    thread.join(60)
    assert not thread.is_alive()
    assert server.sessions == 0
    assert listener.heard == ("changed",)


def test_closing_is_no_failure(server):
    service, heard = connect_to(server), []
    service.subscribe(lambda event: heard.append(event.kind), {"failed"})
    thread = service._thread
    service.close()
    thread.join(60)
    assert not thread.is_alive()
    assert heard == []


def test_the_queue_keeps_the_newest_of_a_kind_and_every_failure():
    queue = EventQueue()
    for number in range(5):
        queue.put(ServiceEvent("transfer"))
        queue.put(ServiceEvent("failed", message=f"{number}"))
    kinds = [(event.kind, event.message) for _, event in queue.take(0, 0)]
    assert kinds == [*[("failed", f"{number}") for number in range(4)], ("transfer", ""), ("failed", "4")]
    last = queue.take(0, 0)[-1][0]
    started = time.monotonic()
    assert queue.take(last, 0.1) == []
    assert time.monotonic() - started >= 0.1
    for number in range(2000):
        queue.put(ServiceEvent("failed", message=f"{number}"))
    assert len(queue.take(last, 0)) == 256


def test_an_idle_session_ends_and_the_notebook_is_told(tiny_bundle, tiny_images):
    service = dw.LocalModelService(tiny_bundle, tiny_images, device="cpu").wait(60)
    server = SessionServer(service, "lecture-hall", idle_seconds=1.0)
    link = DirectLink(server)  # without a thread that fetches events
    busy = DirectLink(server)
    stop = threading.Event()
    polling = threading.Thread(target=lambda: [busy.events(0) for _ in iter(stop.is_set, True)])
    polling.start()
    end = time.monotonic() + 60
    while server.sessions > 1:
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(1.2)
    assert server.sessions == 1
    with pytest.raises(ServiceError, match="nothing was heard of the notebook"):
        link.events(0)
    stop.set()
    polling.join(60)
    server.shut_down()


def test_another_version_and_too_many_sessions_are_refused(tiny_bundle, tiny_images):
    service = dw.LocalModelService(tiny_bundle, tiny_images, device="cpu").wait(60)
    server = SessionServer(service, "lecture-hall", max_sessions=1)
    with pytest.raises(ServiceError, match="install the same version on both machines"):
        server.open("0.0.7")
    DirectLink(server)
    with pytest.raises(ServiceError, match="has 1 sessions already"):
        DirectLink(server)
    server.shut_down()


@pytest.mark.parametrize("use", [lambda: dw.connect("auto"), lambda: dw.serve("alexnet")])
def test_without_ray_the_command_that_installs_it_is_said(use, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ServiceError, match=r'pip install "deconvwidgets\[ray\]"'):
        use()


def test_an_address_that_nobody_listens_at_is_refused_at_once():
    pytest.importorskip("ray")
    started = time.monotonic()
    with pytest.raises(ServiceError, match=r"No Ray cluster answers at 'ray://127.0.0.1:1' .*refused.* the token"):
        dw.connect("ray://127.0.0.1:1")
    assert time.monotonic() - started < 30, "Ray itself tries for minutes"


def test_widgets_are_made_from_it(server):
    service = connect_to(server)
    explorer, panel = dw.LayerExplorer(service, layer="conv2"), dw.TransferPanel(service)
    assert explorer.state["layer"] == "conv2"
    assert dw.OcclusionExplorer(service).summary is not None
    assert panel.state
    for widget in (explorer, panel):
        widget.close()
