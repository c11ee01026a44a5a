"""The LayerExplorer's Python side: state, messages, events, exports and the static image."""

from __future__ import annotations

import base64
import json

import comm
import numpy as np
import pytest

from deconvwidgets.errors import LayerError, RuleError, ServiceError
from deconvwidgets.instruments.layers.widget.explorer import LayerExplorer
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.protocol import ModelService
from tests.instruments.contributions.widget.fake_api import FakeContributionsApi
from tests.widgets.requests import send_request, sent, wait_until

__all__ = ["sent"]  # pytest finds fixtures by name


def test_the_fake_is_a_model_service(service):
    assert isinstance(service, ModelService)


def test_initial_state_is_the_strongest_unit_of_the_first_layer(service):
    explorer = LayerExplorer(service)
    assert explorer.state["layer"] == "conv1"
    assert explorer.state["unit"] == int(np.argmax(service.unit_table("conv1").maximum))
    assert explorer.state["rule"] == "deconvnet"
    assert explorer.state["view"] == "both"


def test_selected_units_are_a_trait_and_a_part_of_the_state(service):
    explorer, seen = LayerExplorer(service, layer="conv2"), []
    explorer.observe(lambda change: seen.append(change.new), "selected_units")
    explorer.state = {"selected_units": [9, 4, 4]}  # as the page does
    assert explorer.selected_units == explorer.state["selected_units"] == [4, 9]
    explorer.selected_units = [30, 2]
    assert explorer.selected_units == explorer.state["selected_units"] == [2, 30]
    with pytest.raises(LayerError, match="no unit 60"):
        explorer.selected_units = [60]
    assert explorer.selected_units == [2, 30]
    explorer.state = {"layer": "conv1"}
    assert explorer.selected_units == []
    assert explorer.state["selected_units"] is None
    assert seen == [[4, 9], [2, 30], []]


def test_layers_are_named_by_alias_or_dotted_name(service):
    assert LayerExplorer(service, "features.3").state["layer"] == "conv2"
    assert LayerExplorer(service, layer="odd.layer").state["layer"] == "odd.layer"


def test_state_can_be_saved_and_restored(service):
    first = LayerExplorer(service, layer="conv2")
    first.state = {"unit": 41, "rank": 5, "rule": "gradient", "filter": "bee", "pinned": [{"layer": "features.0", "unit": 2}]}
    saved = json.loads(json.dumps(first.state))
    assert LayerExplorer(service, state=saved).state == first.state
    assert first.state["pinned"] == [{"model": "fakenet", "layer": "conv1", "unit": 2}]
    assert first.state["layer"] == "conv2"


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        ({"layer": "conv9"}, LayerError, "conv1, conv2, odd.layer"),
        ({"layer": "conv2", "unit": 60}, LayerError, "60 units, 0 to 59"),
        ({"unit": -1}, LayerError, "no unit -1"),
        ({"unit": "7"}, ServiceError, "unit must be an integer"),
        ({"unit": True}, ServiceError, "unit must be an integer"),
        ({"rank": 9}, ServiceError, "no rank 9"),
        ({"rule": "grad"}, ServiceError, "deconvnet, gradient, guided or extended"),
        ({"contrast": "none"}, ServiceError, "tile or shared"),
        ({"view": None}, ServiceError, "both, projections or patches"),
        ({"sort": "random"}, ServiceError, "strongest"),
        ({"filter": 3}, ServiceError, "class name"),
        ({"tile_size": "XL"}, ServiceError, "small, medium or large"),
        ({"pinned": 5}, ServiceError, "Pinned units are written"),
        ({"pinned": [{"layer": "conv1"}]}, ServiceError, "Pinned units are written"),
        ({"pinned": [{"layer": "conv1", "unit": 24}]}, LayerError, "no unit 24"),
        ({"pinned": [{"layer": "conv9", "unit": 2}]}, LayerError, "no layer 'conv9'"),
        ({"pinned": [{"model": "fakenet", "layer": "conv1", "unit": 24}]}, LayerError, "no unit 24"),
        ({"pinned": [{"model": "vgg16", "layer": "conv1", "unit": -1}]}, LayerError, "vgg16"),
        ({"pinned": [{"layer": "conv2", "unit": unit} for unit in range(7)]}, ServiceError, "At most 6"),
        ({"bookmarks": "conv1"}, ServiceError, "Bookmarks are a list"),
        ({"bookmarks": [["conv1"]]}, ServiceError, "A bookmark is written"),
        ({"bookmarks": [["conv9", 1]]}, LayerError, "conv1, conv2, odd.layer"),
        ({"bookmarks": [["conv1", 24]]}, LayerError, "no unit 24 to bookmark"),
        ({"bookmarks": [["conv1", True]]}, LayerError, "unit of a bookmark"),
        ({"bookmarks": [["conv2", unit % 60] for unit in range(101)]}, ServiceError, "101 bookmarks"),
        ({"units": 5}, ServiceError, "'units'"),
        ({"tab": "weakest"}, ServiceError, "strongest, range or negative"),
        ({"display": "list"}, ServiceError, "grid or map"),
        ({"where": 5}, ServiceError, "'selectivity > 5'"),
        ({"more": 1}, ServiceError, "True or False"),
        ({"selected_units": 5}, ServiceError, "a list such as"),
        ({"selected_units": [24]}, LayerError, "no unit 24"),
    ],
)
def test_invalid_state_is_rejected_and_changes_nothing(service, state, error, message):
    explorer = LayerExplorer(service)
    before = explorer.state
    with pytest.raises(error, match=message):
        explorer.state = state
    assert explorer.state == before


def test_states_with_one_pinned_unit_or_none_are_accepted(service):
    """States that were saved before several units could be pinned."""
    explorer = LayerExplorer(service, state={"pinned": {"layer": "conv2", "unit": 5}})
    assert explorer.state["pinned"] == [{"model": "fakenet", "layer": "conv2", "unit": 5}]
    explorer.state = {"pinned": None}
    assert explorer.state["pinned"] == []
    assert explorer.state["tile_size"] == "medium"


def test_pins_of_another_model_are_kept(service):
    explorer = LayerExplorer(service, state={"pinned": [{"model": "vgg16", "layer": "conv13", "unit": 500}]})
    explorer.state = {"pinned": [*explorer.state["pinned"], {"layer": "conv2", "unit": 5}, {"layer": "features.3", "unit": 5}]}
    assert [(pin["model"], pin["layer"], pin["unit"]) for pin in explorer.state["pinned"]] == [
        ("vgg16", "conv13", 500),
        ("fakenet", "conv2", 5),
    ]


def test_bookmarks_are_kept_once_with_the_short_names_of_their_layers(service):
    explorer = LayerExplorer(service, state={"bookmarks": [["features.3", 5], ("conv1", 2), ["conv2", 5]]})
    assert explorer.state["bookmarks"] == [["conv2", 5], ["conv1", 2]]
    assert LayerExplorer(service, state=json.loads(json.dumps(explorer.state))).state == explorer.state


def test_numpy_integers_are_units(service):
    explorer = LayerExplorer(service)
    explorer.state = {"unit": np.int64(4)}
    assert json.dumps(explorer.state["unit"]) == "4"


def test_unit_is_reset_when_the_layer_has_fewer_units(service):
    explorer = LayerExplorer(service, state={"layer": "conv2", "unit": 50})
    explorer.state = {**explorer.state, "layer": "conv1"}
    assert explorer.state["unit"] == int(np.argmax(service.unit_table("conv1").maximum))
    explorer.state = {**explorer.state, "layer": "conv2", "unit": 50, "rank": 3}
    explorer.state = {"unit": 51}
    assert explorer.state["rank"] == 0, "another unit starts with its strongest activation"


def test_hello_returns_the_overview(service, sent):
    content, _ = send_request(LayerExplorer(service), sent, "hello")
    overview = content["overview"]
    assert overview["model"] == "fakenet"
    assert overview["trained"] is False
    assert [layer["id"] for layer in overview["layers"]] == ["conv1", "conv2", "odd.layer"]
    assert overview["layers"][0] == {
        "id": "conv1",
        "name": "features.0",
        "names": ["features.0"],
        "convolution": None,
        "kind": "ReLU",
        "channels": 24,
        "height": 55,
        "width": 55,
        "receptive_field": [11, 11],
        "dead": 1,
        "changed": False,
    }
    assert overview["skipped"] == [{"name": "broken.jpg", "reason": "it is truncated"}]


def test_unit_table_is_sent_as_little_endian_columns(service, sent):
    content, (numbers, labels, _) = send_request(LayerExplorer(service), sent, "unit_table", layer="conv2")
    table = service.unit_table("conv2")
    columns = np.frombuffer(numbers, "<f4").reshape(len(content["columns"]), content["units"])
    for name, column in zip(content["columns"], columns, strict=True):
        np.testing.assert_array_equal(column, getattr(table, name))
    np.testing.assert_array_equal(np.frombuffer(labels, "<i4").reshape(content["units"], content["k"]), table.labels)
    assert content["categories"] == dict(enumerate(table.categories))


def test_mosaics_are_sent_as_encoded_images(service, sent):
    explorer = LayerExplorer(service)
    content, buffers = send_request(explorer, sent, "mosaics", layer="conv1", unit=5, rule="gradient", contrast="shared", tile=40)
    top = service.top_activations("conv1", 5, "gradient", "shared", 40)
    assert buffers == [top.projections.data, top.patches.data]
    assert [image["mime"] for image in content["images"]] == ["image/png"] * 2
    assert ("top_activations", ("conv1", 5, "gradient", "shared", 40)) in service.calls
    _, buffers = send_request(explorer, sent, "mosaics", layer="conv1", unit=5, tile=40, parts=["projections"])
    assert buffers == [service.top_activations("conv1", 5, tile=40).projections.data]


def test_patches_are_returned_without_computing_projections(service, sent):
    explorer = LayerExplorer(service)
    before = [kind for kind, _ in service.calls].count("top_activations")
    content, buffers = send_request(explorer, sent, "mosaics", layer="conv1", unit=5, tile=40, parts=["patches"])
    assert len(buffers) == len(content["images"]) == 1
    assert [kind for kind, _ in service.calls].count("top_activations") == before
    assert ("patches", ("conv1", 5, 40)) in service.calls


def test_background_requests_do_not_delay_other_requests(service, sent):
    explorer = LayerExplorer(service)
    service.background.clear()
    sent.clear()
    request = {"seq": 3, "client": "v", "kind": "mosaics", "layer": "conv1", "unit": 5, "tile": 40}
    explorer._handle_custom_msg({**request, "background": True}, [])
    assert send_request(explorer, sent, "unit_detail", layer="conv1", unit=5)[0]["ok"], "other requests do not wait for it"
    assert len(sent) == 1
    service.background.set()
    wait_until(lambda: len(sent) == 2)
    content, buffers = sent[-1]
    assert (content["seq"], content["client"], content["ok"]) == (3, "v", True)
    assert buffers[0] == service.top_activations("conv1", 5, tile=40).projections.data


@pytest.mark.parametrize("request_", [{"unit": 99}, {"unit": "x"}, {"unit": 5, "parts": "projections"}])
def test_errors_of_background_requests_are_returned(service, sent, request_):
    explorer = LayerExplorer(service)
    content, _ = send_request(explorer, sent, "mosaics", **{"layer": "conv1", "tile": 40, "background": True, **request_})
    assert content["ok"] is False


def test_rule_errors_are_marked_as_refused(service, sent):
    explorer = LayerExplorer(service)
    content, _ = send_request(explorer, sent, "mosaics", layer="conv2", unit=5, tile=40, rule="guided")
    assert content["refused"] is True
    content, _ = send_request(explorer, sent, "mosaics", layer="conv2", unit=500, tile=40)
    assert "refused" not in content


def test_static_image_uses_the_gradient_if_the_rule_is_refused(service, monkeypatch):
    drawn_rules = []

    def figure(kind, state):
        drawn_rules.append(state["rule"])
        if state["rule"] == "guided":
            raise RuleError("gelu has no backward rule")
        return b"\x89PNG"

    monkeypatch.setattr(service, "figure", figure)
    explorer = LayerExplorer(service, state={"layer": "conv2", "rule": "guided"})
    assert "image/png" in explorer._repr_mimebundle_()[0]
    assert drawn_rules == ["guided", "gradient"]
    with pytest.raises(RuleError):
        explorer.save("a.png")


def test_scroll_position_is_part_of_the_state(service):
    explorer = LayerExplorer(service, layer="conv2")
    assert explorer.state["scroll"] is None
    explorer.state = {"scroll": 41}
    assert LayerExplorer(service, state=explorer.state).state["scroll"] == 41
    explorer.state = {"unit": 3}
    assert explorer.state["scroll"] == 41
    with pytest.raises(LayerError, match="60 units"):
        explorer.state = {"scroll": 60}
    explorer.state = {**explorer.state, "layer": "conv1", "unit": 1}
    assert explorer.state["scroll"] is None, "another layer is scrolled to its selected unit"


def test_requests_are_handled_in_the_shell_that_receives_them(service):
    """ipykernel passes messages on to the shell that an attribute of the comm names; our comm does not have this attribute."""
    explorer = LayerExplorer(service)
    assert comm.get_comm_manager().get_comm(explorer.model_id) is explorer.comm
    assert not hasattr(explorer.comm, "_reply_subshell_for")
    model_id = explorer.model_id
    explorer.close()
    assert model_id not in comm.get_comm_manager().comms


def test_unit_source_and_figure(service, sent):
    explorer = LayerExplorer(service)
    content, _ = send_request(explorer, sent, "unit_detail", layer="conv1", unit=5)
    assert len(content["detail"]["entries"]) == 9
    assert content["detail"]["selectivity"] is None, "NaN is sent as null"
    content, buffers = send_request(explorer, sent, "source_image", layer="conv1", unit=5, rank=2, size=64)
    assert content["box"] == [0.2, -0.1, 0.5, 0.3]
    assert buffers[0][:2] == b"\xff\xd8"
    content, buffers = send_request(explorer, sent, "figure", figure="layer.svg", state={"layer": "conv1"})
    assert content["mime"] == "image/svg+xml"
    assert buffers == [b"<figure>layer.svg"]


def test_enlarged_activation_is_sent_as_images_and_a_float_map(service, sent):
    explorer = LayerExplorer(service)
    content, (patch, values, projection) = send_request(explorer, sent, "enlarged", layer="conv1", unit=5, rank=2, size=96)
    assert (content["map_shape"], content["extent"], content["value"]) == ([13, 11], [0, 0, 1, 1], 18)
    feature_map = np.frombuffer(values, "<f4").reshape(13, 11)
    assert np.unravel_index(feature_map.argmax(), feature_map.shape) == (1, 2)
    assert patch[:4] == projection[:4] == b"\x89PNG"
    content, buffers = send_request(explorer, sent, "enlarged", layer="conv2", unit=5, rank=0, size=96, rule="guided")
    assert "gelu" in content["rejection_reason"]
    assert len(buffers) == len(content["images"]) + 1 == 2, "the patch and the map are shown without a projection"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"kind": "enlarged", "layer": "conv1", "unit": 2, "rank": 0}, "'size' as an integer"),
        ({"kind": "dance"}, "no request 'dance'"),
        ({"kind": "unit_table"}, "'layer' as a string"),
        ({"kind": "unit_table", "layer": "conv9"}, "no layer 'conv9'"),
        ({"kind": "mosaics", "layer": "conv1", "unit": 2.5, "tile": 40}, "'unit' as an integer"),
        ({"kind": "mosaics", "layer": "conv2", "unit": 2, "tile": 40, "rule": "guided"}, "gelu"),
        ({"kind": "figure", "figure": "layer.png"}, "state"),
    ],
)
def test_invalid_requests_return_an_error(service, sent, request_, message):
    explorer = LayerExplorer(service)
    content, buffers = send_request(explorer, sent, **request_)
    assert content["ok"] is False
    assert message in content["error"]
    assert not buffers
    assert send_request(explorer, sent, "hello")[0]["ok"] is True


def test_progress_of_the_index_is_sent_to_the_views(building_service, sent):
    with LayerExplorer(building_service):
        sent.clear()
        building_service.publish("progress", Progress("index", 30, 120, 15.0))
    ((content, _),) = [(content, data) for content, data in sent if "event" in content]
    assert content == {
        "event": "progress",
        "progress": {"job": "index", "done": 30, "total": 120, "rate": 15.0, "message": ""},
        "message": "",
    }


def test_explorer_before_the_index_is_complete(building_service, sent):
    explorer = LayerExplorer(building_service, layer="conv2")
    assert explorer.state["unit"] is None
    assert repr(explorer) == "LayerExplorer(fakenet (random weights), conv2)"
    content, _ = send_request(explorer, sent, "hello")
    assert content["overview"]["index_ready"] is False
    assert "being built" in send_request(explorer, sent, "unit_table", layer="conv2")[0]["error"]
    assert "image/png" not in explorer._repr_mimebundle_()[0]
    building_service.finish()
    assert "image/png" in explorer._repr_mimebundle_()[0]


@pytest.mark.parametrize("suffix", ["png", "svg", "html"])
def test_save_by_suffix(service, tmp_path, suffix):
    explorer = LayerExplorer(service, layer="conv2")
    assert explorer.save(tmp_path / f"a.{suffix}") == tmp_path / f"a.{suffix}"
    assert service.calls[-1] == ("figure", (f"layer.{suffix}", explorer.state))
    explorer.save(str(tmp_path / f"b.{suffix.upper()}"), what="unit")
    assert service.calls[-1][1][0] == f"unit.{suffix}"
    assert (tmp_path / f"b.{suffix.upper()}").stat().st_size > 0


@pytest.mark.parametrize(
    ("what", "given", "message"),
    [
        ("unit", {"layers": ["conv1"]}, "layers is for the figure 'layers', not for 'unit'"),
        ("layer", {"layers": ["conv1"]}, "layers is for the figure 'layers'"),
        ("pinned", {"layers": ["conv1"]}, "layers is for the figure 'layers'"),
        ("unit", {"units": 3}, "shows the chosen unit.*units is for 'layer' and 'layers'"),
        ("pinned", {"units": [3]}, "shows the pinned units"),
        ("layers", {"layers": ["conv1"], "units": {"conv1": [3]}}, "units has the layers already"),
    ],
)
def test_arguments_that_a_figure_would_ignore_are_refused(service, tmp_path, what, given, message):
    with pytest.raises(ServiceError, match=message):
        LayerExplorer(service, layer="conv2").save(tmp_path / "a.png", what, **given)
    assert not list(tmp_path.iterdir())


def test_mimebundle_contains_the_view_a_static_image_and_text(service):
    explorer = LayerExplorer(service, state={"layer": "conv2", "unit": 7})
    data, _ = explorer._repr_mimebundle_()
    assert data["text/plain"] == "LayerExplorer(fakenet (random weights), conv2, unit 7)"
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id
    assert base64.b64decode(data["image/png"])[:4] == b"\x89PNG"


def count_figures(service):
    return sum(1 for kind, _ in service.calls if kind == "figure")


def test_static_image_is_cached_per_state_and_version(service):
    explorer = LayerExplorer(service)
    explorer._repr_mimebundle_()
    explorer._repr_mimebundle_()
    assert count_figures(service) == 1
    explorer.state = {"unit": 9}
    explorer._repr_mimebundle_()
    assert count_figures(service) == 2
    service.finish()
    explorer._repr_mimebundle_()
    assert count_figures(service) == 3


def test_the_class_that_units_are_sorted_by_must_exist(service, tmp_path):
    service.contributions = contributions = FakeContributionsApi(60, ("ant", "Bee"))
    with LayerExplorer(service, state={"sort": "contribution", "target": "bee"}) as explorer:
        assert explorer.state["target"] == "Bee", "as the model writes it"
        with pytest.raises(ServiceError, match=r"has no class 'zebra'\. The explorer lists them all"):
            explorer.state = {"target": "zebra"}
        contributions.names = ("cow",)  # of another head
        service.publish("changed")
        assert (explorer.state["target"], explorer.state["sort"]) == (None, "contribution")
        explorer.save(tmp_path / "layer.png")
