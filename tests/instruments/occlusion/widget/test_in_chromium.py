"""The OcclusionExplorer in Chromium, without JupyterLab: patches, classes and maps."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from playwright.sync_api import expect

from deconvwidgets.errors import OcclusionError
from deconvwidgets.instruments.occlusion.records import ClassShare
from deconvwidgets.instruments.occlusion.service.protocol import SupportsOcclusion
from deconvwidgets.instruments.occlusion.widget.explorer import OcclusionExplorer
from deconvwidgets.instruments.occlusion.widget.state import checked_state
from tests.instruments.occlusion.widget.page import (
    SCALE,
    SIDE,
    api,
    calls_of,
    last_boxes,
    open_page,
    page_position,
    pixel,
    send_event,
    service,
)
from tests.instruments.occlusion.widget.toy_network import KINDS, probabilities
from tests.widgets.chromium import blank, browser, most_in_flight, shared_page
from tests.widgets.waiting import expect_value, let_run, wait_until, wait_until_quiet

__all__ = ["api", "blank", "browser", "open_page", "service", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser
NO_ANSWER = "The kernel does not respond. Run the notebook's cells again."


def test_fake_implements_the_protocol(service):
    assert isinstance(service, SupportsOcclusion)


@pytest.mark.slow
def test_initial_view_shows_the_image_the_classes_and_the_maps(api, open_page):
    page = open_page()
    expect(page.get_by_test_id("title")).to_contain_text("drawing 0 (cougar face) · predicted")
    expect(page.get_by_test_id("answer")).to_have_count(6)
    expect(page.get_by_test_id("maps-words")).to_have_text("49 positions")
    expect(page.get_by_test_id("projection")).to_have_count(4)
    assert last_boxes(api) == [(24, 24, 40, 40)], "the patch is in the centre"
    names = [name for name, _ in api.calls]
    assert names.count("projections") == 1, "in the background, at any time"
    assert [name for name in names if name != "projections"] == ["scene", "answer", "start_maps", "maps"], "each once and in this order"
    expect_value(page, lambda: pixel(page.get_by_test_id("patches"), 0.5, 0.5)[:3], [127, 127, 127])
    assert pixel(page.get_by_test_id("patches"), 0.1, 0.1)[3] == 0
    shown = page.get_by_test_id("answer").first
    share = next(
        share for share in api.answer(*calls_of(api, "answer")[-1]).classes if share.label == int(shown.get_attribute("data-label") or "")
    )
    expect(shown).to_have_attribute("aria-checked", "true")
    expect(shown).to_contain_text(f"{100 * share.now:.0f}%" if share.now >= 0.01 else f"{100 * share.now:.1f}%")
    assert shown.get_attribute("data-label") == str(np.argmax(probabilities(api._pixels("crop:0")))), "the target is the predicted class"


@pytest.mark.slow
def test_drag_is_drawn_immediately_and_requests_only_the_newest_position(api, open_page):
    page = open_page()
    page.evaluate("globalThis.painted = []; model.delivered.length = 0; model.blocked = true")  # a busy kernel
    before = len(calls_of(api, "answer"))
    page.mouse.move(*page_position(page, 20, 20))
    page.mouse.down()
    for step in range(21):
        page.mouse.move(*page_position(page, 20 + step, 20 + step))
        assert pixel(page.get_by_test_id("patches"), (20 + step) / SIDE, (20 + step) / SIDE)[3] == 255, (
            "drawing does not wait for the kernel"
        )
    page.mouse.up()
    let_run(page)
    assert page.evaluate("model.waiting.map(({kind}) => kind).filter((kind) => kind !== 'used')") == ["patch"], "one request in flight"
    page.evaluate("model.release()")
    page.wait_for_function("() => painted.filter((event) => event.kind === 'answer').length === 2")
    wait_until_quiet(page)
    assert [arguments[1] for arguments in calls_of(api, "answer")[before:]] == [[(12, 12, 28, 28)], [(32, 32, 48, 48)]], (
        "the first, then the newest"
    )
    assert most_in_flight(page, "urgent") == 1
    events = page.evaluate("painted")
    assert all(event["ms"] >= 0 for event in events if "ms" in event)
    assert len([event for event in events if event["kind"] == "patch"]) == 21
    page.wait_for_function("() => model.values.state.patches[0][0] === 40 && model.values.state.patches[0][1] === 40")


MARK_CENTRE = """(side) => {
  const canvas = document.querySelector("[data-testid=map-probability] .dwo-marks");
  const {data, width} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const opaque = [...data.keys()].filter((index) => index % 4 === 3 && data[index] > 0).map((index) => (index - 3) / 4);
  const middle = (values) => (Math.min(...values) + Math.max(...values) + 1) / 2 / width * side;
  return [middle(opaque.map((index) => Math.floor(index / width))), middle(opaque.map((index) => index % width))];
}"""  # returns the row and column of the dot in the image


@pytest.mark.slow
def test_marks_on_the_maps_are_updated_with_the_answer_during_a_drag(api, open_page):
    page = open_page()
    expect_value(page, MARK_CENTRE, pytest.approx([32, 32], abs=0.5), SIDE)
    page.evaluate("model.blocked = true")
    page.mouse.move(*page_position(page, 20, 20))
    page.mouse.down()
    expect_value(page, MARK_CENTRE, pytest.approx([20, 20], abs=0.5), SIDE, "a press updates the marks without an answer")
    page.mouse.move(*page_position(page, 30, 50))
    let_run(page)
    assert page.evaluate(MARK_CENTRE, SIDE) == pytest.approx([20, 20], abs=0.5)
    page.evaluate("model.blocked = false; model.release()")
    wait_until_quiet(page)
    expect_value(page, MARK_CENTRE, pytest.approx([30, 50], abs=0.5), SIDE)
    page.evaluate("model.blocked = true")
    page.mouse.move(*page_position(page, 40, 10))
    page.mouse.up()
    expect_value(page, MARK_CENTRE, pytest.approx([40, 10], abs=0.5), SIDE, "the end of a drag updates the marks without an answer")
    page.mouse.move(*page_position(page, 10, 10, "map-activity"))
    page.mouse.down()
    page.mouse.move(*page_position(page, 50, 44, "map-activity"))
    expect_value(page, MARK_CENTRE, pytest.approx([48, 48], abs=4.5), SIDE, "on a map the marks follow the pointer")
    page.mouse.up()


RAW_POINTER_MOVE = """([x, y]) => {
  const stage = document.querySelector("[data-testid=stage]");
  stage.dispatchEvent(new PointerEvent("pointerrawupdate", {clientX: x, clientY: y, pointerId: 1, bubbles: true}));
}"""


def test_position_is_requested_before_its_frame_and_only_once(api, open_page):
    page = open_page()
    page.mouse.move(*page_position(page, 20, 20))
    page.evaluate(RAW_POINTER_MOVE, page_position(page, 50, 50))
    wait_until_quiet(page)
    assert last_boxes(api) == [(24, 24, 40, 40)], "no button is pressed, so there is no request"
    page.mouse.down()
    wait_until_quiet(page)
    page.evaluate("model.blocked = true")
    page.evaluate(RAW_POINTER_MOVE, page_position(page, 40, 30))
    page.wait_for_function("() => model.waiting.length === 1")
    assert pixel(page.get_by_test_id("patches"), 30 / SIDE, 40 / SIDE)[3] == 0, "it is drawn in the next frame"
    page.mouse.move(*page_position(page, 40, 30))
    expect_value(page, lambda: pixel(page.get_by_test_id("patches"), 30 / SIDE, 40 / SIDE)[3], 255)
    before = len(calls_of(api, "answer"))
    page.evaluate("painted.length = 0; model.blocked = false; model.release()")
    wait_until_quiet(page)
    page.wait_for_function("() => painted.some(({kind}) => kind === 'answer')")
    assert len(calls_of(api, "answer")) == before + 1
    assert page.evaluate("painted.filter(({kind}) => kind === 'answer').length") == 1, "a reply is drawn once"
    assert last_boxes(api) == [(22, 32, 38, 48)]
    page.mouse.up()
    page.evaluate(RAW_POINTER_MOVE, page_position(page, 20, 20))
    wait_until_quiet(page)
    assert last_boxes(api) == [(22, 32, 38, 48)], "the button is released"


def count_layer_updates(page, action) -> int:
    """Return how often Blink updated the page's compositing layers during `action`."""
    browser = page.context.browser
    browser.start_tracing(page=page, categories=["blink", "benchmark"])
    action()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return browser.stop_tracing().count(b'"PaintArtifactCompositor::Update"')


@pytest.mark.slow
def test_drag_does_not_update_compositing_layers(api, open_page):
    page = open_page()
    page.mouse.move(*page_position(page, 20, 20))
    page.mouse.down()
    wait_until_quiet(page)

    def drag() -> None:
        for step in range(24):
            page.mouse.move(*page_position(page, 20 + step % 12, 20 + step))
            wait_until_quiet(page)

    def change_layers() -> None:
        for step in range(3):
            page.evaluate("(step) => { document.querySelector('.dwo-probabilities').style.transform = `translateX(${step + 1}px)`; }", step)
            page.wait_for_timeout(50)

    if not count_layer_updates(page, change_layers):
        pytest.skip("this Chromium does not trace its layers")
    before = len(calls_of(api, "answer"))
    updates = count_layer_updates(page, drag)
    assert len(calls_of(api, "answer")) >= before + 20
    assert updates <= 6, "each update makes a frame three times as long (docs/decisions/dragging-patches.md)"


def test_bars_show_the_probabilities_with_and_without_the_patch(api, open_page):
    page = open_page()
    page.mouse.click(*page_position(page, 50, 40))
    wait_until_quiet(page)
    answer = api.answer(*calls_of(api, "answer")[-1])
    for share in answer.classes:
        row = page.locator(f"[data-testid=answer][data-label='{share.label}']")
        expect(row).to_contain_text(share.name)
        expect(row).to_have_attribute("aria-label", re.compile("without the patch"))
        for bar, value in ((".dwo-now", share.now), (".dwo-before", share.before)):
            share_of_track = partial(
                row.locator(bar).evaluate, "(bar) => bar.getBoundingClientRect().width / bar.parentElement.clientWidth"
            )
            expect_value(page, share_of_track, pytest.approx(value, abs=2e-3), because=f"the length of {bar}")
    expect(page.get_by_test_id("activity-now")).to_have_text(
        f"{answer.activity:.0f}" if answer.activity >= 100 else f"{answer.activity:.1f}"
    )


SHARES = [  # (before, now, formatted probability, formatted change)
    (0.674, 0.666, "67%", ""),
    (0.4949, 0.5051, "51%", "+2"),
    (0.0044, 0.0066, "0.7%", "+0.3"),
    (0.0006, 0.0001, "<0.1%", "−0.1"),
    (0.0302, 0.0061, "0.6%", "−2.4"),
]


@pytest.mark.slow
def test_change_is_the_difference_of_the_rounded_probabilities(api, open_page, monkeypatch):
    shares = tuple(ClassShare(label, KINDS[label], before, now) for label, (before, now, *_) in enumerate(SHARES))
    original = api.answer
    monkeypatch.setattr(api, "answer", lambda *arguments: replace(original(*arguments), classes=shares))
    page = open_page()
    for label, (_, _, now, change) in enumerate(SHARES):
        row = page.locator(f"[data-testid=answer][data-label='{label}']")
        expect(row.locator(".dwo-share")).to_have_text(now)
        expect(row.locator(".dwo-change")).to_have_text(change)


@pytest.mark.slow
def test_keys_move_resize_add_and_remove_patches(api, open_page):
    page = open_page()
    page.get_by_test_id("stage").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    wait_until_quiet(page)
    assert last_boxes(api) == [(25, 32, 41, 48)]
    for _ in range(4):
        page.keyboard.press("]")  # in steps of one pixel, as the image is small
    wait_until_quiet(page)
    assert last_boxes(api) == [(23, 30, 43, 50)]
    for _ in range(8):
        page.keyboard.press("[")
    expect(page.get_by_test_id("window-height-value")).to_have_text("12 px")
    page.keyboard.press("a")
    wait_until_quiet(page)
    assert len(last_boxes(api)) == 2
    page.keyboard.press("ArrowUp")
    wait_until_quiet(page)
    assert last_boxes(api)[1][1] == last_boxes(api)[0][1] - 1, "keys move the new patch"
    page.keyboard.press("Delete")
    wait_until_quiet(page)
    assert last_boxes(api) == [(27, 34, 39, 46)]
    page.keyboard.press("Delete")
    expect(page.get_by_test_id("remove-patch")).to_be_disabled()
    expect(page.get_by_test_id("activity-change")).to_have_text("")
    page.wait_for_function("() => model.values.state.patches.length === 0")
    page.mouse.click(*page_position(page, 10, 10))
    wait_until_quiet(page)
    assert last_boxes(api) == [(4, 4, 16, 16)], "a click adds a patch if there is none"


@pytest.mark.slow
def test_small_windows_and_strides(api, open_page):
    page = open_page(window=[2, 3], stride=[5, 5])
    expect(page.get_by_test_id("stride")).to_have_value("5")
    options = page.get_by_test_id("stride").locator("option").all_inner_texts()
    assert options == [f"{step} px" for step in (1, 2, 3, 4, 8, 12, 16, 24, 32, 5)]
    page.get_by_test_id("stage").focus()
    sizes = page.get_by_test_id("window-height-value"), page.get_by_test_id("window-width-value")
    for rows, columns in ((1, 2), (1, 1), (1, 1)):
        page.keyboard.press("[")
        expect(sizes[0]).to_have_text(f"{rows} px")
        expect(sizes[1]).to_have_text(f"{columns} px")
    page.get_by_test_id("window-height").fill("2")
    expect(sizes[0]).to_have_text("2 px")
    page.get_by_test_id("stride").select_option("2")
    page.wait_for_function("() => String(model.values.state.stride) === '2,2'")
    page.wait_for_function("() => document.querySelector('[data-testid=occlusion-explorer]').dataset.complete === 'true'")
    expect_value(page, lambda: calls_of(api, "start_maps")[-1][1].stride, (2, 2))


def test_escape_removes_the_focus_from_controls(open_page):
    page = open_page()
    for test_id in ("stage", "window-height", "linked", "stride", "layer"):
        control = page.get_by_test_id(test_id)
        control.focus()
        expect(control).to_be_focused()
        page.keyboard.press("Escape")
        expect(control).not_to_be_focused()
    page.get_by_test_id("target").fill("lam")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("target")).to_be_focused()


@pytest.mark.slow
def test_keys_are_not_passed_on_to_the_notebook(open_page):
    page = open_page()
    page.evaluate("globalThis.leaked = []; document.addEventListener('keydown', (event) => leaked.push(event.key))")
    page.get_by_test_id("stage").focus()
    for key in ("d", "d", "ArrowLeft", "x"):
        page.keyboard.press(key)
    page.get_by_test_id("unit").press("]")
    expect(page.get_by_test_id("window-height-value")).to_have_text("16 px")
    assert page.evaluate("leaked") == []
    page.get_by_test_id("fill-gray").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("fill-mean")).to_be_focused()
    page.wait_for_function("() => model.values.state.fill === 'mean'")


def test_shift_click_adds_a_patch_and_click_moves_the_nearest(api, open_page):
    page = open_page()
    page.keyboard.down("Shift")
    page.mouse.click(*page_position(page, 10, 12))
    page.keyboard.up("Shift")
    wait_until_quiet(page)
    assert last_boxes(api) == [(24, 24, 40, 40), (4, 2, 20, 18)]
    page.mouse.click(*page_position(page, 50, 50))
    wait_until_quiet(page)
    assert last_boxes(api) == [(42, 42, 58, 58), (4, 2, 20, 18)], "the nearest patch moves"
    page.get_by_test_id("add-patch").click()
    wait_until_quiet(page)
    assert len(last_boxes(api)) == 3
    page.get_by_test_id("remove-patch").click()
    wait_until_quiet(page)
    assert last_boxes(api) == [(42, 42, 58, 58), (4, 2, 20, 18)]


@pytest.mark.slow
def test_touch_moves_the_patch(api, open_page):
    page = open_page()
    touch = """([from, to]) => {
      const stage = document.querySelector("[data-testid=stage]");
      const fire = (name, [x, y], pointerId = 1) => stage.dispatchEvent(new PointerEvent(name, {pointerId, pointerType: "touch",
        isPrimary: pointerId === 1, button: name === "pointermove" ? -1 : 0, buttons: 1, clientX: x, clientY: y, bubbles: true}));
      stage.setPointerCapture = () => {};
      fire("pointerdown", from);
      fire("pointermove", to);
      for (const name of ["pointerdown", "pointermove", "pointerup"]) fire(name, from, 2);
      fire("pointerup", to);
      fire("pointermove", from);
    }"""
    page.evaluate(touch, [page_position(page, 20, 20), page_position(page, 30, 44)])
    wait_until_quiet(page)
    assert last_boxes(api) == [(36, 22, 52, 38)], "a second finger and moves without contact are ignored"
    assert page.get_by_test_id("stage").evaluate("(stage) => getComputedStyle(stage).touchAction") == "none"


def test_pointer_on_a_map_shows_the_value_and_the_patch_at_its_position(api, open_page):
    page = open_page()
    expect(page.get_by_test_id("maps-words")).to_contain_text("49 positions")
    maps = api.runs[1].maps
    page.mouse.move(*page_position(page, 24, 40, "map-probability"))
    row, column = 2, 4
    assert list(maps.centres[row, column]) == [24, 40]
    expect(page.get_by_test_id("reading-probability")).to_have_text(f"here: {100 * maps.probability[row, column]:.0f}%")
    expect(page.get_by_test_id("reading-activity")).to_contain_text("here: ")
    expect(page.get_by_test_id("reading-label").last).to_contain_text(KINDS[maps.label[row, column]])
    ghost, stage = page.get_by_test_id("ghost").bounding_box(), page.get_by_test_id("stage").bounding_box()
    assert ghost["x"] - stage["x"] == pytest.approx(32 * SCALE, abs=1)
    assert ghost["y"] - stage["y"] == pytest.approx(16 * SCALE, abs=1)
    assert ghost["width"] == pytest.approx(16 * SCALE, abs=1)
    assert last_boxes(api) == [(24, 24, 40, 40)], "hovering does not move the patch"
    page.mouse.down()
    page.mouse.up()
    wait_until_quiet(page)
    assert last_boxes(api) == [(32, 16, 48, 32)], "a click moves the patch there"
    expect(page.get_by_test_id("stage")).to_be_focused()
    page.mouse.move(5, 5)
    expect(page.get_by_test_id("ghost")).to_be_hidden()
    expect(page.get_by_test_id("reading-probability")).to_contain_text("no patch: ")


@pytest.mark.slow
def test_overlay(api, open_page):
    page = open_page()
    expect(page.get_by_test_id("overlay-map")).to_be_hidden()
    page.get_by_test_id("overlay").fill("40")
    expect(page.get_by_test_id("overlay-map")).to_be_visible()
    expect_value(page, "document.querySelector('[data-testid=overlay-map]').style.opacity", "0.4")
    overlay, stage = page.get_by_test_id("overlay-map").bounding_box(), page.get_by_test_id("stage").bounding_box()
    assert overlay["x"] - stage["x"] == pytest.approx(4 * SCALE, abs=1), "the map covers the centres of the windows"
    assert overlay["width"] == pytest.approx(56 * SCALE, abs=1)
    before = pixel(page.get_by_test_id("overlay-map"), 0.5, 0.5)
    page.get_by_test_id("over-label").click()
    page.wait_for_function("() => model.values.state.map === 'label'")
    wait_until(page, lambda: pixel(page.get_by_test_id("overlay-map"), 0.5, 0.5) != before, "the other map is over the image")
    page.mouse.move(*page_position(page, 24, 40))
    expect(page.get_by_test_id("reading-probability")).to_contain_text("here: ")
    page.wait_for_function("() => model.values.state.overlay === 0.4")


@pytest.mark.slow
def test_maps_are_shown_while_they_are_computed(api, open_page):
    api.complete_at_once = False
    page = open_page(ready=False)
    page.wait_for_function("() => model.sent.some((message) => message.kind === 'maps')")
    expect(page.get_by_test_id("maps-words")).to_have_text("starting…")
    expect(page.get_by_test_id("maps-act")).to_have_text("Stop")
    api.advance(1, 1)
    send_event(page)
    expect(page.get_by_test_id("maps-words")).to_have_text("1 of 49 positions")
    canvas = page.get_by_test_id("map-activity").locator("canvas").nth(1)
    expect_value(page, lambda: pixel(canvas, 0.9, 0.9)[3], 255, because="a single position fills the map")
    coarse = pixel(canvas, 0.5, 0.5)
    page.mouse.move(*page_position(page, 16, 16, "map-activity"))
    expect(page.get_by_test_id("reading-activity")).to_have_text("not computed")
    api.advance(1, 10)
    send_event(page)
    send_event(page)
    expect(page.get_by_test_id("maps-words")).to_contain_text("11 of 49")
    page.get_by_test_id("maps-act").click()
    expect(page.get_by_test_id("maps-words")).to_have_text("11 of 49 positions, stopped")
    wait_until(page, lambda: api.runs[1].stopped, "the run is stopped")
    page.get_by_test_id("maps-act").click()
    page.wait_for_function("() => model.sent.filter((message) => message.kind === 'start_maps').length === 2")
    api.advance(1)
    send_event(page)
    expect(page.get_by_test_id("maps-words")).to_have_text("49 positions")
    expect(page.get_by_test_id("maps-act")).to_be_hidden()
    wait_until(page, lambda: pixel(canvas, 0.5, 0.5) != coarse, "the complete map is drawn")
    wait_until_quiet(page)
    count = len(calls_of(api, "maps"))
    send_event(page)
    let_run(page, 250)  # until the next request for incomplete maps would be sent
    wait_until_quiet(page)
    assert len(calls_of(api, "maps")) == count, "complete maps are not requested again"


@pytest.mark.slow
def test_classes_keep_their_colours_across_images(api, open_page):
    page = open_page()
    entry = page.get_by_test_id("legend-entry")
    expect(entry.first).to_be_visible()
    read = "(entries) => Object.fromEntries(entries.map((entry) => [entry.dataset.label, entry.querySelector('i').style.background]))"
    first = entry.evaluate_all(read)
    maps = api.runs[1].maps
    assert sorted(int(label) for label in first) == np.unique(maps.label).tolist()
    assert first[str(maps.unoccluded.label)] == "rgb(76, 120, 168)", "the first colour is that of the class of the unoccluded image"
    canvas = page.get_by_test_id("map-label").locator("canvas").nth(1)
    red, green, blue, _ = pixel(canvas, 0.01, 0.01)
    assert first[str(maps.label[0, 0])] == f"rgb({red}, {green}, {blue})"
    page.get_by_test_id("other-image").click()
    page.get_by_test_id("image").nth(1).click()
    expect(page.get_by_test_id("title")).to_contain_text("drawing 1")
    page.get_by_test_id("tab-maps").click()
    page.wait_for_function("() => document.querySelector('[data-testid=occlusion-explorer]').dataset.complete === 'true'")
    second = entry.evaluate_all(read)
    assert all(first[label] == colour for label, colour in second.items() if label in first)
    assert len(set({**first, **second}.values())) == len({**first, **second}), "all colours are different"


@pytest.mark.slow
def test_state_set_in_python_changes_all_views(api, service, open_page):
    page = open_page()
    page.evaluate("open()")
    expect(page.locator("[data-testid=occlusion-explorer][data-ready=true]")).to_have_count(2)
    changes = {"image": "crop:5", "patches": [[8, 56]], "window": [8, 8], "fill": "mean", "overlay": 0.5, "tab": "images"}
    state = checked_state(changes, page.evaluate("model.values.state"), service.overview(), api.choices())
    page.evaluate("(state) => { model.set('state', state); model.trigger('change:state'); }", state)
    expect(page.get_by_test_id("title").nth(1)).to_contain_text("drawing 5")
    expect(page.get_by_test_id("tab-images").first).to_have_attribute("aria-selected", "true")
    expect(page.get_by_test_id("window-width-value").first).to_have_text("8 px")
    wait_until_quiet(page)
    assert last_boxes(api) == [(52, 4, 60, 12)]
    page.get_by_test_id("stage").first.focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("() => model.values.state.patches[0][0] === 9")
    wait_until_quiet(page)
    page.evaluate("closers.forEach((close) => close())")
    assert page.evaluate("model.listenerCount()") == 2, "their shared client is closed with the model"
    page.evaluate("lifetime.abort()")
    assert page.evaluate("model.listenerCount()") == 0, "no listener remains after the model is closed"
    assert page.locator(".dwx").count() == 0


@pytest.mark.slow
def test_errors_are_shown_and_cleared_by_the_next_action(api, open_page):
    page = open_page()
    api.error = OcclusionError("The patch could not be computed.")
    page.mouse.click(*page_position(page, 30, 20))
    expect(page.get_by_test_id("alert")).to_have_text("The patch could not be computed.")
    api.error = None
    page.mouse.click(*page_position(page, 20, 30))
    expect(page.get_by_test_id("alert")).to_be_hidden()
    wait_until_quiet(page)
    assert last_boxes(api) == [(22, 12, 38, 28)]
    send_event(page, "failed", "The worker ran out of memory.")
    expect(page.get_by_test_id("alert")).to_have_text("The worker ran out of memory.")
    page.evaluate(
        "(state) => { model.set('state', {...state, image: 'crop:999'}); model.trigger('change:state'); }",
        page.evaluate("model.values.state"),
    )
    expect(page.get_by_test_id("alert")).to_contain_text("there is no 'crop:999'")
    page.get_by_test_id("other-image").click()
    page.get_by_test_id("image").nth(2).click()
    expect(page.get_by_test_id("title")).to_contain_text("drawing 2")
    expect(page.get_by_test_id("alert")).to_be_hidden()


def dimmed_parts(page) -> list[str]:
    """Return the parts whose images and bars are drawn with an opacity below 1."""
    filter_dimmed = """(parts) => parts.filter((part) => {
      const drawn = [...part.querySelectorAll('canvas, .dwo-track')];
      return drawn.length && drawn.every((element) => getComputedStyle(element).opacity < 1);
    }).map((part) => part.classList[0]).sort()"""
    return page.locator(".dwo-probabilities, .dwo-unit, .dwo-maps").evaluate_all(filter_dimmed)


@pytest.mark.own_page  # whose clock is replaced
def test_unresponsive_kernel_is_reported_until_it_answers_again(blank, api, open_page):
    blank.clock.install()
    page = open_page()
    page.clock.run_for(1000)
    page.evaluate("model.blocked = true")
    page.mouse.click(*page_position(page, 20, 30))
    expect_value(page, lambda: pixel(page.get_by_test_id("patches"), 30 / SIDE, 20 / SIDE)[3], 255, because="without the kernel")
    page.clock.run_for(16_000)
    expect(page.get_by_test_id("status")).to_contain_text("slow")
    page.clock.run_for(32_000)
    expect(page.get_by_test_id("alert")).to_have_text(NO_ANSWER)
    expect_value(page, lambda: dimmed_parts(page), ["dwo-maps", "dwo-probabilities", "dwo-unit"], because="those of the former position")
    count = page.evaluate("model.blocked = false; model.waiting.length = 0; model.sent.length")  # another kernel
    page.clock.resume()
    page.get_by_test_id("overlay").fill("20")
    expect(page.get_by_test_id("alert")).to_be_hidden()
    page.wait_for_function("(count) => model.sent.slice(count).some(({kind}) => kind === 'patch')", arg=count)
    wait_until_quiet(page)
    assert last_boxes(api) == [(22, 12, 38, 28)], "the current position is requested"
    expect(page.get_by_test_id("occlusion-explorer")).to_have_attribute("data-outdated", "false")
    expect_value(page, lambda: dimmed_parts(page), [])


@pytest.mark.slow
def test_outdated_results_are_dimmed_if_the_kernel_cannot_be_reached(api, open_page):
    page = open_page()
    page.evaluate("() => { globalThis.send = model.send; model.send = () => { throw new Error('Cannot send'); }; }")
    page.mouse.click(*page_position(page, 20, 30))
    expect(page.get_by_test_id("alert")).to_have_text(NO_ANSWER)
    expect_value(page, lambda: dimmed_parts(page), ["dwo-maps", "dwo-probabilities", "dwo-unit"])
    page.evaluate("() => { model.send = send; }")
    page.mouse.click(*page_position(page, 30, 20))
    expect(page.get_by_test_id("alert")).to_be_hidden()
    wait_until_quiet(page)
    expect(page.get_by_test_id("occlusion-explorer")).to_have_attribute("data-outdated", "false")
    expect_value(page, lambda: dimmed_parts(page), [])


@pytest.mark.slow
def test_kernel_restart_is_reported_and_the_view_stays_consistent(api, open_page):
    page = open_page()
    wait_until_quiet(page)
    page.evaluate("model.blocked = true; model.trigger('comm_live_update')")
    expect(page.get_by_test_id("alert")).to_have_text("The kernel was restarted. Run the cell again.")
    title = page.get_by_test_id("title").text_content()
    page.get_by_test_id("unit").fill("3")
    page.get_by_test_id("unit").press("Enter")
    expect(page.get_by_test_id("status")).to_contain_text("Not loaded: without the kernel")
    page.get_by_test_id("tab-chart").click()
    expect(page.get_by_test_id("tab-chart")).to_have_attribute("aria-selected", "true"), "it needs no request"
    assert page.get_by_test_id("title").text_content() == title
    page.evaluate("model.waiting.length = 0; model.blocked = false")  # another kernel
    page.get_by_test_id("overlay").fill("20")
    expect(page.get_by_test_id("alert")).to_be_hidden()


def test_two_views_share_their_requests(api, open_page):
    page = open_page()
    wait_until_quiet(page)
    page.evaluate("open()")
    expect(page.locator("[data-testid=occlusion-explorer][data-ready=true]")).to_have_count(2)
    wait_until_quiet(page)
    kinds = [message["kind"] for message in page.evaluate("model.sent")]
    assert kinds.count("scene") == kinds.count("projections") == 1
    assert len({message["client"] for message in page.evaluate("model.sent")}) == 1
    assert len({message["view"] for message in page.evaluate("model.sent") if message["kind"] == "start_maps"}) == 2, (
        "each view starts its own maps"
    )


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["scene", "start_maps", "maps", "projections"])
@pytest.mark.own_page  # whose clock is replaced
def test_lost_requests_are_repeated_when_the_kernel_answers_again(blank, api, open_page, lost):
    blank.clock.install()
    page = open_page()
    api.complete_at_once = False
    block = (
        "model.send = ((send) => (message, ...rest) => { model.blocked ||= message.kind === lost; send(message, ...rest); })(model.send)"
    )
    page.evaluate(f"(kind) => {{ globalThis.lost = kind; {block}; }}", lost)
    page.evaluate("() => { model.set('state', {...model.values.state, image: 'crop:7'}); model.trigger('change:state'); }")
    for _ in range(8):
        page.clock.run_for(10_000)
        page.wait_for_function("() => !model.inFlight && !decoding.size")  # they do not use the fake clock
    expect(page.get_by_test_id("alert")).to_have_text(NO_ANSWER)
    count = page.evaluate("model.sent.length")
    page.clock.run_for(120_000)
    assert page.evaluate("model.sent.length") == count, "no requests are sent to an unresponsive kernel"
    page.evaluate("() => { lost = ''; model.blocked = false; model.waiting.length = 0; }")  # another kernel
    page.clock.resume()
    page.get_by_test_id("overlay").fill("20")
    expect(page.get_by_test_id("alert")).to_be_hidden()
    expect(page.get_by_test_id("title")).to_contain_text("drawing 7")
    page.wait_for_function("() => model.sent.some((message) => message.kind === 'maps' && message.run === 2)")
    projections = (
        "(times) => model.sent.filter((message) => message.kind === 'projections' && message.request.image === 'crop:7').length === times"
    )
    page.wait_for_function(projections, arg=2 if lost == "projections" else 1)
    wait_until_quiet(page)
    assert calls_of(api, "projections")[-1][0].image == "crop:7"
    api.advance(2)
    send_event(page)
    expect(page.get_by_test_id("occlusion-explorer")).to_have_attribute("data-complete", "true")


@pytest.mark.parametrize("width", [380, 700, 960, 1180])
def test_no_element_overflows_at_any_width(api, open_page, width):
    page = open_page(width=width)
    for strongest in api.scene(calls_of(api, "scene")[-1][0]).strongest[:6]:
        expect(page.get_by_test_id(f"unit-{strongest}")).to_be_visible()
    expect(page.get_by_test_id("legend-entry").first).to_be_visible()
    wide = page.evaluate(
        "(width) => [...document.querySelectorAll('.dwx *')].filter((element) => element.checkVisibility() && !element.closest('select')"
        " && element.getBoundingClientRect().right > width + 9).map((element) => element.className || element.tagName)",
        width,
    )
    assert wide == []
    small = page.evaluate(
        "[...document.querySelectorAll('.dwo button, .dwo select, .dwo input')].filter((element) => element.checkVisibility()"
        " && !element.closest('.dwo-check') && element.getBoundingClientRect().height < 19).map((element) => element.dataset.testid)"
    )
    assert small == [], "all controls are large enough to be clicked"


PLACEHOLDER_FITS = """(box) => {
  const brush = document.createElement("canvas").getContext("2d");
  brush.font = getComputedStyle(box).font;
  return brush.measureText(box.placeholder).width < box.clientWidth - 32; // the rest is for the button that clears it
}"""


@pytest.mark.parametrize("width", [1080, 1153, 1340, 1600])
def test_default_height_shows_the_whole_view(api, open_page, width):
    page = open_page(width=width)
    page.set_viewport_size({"width": width + 60, "height": 900})
    height = inspect.signature(OcclusionExplorer).parameters["height"].default
    page.evaluate(f"() => {{ model.values.height = {height}; model.trigger('change:height'); }}")
    expect(page.get_by_test_id("legend-entry").first).to_be_visible()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    hidden = "(elements) => elements.filter((element) => element.scrollHeight > element.clientHeight).map((element) => element.className)"
    assert page.locator(".dwo-pane, .dwo-chips").evaluate_all(hidden) == []
    page.get_by_test_id("tab-images").click()
    expect(page.get_by_test_id("image-search")).to_be_visible()
    for search in ("target", "image-search"):
        assert page.get_by_test_id(search).evaluate(PLACEHOLDER_FITS), search
