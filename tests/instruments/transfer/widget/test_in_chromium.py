"""The TransferPanel in Chromium, without JupyterLab: the panel's handlers answer, with a fake API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deconvwidgets.errors import HeadError
from deconvwidgets.instruments.transfer.records import DataChoice
from deconvwidgets.instruments.transfer.widget.messages import HANDLERS
from deconvwidgets.instruments.transfer.widget.state import checked_state
from tests.instruments.transfer.widget.fake_api import CHOICES, FakeTransferApi, FakeTransferService
from tests.widgets.chromium import blank, browser, built, kernel, load_page, most_in_flight, shared_page
from tests.widgets.waiting import expect_value, let_run, wait_until, wait_until_quiet

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser


@pytest.fixture
def service() -> FakeTransferService:
    return FakeTransferService()


@pytest.fixture
def api(service: FakeTransferService) -> FakeTransferApi:
    return service.transfer


@pytest.fixture
def open_page(blank: Page, service: FakeTransferService) -> Callable[..., Page]:
    """Return a function that opens a page with one view of a panel."""

    def open_(width: int = 1180, before: str = "", **state: Any) -> Page:
        load_page(blank, built("transfer.css"), kernel(HANDLERS, service))
        opened = checked_state({"data": "caltech101", **state}, {}, service.transfer.status())
        blank.evaluate(f"(state) => {{ globalThis.model = makeModel(state, 720); {before} }}", opened)
        blank.evaluate("([code, width]) => globalThis.open(code, null, width)", [built("transfer.js"), width])
        expect(blank.locator("[data-testid=transfer-panel][data-ready=true]").first).to_be_visible()
        return blank

    return open_


def send_event(page: Page, event: str = "transfer", message: str = "") -> None:
    """Send an event of the service, as the kernel does."""
    page.evaluate("([event, message]) => model.trigger('msg:custom', {event, message}, [])", [event, message])


def calls_of(api: FakeTransferApi, kind: str) -> list[Any]:
    """Return the arguments of all calls of a kind."""
    return [arguments for name, arguments in api.calls if name == kind]


def test_initial_view_describes_the_data_and_the_method(api, open_page):
    page = open_page()
    expect(page.get_by_test_id("data-facts")).to_have_text("11 classes · 545 photographs · the smallest, accordion, has 40")
    expect(page.get_by_test_id("data-notes")).to_contain_text("2 files could not be read")
    assert "bonsai/image_0007.jpg: it is truncated" in (page.get_by_test_id("data-notes").locator("li").get_attribute("title") or "")
    page.get_by_test_id("data-classes").click()
    expect(page.get_by_test_id("data-summary")).to_contain_text("accordion 40, bonsai 47")
    expect(page.get_by_test_id("story")).to_contain_text("the network itself does not change")
    expect(page.get_by_test_id("go")).to_be_enabled()
    expect(page.get_by_test_id("origin")).to_contain_text("ClassesImageNet")
    assert most_in_flight(page, "urgent") == 1


@pytest.mark.slow
@pytest.mark.parametrize("width", [1153, 760])
def test_title_of_a_run_is_not_cut(api, open_page, width):
    api.change(api.whole_run(), dataset="photo crops, from the default photographs of deconvwidgets and as many of my own")
    page = open_page(width=width)
    title = page.get_by_test_id("run-title")
    expect(title).to_contain_text("as many of my own")
    assert title.evaluate("(element) => element.scrollWidth <= element.clientWidth && element.scrollHeight <= element.clientHeight")


def test_too_few_images_show_an_error_and_a_button_to_use_fewer(api, open_page):
    page = open_page(images_per_class=60)
    expect(page.get_by_test_id("data-problem")).to_contain_text("at most 39 per class")
    expect(page.get_by_test_id("go")).to_be_disabled()
    page.get_by_test_id("take-fewer").click()
    expect(page.get_by_test_id("images")).to_have_value("30")
    expect(page.get_by_test_id("data-problem")).to_be_hidden()
    expect(page.get_by_test_id("go")).to_be_enabled()
    page.wait_for_function("() => model.values.state.images_per_class === 30")


def test_hint_for_datasets_that_are_not_available(api, open_page):
    page = open_page()
    page.get_by_test_id("data").select_option("caltech256")
    expect(page.get_by_test_id("data-hint")).to_contain_text("DECONVWIDGETS_DATA")
    page.get_by_test_id("root").fill("/data")
    page.get_by_test_id("root").press("Enter")
    page.wait_for_function("() => model.values.state.root === '/data'")
    expect_value(page, lambda: calls_of(api, "data")[-1].root, "/data")


def test_folder_given_by_its_path(api, open_page):
    page = open_page()
    page.get_by_test_id("data").select_option("path:")
    expect(page.get_by_test_id("path")).to_be_focused()
    expect(page.get_by_test_id("go")).to_be_disabled()
    page.get_by_test_id("path").fill("/nowhere/at/all")
    page.get_by_test_id("path").press("Enter")
    expect(page.get_by_test_id("data-problem")).to_contain_text("There is no folder /nowhere/at/all")
    expect(page.get_by_test_id("go")).to_be_disabled()
    assert calls_of(api, "start") == [], "the first Enter only reads the new path"
    page.get_by_test_id("path").fill("/photos/birds")
    page.get_by_test_id("path").press("Enter")
    expect(page.get_by_test_id("data-summary")).to_contain_text("birds")
    expect(page.get_by_test_id("go")).to_be_enabled()
    page.get_by_test_id("path").press("Enter")
    expect(page.get_by_test_id("go")).to_have_text("Stop")
    assert calls_of(api, "start")[0].data == "/photos/birds"


def test_path_is_kept_when_the_selection_changes_to_upload_and_back(api, open_page):
    page = open_page(data="/photos/birds")
    page.get_by_test_id("data").select_option("upload:")
    expect(page.get_by_test_id("go")).to_be_disabled()
    page.get_by_test_id("data").select_option("path:")
    expect(page.get_by_test_id("path")).to_have_value("/photos/birds")
    expect(page.get_by_test_id("data-summary")).to_contain_text("birds")
    expect(page.get_by_test_id("go")).to_be_enabled()


def test_message_while_the_data_is_read(api, open_page):
    page = open_page()
    expect(page.get_by_test_id("data-looking")).to_be_hidden()
    page.evaluate("model.blocked = true")
    page.get_by_test_id("data").select_option("images")
    expect(page.get_by_test_id("data-looking")).to_be_visible()
    page.evaluate("model.release()")
    expect(page.get_by_test_id("data-facts")).to_be_visible()
    expect(page.get_by_test_id("data-looking")).to_be_hidden()


def test_description_of_classes_of_equal_size(api, open_page, monkeypatch):
    monkeypatch.setattr(api, "data", lambda settings: replace(FakeTransferApi.data(api, settings), sizes=(8,) * 11, photographs=88))
    page = open_page()
    expect(page.get_by_test_id("data-facts")).to_have_text("11 classes · 88 photographs · 8 in each class")


def test_uploads_are_listed_once(api, open_page, monkeypatch):
    choices = (*CHOICES, DataChoice("/uploads/upload-0", "birds, uploaded", ""))
    monkeypatch.setattr("tests.instruments.transfer.widget.fake_api.CHOICES", choices)
    page = open_page()
    page.get_by_test_id("data").select_option("upload:")
    page.get_by_test_id("upload-file").set_input_files({"name": "birds.zip", "mimeType": "application/zip", "buffer": b"PK"})
    expect(page.get_by_test_id("data")).to_have_value("/uploads/upload-0")
    expect(page.get_by_test_id("data").locator("option[value='/uploads/upload-0']")).to_have_count(1)


@pytest.mark.slow
def test_complete_run(api, open_page):
    page = open_page()
    page.get_by_test_id("views-flips").click()
    page.get_by_test_id("curve").check()
    page.get_by_test_id("layer").select_option("conv5")
    page.get_by_test_id("decay").fill("0.01")
    page.get_by_test_id("decay").press("Tab")
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("go")).to_have_text("Stop")
    settings = api.settings[1]
    assert (settings.views, settings.layer, settings.weight_decay, settings.curve[-1]) == ("flips", "conv5", 0.01, 30)
    api.features(3120, 8677, 83.0)
    send_event(page)
    expect(page.get_by_test_id("run-words")).to_have_text("3,120 of 8,677 photographs · 83.0 images/s · 67 s left")
    assert float(page.get_by_test_id("run-bar").get_attribute("value") or 0) == pytest.approx(0.3596, abs=1e-3)
    assert page.get_by_test_id("run-bar").bounding_box()["height"] >= 4, "it is visible"
    api.train(0, 1e-2)
    send_event(page)
    expect(page.get_by_test_id("run-words")).to_have_text("Fold 1 of 5")
    expect(page.get_by_test_id("stage-training")).to_have_attribute("aria-current", "step")
    api.finish_fold(0.853)
    send_event(page)
    expect(page.get_by_test_id("results")).to_contain_text("85.3%")
    expect(page.get_by_test_id("stage-curve")).to_be_hidden()
    api.draw_curve((5, 10, 30), 2)
    send_event(page)
    expect(page.get_by_test_id("run-words")).to_have_text("10 of 15 training runs · 10 per class")
    api.end()
    send_event(page)
    expect(page.get_by_test_id("run-words")).to_have_text("Done in 15 s.")
    expect(page.get_by_test_id("go")).to_have_text("Retrain")


@pytest.mark.slow
def test_stop_keeps_the_complete_folds(api, open_page):
    page = open_page()
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("go")).to_have_text("Stop")
    api.train(0, 1e-2)
    api.finish_fold(0.9)
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("run-words")).to_have_text("Stopped; 1 of 5 folds is done and kept.")
    expect(page.get_by_test_id("go")).to_have_text("Retrain")
    expect(page.get_by_test_id("results")).to_contain_text("90.0%")


@pytest.mark.slow
def test_panel_can_be_used_during_a_run(api, open_page):
    api.whole_run()
    page = open_page()
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("run-title")).to_contain_text("Run 2")
    page.get_by_test_id("results-run").select_option("1")
    expect(page.get_by_test_id("run-title")).to_contain_text("Run 1")
    page.wait_for_function("() => model.values.state.run === 1")
    page.get_by_test_id("images").fill("12")
    page.get_by_test_id("images").press("Enter")
    page.wait_for_function("() => model.values.state.images_per_class === 12")
    wait_until_quiet(page)
    assert len(calls_of(api, "start")) == 2, "Enter starts no run during another run"
    page.get_by_test_id("show-running").click()
    expect(page.get_by_test_id("run-title")).to_contain_text("Run 2")


def test_enter_in_a_number_field_starts_a_run(api, open_page):
    page = open_page()
    page.get_by_test_id("folds").fill("3")
    page.get_by_test_id("folds").press("Enter")
    expect(page.get_by_test_id("go")).to_have_text("Stop")
    assert api.settings[1].folds == 3


@pytest.mark.parametrize(("name", "text"), [("folds", "0"), ("images", "many"), ("seed", "-1"), ("decay", "-2"), ("images", "1.5")])
def test_invalid_numbers_are_reported_and_start_no_run(api, open_page, name, text):
    page = open_page()
    before = page.evaluate("model.values.state")
    page.get_by_test_id(name).fill(text)
    page.get_by_test_id(name).press("Enter")
    expect(page.get_by_test_id(name)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_test_id("status")).to_contain_text("number")
    let_run(page, 300)  # until the state would be saved
    wait_until_quiet(page)
    assert page.evaluate("model.values.state") == before
    assert api.runs == {}


def test_failed_run_shows_its_error_and_the_next_run_works(api, open_page):
    page = open_page()
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("go")).to_have_text("Stop")
    api.end("failed", "The disk is full. Make room.")
    send_event(page)
    expect(page.get_by_test_id("run-problem")).to_have_text("The disk is full. Make room.")
    expect(page.get_by_test_id("chart-words")).to_have_text("This run has no data for a chart.")
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("run-title")).to_contain_text("Run 2")
    expect(page.get_by_test_id("run-problem")).to_be_hidden()


def test_errors_of_start_are_shown_and_cleared_by_the_next_action(api, open_page):
    page = open_page()
    expect(page.get_by_test_id("go")).to_be_enabled()
    api.error = HeadError("3 classes of 11 with fewer than 31 images.")
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("alert")).to_have_text("3 classes of 11 with fewer than 31 images.")
    api.error = None
    expect(page.get_by_test_id("go")).to_be_enabled()
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("alert")).to_be_hidden()
    expect(page.get_by_test_id("go")).to_have_text("Stop")


def zip_file(name: str, data: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "application/zip", "buffer": data}


@pytest.mark.slow
def test_zip_is_uploaded_in_chunks(api, open_page):
    page = open_page()
    page.get_by_test_id("data").select_option("upload:")
    expect(page.get_by_test_id("go")).to_be_disabled()
    data = bytes(range(256)) * 10_000
    page.get_by_test_id("upload-file").set_input_files(zip_file("birds.zip", data))
    expect(page.get_by_test_id("data-summary")).to_contain_text("upload-0")
    assert api.uploads["upload-0"] == data
    chunks = calls_of(api, "chunk")
    assert [offset for _, offset, _ in chunks] == [0, 2**21]
    assert all(size < 4 * 10**6 for _, _, size in chunks)
    page.wait_for_function("() => model.values.state.data === '/uploads/upload-0'")
    expect(page.get_by_test_id("data").locator("option:checked")).to_have_text("birds.zip")
    expect(page.get_by_test_id("go")).to_be_enabled()


def test_an_upload_can_be_cancelled(api, open_page):
    page = open_page()
    page.get_by_test_id("data").select_option("upload:")
    page.evaluate("model.blocked = true")
    page.get_by_test_id("upload-file").set_input_files(zip_file("birds.zip", b"x" * 100))
    expect(page.get_by_test_id("upload-words")).to_contain_text("birds.zip: 0.0 MB of 0.0 MB")
    page.get_by_test_id("upload-cancel").click()
    page.evaluate("model.release()")
    expect(page.get_by_test_id("upload-words")).to_have_text("Cancelled; nothing was kept.")
    expect_value(page, lambda: calls_of(api, "cancel"), ["upload-0"])
    assert calls_of(api, "chunk") == []
    expect(page.get_by_test_id("upload-pick")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "data", "message"), [("birds.rar", b"x", "is not a zip by its name"), ("birds.zip", b"../up.jpg", "nothing was unpacked")]
)
def test_errors_of_an_upload_are_shown_below_the_file_field(api, open_page, name, data, message):
    page = open_page()
    page.get_by_test_id("data").select_option("upload:")
    page.get_by_test_id("upload-file").set_input_files(zip_file(name, data))
    expect(page.get_by_test_id("upload-words")).to_contain_text(message)
    expect(page.get_by_test_id("upload-pick")).to_be_visible()
    page.get_by_test_id("data").select_option("caltech101")
    expect(page.get_by_test_id("go")).to_be_enabled()


@pytest.mark.slow
def test_title_names_the_head_in_use(api, open_page):
    api.whole_run()
    page = open_page()
    page.get_by_test_id("use-head").click()
    page.wait_for_function("() => model.sent.some((message) => message.kind === 'use_head')")
    send_event(page, "changed")
    expect(page.get_by_test_id("origin")).to_contain_text("ClassesCaltech-101's 11 classes (head of run 1)")


def test_many_events_cause_one_status_request_at_a_time(api, open_page):
    page = open_page()
    page.wait_for_function("() => model.sent.some((message) => message.kind === 'data')")
    before = wait_until_quiet(page)
    page.evaluate("model.blocked = true")
    for _ in range(20):
        send_event(page)
    let_run(page)
    assert page.evaluate("model.sent.length") - before == 1
    api.start(calls_of(api, "data")[-1])
    page.evaluate("model.release()")
    expect(page.get_by_test_id("run-title")).to_contain_text("Run 1")
    wait_until_quiet(page)
    assert page.evaluate("model.sent.filter((message) => message.kind === 'status').length") == 2, (
        "one more for the events during the first request"
    )


@pytest.mark.slow
def test_stop_works_during_many_events(api, open_page):
    page = open_page()
    expect(page.get_by_test_id("go")).to_be_enabled()
    page.evaluate(
        "model.deliver = ((deliver) => (message) => setTimeout(() => deliver(message), 60))(model.deliver); null"
    )  # slower than the events
    page.evaluate("globalThis.events = setInterval(() => model.trigger('msg:custom', {event: 'transfer'}, []), 5)")
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("go")).to_have_text("Stop")
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("go")).to_have_text("Retrain")
    page.evaluate("clearInterval(events)")
    let_run(page, 60)  # until the last messages are delivered
    wait_until_quiet(page)
    assert api.runs[1].phase == "stopped"


def test_only_the_newest_selection_of_data_is_requested(api, open_page):
    page = open_page()
    expect(page.get_by_test_id("go")).to_be_enabled()
    page.evaluate("model.blocked = true")
    for data in ("images", "caltech256", "photo-crops"):
        page.get_by_test_id("data").select_option(data)
        let_run(page)
    page.evaluate("model.release()")
    expect(page.get_by_test_id("data-summary").locator("b")).to_have_text("photo-crops")
    assert [settings.data for settings in calls_of(api, "data")] == ["caltech101", "images", "photo-crops"], (
        "superseded selections are not requested"
    )


@pytest.mark.own_page  # whose clock is replaced
def test_unresponsive_kernel_is_reported_until_it_answers_again(blank, api, open_page):
    blank.clock.install()
    page = open_page()
    page.clock.run_for(1000)
    page.evaluate("model.blocked = true")
    page.get_by_test_id("data").select_option("images")
    page.clock.run_for(16_000)
    expect(page.get_by_test_id("status")).to_contain_text("slow")
    page.clock.run_for(32_000)
    expect(page.get_by_test_id("alert")).to_have_text("The kernel does not respond. Run the notebook's cells again.")
    page.evaluate("model.blocked = false")
    page.clock.resume()
    page.get_by_test_id("data").select_option("photo-crops")
    expect(page.get_by_test_id("alert")).to_be_hidden()
    expect(page.get_by_test_id("data-summary").locator("b")).to_have_text("photo-crops")


@pytest.mark.slow
def test_kernel_restart_is_reported_and_the_view_stays_consistent(api, open_page):
    api.whole_run()
    page = open_page()
    expect(page.get_by_test_id("headline")).to_be_visible()
    wait_until_quiet(page)
    page.evaluate("model.blocked = true; model.trigger('comm_live_update')")
    expect(page.get_by_test_id("alert")).to_have_text("The kernel was restarted. Run the cell again.")
    expect(page.get_by_test_id("go")).to_be_disabled()
    page.get_by_test_id("show-confusion").click()
    expect(page.get_by_test_id("show-confusion")).to_have_attribute("aria-selected", "true"), "it needs no request"
    page.evaluate("model.waiting.length = 0; model.blocked = false")  # another kernel
    page.get_by_test_id("show-summary").click()
    expect(page.get_by_test_id("alert")).to_be_hidden()
    expect(page.get_by_test_id("go")).to_be_enabled()


@pytest.mark.slow
def test_two_views_share_their_requests(api, open_page):
    api.whole_run()
    page = open_page()
    page.evaluate("open()")
    expect(page.locator("[data-testid=transfer-panel][data-ready=true]")).to_have_count(2)
    expect(page.get_by_test_id("headline")).to_have_count(2)
    wait_until_quiet(page)
    kinds = [message["kind"] for message in page.evaluate("model.sent")]
    assert kinds.count("data") == kinds.count("run") == 1
    assert len({message["client"] for message in page.evaluate("model.sent")}) == 1


def test_state_set_in_python_changes_the_view(api, open_page):
    page = open_page()
    state = checked_state({"images_per_class": 7, "views": "ten"}, page.evaluate("model.values.state"), api.status())
    page.evaluate("(state) => { model.set('state', state); model.trigger('change:state'); }", state)
    expect(page.get_by_test_id("images")).to_have_value("7")
    expect(page.get_by_test_id("views-ten")).to_have_attribute("aria-checked", "true")


def test_axes_are_shown_at_once_and_the_final_classifier_when_it_is_trained(api, open_page):
    page = open_page()
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("training-chart").locator("svg text").first).to_be_visible()
    expect(page.get_by_test_id("chart-words")).to_have_text("Training starts when the run begins.")
    api.train(0, 1e-2)
    send_event(page)
    lines = page.locator(".dwx-plot-line")
    expect(lines).to_have_count(2)  # training images and held-out images of the search
    expect(page.get_by_test_id("chart-legend")).to_contain_text("weight decay 10⁻²")
    api.end("stopped")
    api.whole_run(folds=2)
    send_event(page)
    expect(lines).to_have_count(2)  # the final classifier, and that of the earlier fold
    expect(page.locator(".dwx-plot-point")).to_have_count(2)
    expect(page.get_by_test_id("chart-legend")).to_contain_text("test images (mean of 2 of 2 folds)")
    page.get_by_test_id("show-search").check()
    expect(lines).to_have_count(2 * 3 + 1)
    box = page.get_by_test_id("plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    expect(page.get_by_test_id("chart-caption")).to_contain_text("Step")
    assert page.evaluate("model.sent.filter((message) => message.kind === 'plotly').length") == 0, "Plotly is for the learning curve"


@pytest.mark.slow
def test_curve_is_drawn_by_plotly_and_removed_with_the_view(api, open_page):
    api.whole_run()
    page = open_page(tab="curve")
    expect(page.locator("[data-testid=chart] .scatterlayer .points path").first).to_be_attached()
    expect(page.locator(".dwt-chart-panel").get_by_test_id("chart-words")).to_be_hidden()

    def sizes() -> list[tuple[float, float]]:
        boxes = (page.locator(f"[data-testid=chart]{inner}").first.bounding_box() for inner in ("", " svg.main-svg"))
        return [(box["width"], box["height"]) for box in boxes]

    wait_until(page, lambda: sizes()[0] == pytest.approx(sizes()[1], abs=1), "the chart fills its tab")
    assert page.evaluate("typeof Plotly") == "undefined", "no global variable is added to the page"
    assert page.evaluate("model.sent.filter((message) => message.kind === 'plotly').length") == 1
    page.evaluate("closers.forEach((close) => close())")
    page.evaluate("lifetime.abort()")
    assert page.evaluate("model.listenerCount()") == 0, "no listener remains after the model is closed"
    assert page.locator(".dwx").count() == 0


def test_chart_is_updated_at_a_limited_rate(api, open_page):
    page = open_page()
    page.get_by_test_id("go").click()
    api.train(0, 1e-2)
    send_event(page)
    expect(page.locator(".dwx-plot-line").first).to_be_attached()
    count = "model.sent.filter((message) => message.kind === 'training').length"
    before, start = page.evaluate(count), page.evaluate("performance.now()")
    for _ in range(10):
        api.train(0, 1e-2)
        send_event(page)
        page.wait_for_timeout(20)
    let_run(page, 200)  # the interval
    wait_until_quiet(page)
    requests, now = page.evaluate(f"[{count}, performance.now()]")
    assert 1 <= requests - before <= (now - start) / 200 + 1


def test_errors_of_the_chart_are_shown(api, open_page, monkeypatch):
    api.whole_run()
    monkeypatch.setattr(api, "steps", lambda run: (_ for _ in ()).throw(HeadError("The steps of run 1 are lost; train again.")))
    page = open_page()
    expect(page.get_by_test_id("chart-words")).to_have_text("The steps of run 1 are lost; train again.")
    let_run(page, 200)  # the interval between two requests
    wait_until_quiet(page)
    assert page.evaluate("model.sent.filter((message) => message.kind === 'training').length") == 1, "the request is not repeated"


def test_presentation_fills_the_window_and_leaves_everything_as_it_was(open_page):
    page = open_page()
    panel, button = page.get_by_test_id("transfer-panel"), page.get_by_test_id("present")
    page.evaluate("document.body.style.contain = 'strict'; document.body.style.height = '300px'")  # as an output of a notebook may be
    wait_until_quiet(page)
    before = panel.bounding_box()
    button.click()
    expect_value(page, panel.bounding_box, {"x": 0, "y": 0, "width": 1240, "height": 900})
    expect(page.locator(".dwx-header")).to_be_hidden()
    expect(page.locator(".dwx-footer")).to_be_hidden()
    assert page.evaluate("document.querySelector('[data-testid=go]').currentCSSZoom") > 1.1, "large type"
    page.keyboard.press("Escape")
    expect(page.locator(".dwx-header")).to_be_visible()
    expect_value(page, panel.bounding_box, before)
    expect(button).to_be_focused()
    page.get_by_test_id("images").focus()
    page.keyboard.press("f")
    let_run(page)
    assert page.locator(".dwx-presenting").count() == 0, "F in a field is text"
    page.get_by_test_id("go").focus()
    page.keyboard.press("f")
    expect(page.locator(".dwx-presenting")).to_have_count(1)
    page.mouse.click(600, 890)  # between the controls
    page.keyboard.press("Escape")
    expect(page.locator(".dwx-presenting")).to_have_count(0)


def test_two_views_share_a_state(api, open_page):
    page = open_page()
    page.evaluate("open()")
    expect(page.locator("[data-testid=transfer-panel][data-ready=true]")).to_have_count(2)
    page.get_by_test_id("seed").first.fill("5")
    page.get_by_test_id("seed").first.press("Tab")
    expect(page.get_by_test_id("seed").nth(1)).to_have_value("5")
    page.evaluate("closers.forEach((close) => close())")
    page.evaluate("lifetime.abort()")
    assert page.evaluate("model.listenerCount()") == 0


def test_keyboard_navigation(api, open_page):
    page = open_page()
    page.evaluate("globalThis.leaked = []; document.addEventListener('keydown', (event) => leaked.push(event.key))")
    expect(page.get_by_test_id("go")).to_be_enabled()
    page.get_by_test_id("data").focus()
    focused = []
    for _ in range(11):
        page.keyboard.press("Tab")
        focused.append(page.evaluate("document.activeElement.dataset.testid ?? ''"))
    assert [name for name in focused if name in ("layer", "images", "folds", "decay", "seed", "views-one", "curve", "go")] == [
        "layer", "images", "folds", "decay", "seed", "views-one", "curve", "go",
    ]  # fmt: skip
    page.get_by_test_id("views-one").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("views-flips")).to_be_focused()
    page.get_by_test_id("images").press("d")
    assert page.evaluate("leaked") == [], "the notebook does not receive them"


@pytest.mark.slow
@pytest.mark.parametrize("width", [700, 960, 1180])
def test_no_element_overflows_at_any_width(api, open_page, width):
    api.whole_run()
    api.whole_run(images_per_class=15)
    page = open_page(width=width, data="/a/rather/long/path/to/a/folder/of/class/folders/with/photographs/of/birds")
    expect(page.get_by_test_id("results")).to_contain_text("86.0")
    wait_until_quiet(page)
    wide = page.evaluate(
        "(width) => [...document.querySelectorAll('.dwx *')].filter((element) => element.checkVisibility() && !element.closest('select')"
        " && element.getBoundingClientRect().right > width + 9).map((element) => element.className)",
        width,
    )
    assert wide == []
    setup, go = page.locator(".dwt-setup").bounding_box(), page.get_by_test_id("go").bounding_box()
    results = page.get_by_test_id("results").bounding_box()
    assert setup["x"] <= go["x"]
    if width < 900:
        assert results["y"] > setup["y"] + setup["height"] - 1, "below the settings"
    else:
        assert results["x"] >= setup["x"] + setup["width"] - 1, "beside the settings"
