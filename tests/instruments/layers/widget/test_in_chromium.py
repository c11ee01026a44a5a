"""The front end in a real Chromium, on a page without Jupyter: the kernel is the widget's own handlers on a fake service."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.layers.widget.messages import HANDLERS
from deconvwidgets.instruments.layers.widget.state import checked_state
from tests.widgets.chromium import MODEL, blank, browser, built, kernel

__all__ = ["blank", "browser"]  # pytest finds fixtures by name

# The units in the grid's top row, given where it begins.
TOP_ROW = """(top) => [...document.querySelectorAll(".dwx-tile")]
  .filter((one) => Math.abs(one.getBoundingClientRect().top - top) < 8).map((one) => Number(one.dataset.unit))"""

pytestmark = pytest.mark.browser


@pytest.fixture
def open_page(blank: Page) -> Callable[..., Page]:
    """Open a page with one view on a service."""

    def open_(service: Any, width: int = 1180, **state: Any) -> Page:
        blank.expose_function("kernel", kernel(HANDLERS, service))
        blank.set_content(f"<!doctype html><meta charset=utf-8><style>{built('layers.css')}</style>")
        blank.evaluate(MODEL + "null;")  # Playwright calls a function that an expression comes to
        opened = checked_state(state, {}, service.overview())
        blank.evaluate("([code, state, width]) => globalThis.open(code, state, width)", [built("layers.js"), opened, width])
        return blank

    return open_


def all_painted(page: Page) -> None:
    page.wait_for_function(
        "() => { const all = [...document.querySelectorAll('.dwx-tile')]; return all.length > 0 && all.every((one) =>"
        " one.dataset.painted === 'true' || /inactive in every crop/.test(one.textContent)); }"
    )


def chosen(page: Page) -> int:
    return int(page.locator("[aria-selected=true]").first.get_attribute("data-unit") or -1)


def test_tiles_detail_and_source_arrive_one_request_at_a_time(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    all_painted(page)
    expect(page.get_by_test_id("detail-title")).to_have_text("Unit 7")
    expect(page.get_by_test_id("title")).to_have_text("conv2 · 60 units, 1 dead · top 9 of 40 photographs (120 crops)")
    expect(page.get_by_test_id("entries").locator("li")).to_have_count(9)
    expect(page.get_by_test_id("source-caption")).to_contain_text("photograph-0.jpg")
    expect(page.get_by_text("untrained: random weights")).to_be_visible()
    kinds = [message["kind"] for message in page.evaluate("model.sent")]
    assert kinds.index("mosaics") < kinds.index("unit_detail") < kinds.index("source_image"), "the mosaics go first"
    assert page.evaluate("model.most") <= 2, "one request in flight, and one that nobody waits for"
    background = [message["kind"] for message in page.evaluate("model.sent") if message.get("background")]
    assert set(background) == {"mosaics"}
    assert page.locator(".dwx-tile").count() < 25, "only tiles in sight are in the page"


def test_a_click_shows_the_unit_and_tells_when_it_is_painted(service, open_page):
    page = open_page(service, layer="conv2")
    all_painted(page)
    unit = int(page.locator(".dwx-tile").nth(3).get_attribute("data-unit") or -1)
    page.get_by_test_id(f"tile-{unit}").click()
    page.wait_for_function(f"() => painted.some((one) => one.unit === {unit})")
    assert 0 < page.evaluate("painted.at(-1).ms") < 5000
    assert page.evaluate("painted.at(-1).kind") == "detail"
    expect(page.locator("[data-testid=mosaic-patches-1]")).to_have_attribute("aria-pressed", "true")
    page.wait_for_function(f"() => model.values.state.unit === {unit}")


def test_scrolling_does_not_wait_and_brings_what_is_in_sight(service, open_page):
    page = open_page(service, layer="conv2", sort="index")
    all_painted(page)
    page.evaluate("model.held = true")
    page.get_by_test_id("grid").evaluate("(grid) => { grid.scrollTop = grid.scrollHeight; }")
    expect(page.get_by_test_id("tile-59")).to_be_visible()
    assert page.get_by_test_id("tile-59").get_attribute("data-painted") == "false"
    for top in (0, 900, 3000, 10**6):  # nothing piles up while the kernel is busy
        page.get_by_test_id("grid").evaluate(f"(grid) => {{ grid.scrollTop = {top}; }}")
        page.wait_for_timeout(40)
    assert page.evaluate("model.waiting.length") == 1
    page.evaluate("model.release()")
    all_painted(page)


def test_the_scroll_position_joins_the_state_and_is_restored(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=0, scroll=40)
    all_painted(page)
    top = page.get_by_test_id("grid").bounding_box()["y"]
    assert 40 in page.evaluate(TOP_ROW, top), "it opens there, though the chosen unit is elsewhere"
    page.wait_for_timeout(500)
    assert page.evaluate("model.values.state.scroll") == 40
    page.get_by_test_id("grid").evaluate("(grid) => { grid.scrollTop = 0; }")
    page.wait_for_function("() => model.values.state.scroll === 0")
    page.evaluate("model.set('state', {...model.values.state, scroll: 50}); model.tell('change:state')")
    page.wait_for_function(f"(top) => ({TOP_ROW})(top).includes(50) || document.querySelector('[data-testid=tile-59]')", arg=top)
    page.get_by_test_id("sort").select_option("mean")
    page.wait_for_function("() => model.values.state.scroll === null")
    assert page.get_by_test_id("grid").evaluate("(grid) => grid.scrollTop") == 0, "another order is read from its beginning"


def test_where_the_chosen_unit_is_in_sight_no_scroll_position_is_kept(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=59)
    all_painted(page)
    page.wait_for_timeout(500)
    assert page.get_by_test_id("grid").evaluate("(grid) => grid.scrollTop") > 0
    assert page.evaluate("model.values.state.scroll") is None


def test_a_click_does_not_wait_for_the_tile_under_way(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=0)
    all_painted(page)
    page.evaluate("model.heldBackground = true")
    page.get_by_test_id("grid").evaluate("(grid) => { grid.scrollTop = 700; }")
    page.wait_for_function("() => model.waiting.length === 1")  # a tile, which the kernel is busy with
    unit = int(page.locator(".dwx-tile[data-painted=false]").last.get_attribute("data-unit") or -1)
    page.get_by_test_id(f"tile-{unit}").click()
    page.wait_for_function(f"() => painted.some((one) => one.unit === {unit})")
    assert page.evaluate("model.waiting.length") == 1, "no other tile is asked for meanwhile"
    page.evaluate("model.release()")
    all_painted(page)


def test_a_unit_that_is_pointed_at_is_there_when_it_is_clicked(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=0)
    all_painted(page)
    side = page.evaluate("model.sent.findLast((one) => one.kind === 'mosaics' && one.unit === 0 && !one.background).tile")
    page.get_by_test_id("tile-4").hover()
    page.wait_for_function(f"() => model.sent.some((one) => one.unit === 4 && one.tile === {side} && one.background)")
    page.wait_for_timeout(200)
    page.evaluate("model.held = true")
    page.get_by_test_id("tile-4").click()
    page.wait_for_function("() => painted.some((one) => one.unit === 4)")


@pytest.mark.parametrize(("view", "unasked"), [("patches", "top_activations"), ("projections", "patches")])
def test_tiles_ask_for_what_they_show_alone(service, open_page, view, unasked):
    page = open_page(service, layer="conv2", sort="index", unit=0, view=view)
    all_painted(page)
    parts = page.evaluate("model.sent.filter((one) => one.kind === 'mosaics' && one.background).map((one) => one.parts.join())")
    assert set(parts) == {view}
    small = {rest[-1] for kind, rest in service.calls if kind == ("patches" if view == "patches" else "top_activations")}
    assert not any(kind == unasked and rest[-1] == min(small) and rest[1] != 0 for kind, rest in service.calls)


def test_the_photograph_stays_in_sight_beneath_a_pinned_unit(service, open_page):
    page = open_page(service, layer="conv2", unit=7, pinned={"layer": "conv2", "unit": 9})
    all_painted(page)
    expect(page.get_by_test_id("pinned")).to_be_visible()
    page.wait_for_function("() => document.querySelector('[data-testid=source]').getBoundingClientRect().height > 0")
    column, photograph = page.get_by_test_id("detail").bounding_box(), page.get_by_test_id("source").bounding_box()
    assert photograph["height"] >= 90
    assert photograph["y"] + photograph["height"] <= column["y"] + column["height"]
    assert page.get_by_test_id("detail").evaluate("(one) => one.scrollHeight <= one.clientHeight")
    chosen_side = page.get_by_test_id("mosaic-projections").bounding_box()["width"]
    assert page.get_by_test_id("pinned-mosaic-projections").bounding_box()["width"] == chosen_side, "to be compared"
    places = [page.get_by_test_id(f"{name}-patches").bounding_box()["x"] for name in ("mosaic", "pinned-mosaic")]
    assert places[0] == places[1], "one beneath the other"
    page.get_by_test_id("unpin").click()
    mosaic = "document.querySelector('[data-testid=mosaic-projections]')"
    page.wait_for_function(f"() => {mosaic}.getBoundingClientRect().width > {chosen_side}")


def test_keys_move_open_pin_search_and_stay_inside(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=0)
    all_painted(page)
    page.evaluate("globalThis.leaked = []; document.addEventListener('keydown', (event) => leaked.push(event.key))")
    page.get_by_test_id("grid").focus()
    page.keyboard.press("ArrowRight")
    assert chosen(page) == 1
    page.keyboard.press("End")
    assert chosen(page) == 59
    expect(page.get_by_test_id("tile-59")).to_be_in_viewport()
    page.keyboard.press("p")
    page.keyboard.press("Home")
    expect(page.get_by_test_id("pinned-open")).to_have_text("Pinned: conv2 unit 59")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("mosaic-projections-4")).to_be_focused()
    expect(page.get_by_test_id("source-caption")).to_contain_text("photograph-3.jpg")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("grid")).to_be_focused()
    page.keyboard.press("1")
    expect(page.get_by_test_id("layer-conv1")).to_have_attribute("aria-current", "true")
    page.keyboard.press("/")
    page.keyboard.type("17")
    page.keyboard.press("Enter")
    assert chosen(page) == 17
    assert page.evaluate("leaked") == [], "nothing reaches the notebook"
    page.get_by_test_id("grid").focus()
    for key in ("z", "d", "Control+s"):
        page.keyboard.press(key)
    assert page.evaluate("leaked.filter((key) => key !== 'Control')") == ["s"], "the notebook gets its own shortcuts only"


def test_a_class_filters_and_escape_ends_it(service, open_page):
    page = open_page(service, layer="conv2")
    all_painted(page)
    page.get_by_test_id("search").fill("sunfl")
    table = service.unit_table("conv2")
    count = int((table.labels == 2).any(axis=1).sum())
    expect(page.get_by_test_id("count")).to_have_text(f"{count} of 60")
    page.get_by_test_id("search").fill("zebra")
    expect(page.get_by_text("No unit of conv2 has")).to_be_visible()
    page.get_by_test_id("search").press("Escape")
    expect(page.get_by_test_id("count")).to_have_text("60 units")


def test_a_refused_rule_is_told_once_with_the_way_on(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    all_painted(page)
    expect(page.get_by_test_id("refusal")).to_be_hidden()
    before = len(service.calls)
    page.get_by_test_id("rule-guided").click()
    expect(page.get_by_test_id("refusal")).to_contain_text("no rule for 'gelu'")
    all_painted(page)
    assert page.get_by_text("no rule for 'gelu'").count() == 1, "not in every tile"
    expect(page.get_by_test_id("detail-error")).to_be_hidden()
    expect(page.get_by_text("No guided projection")).to_be_visible()
    asked = [rest for kind, rest in service.calls[before:] if kind == "top_activations"]
    assert len(asked) <= 4, "one refusal speaks for all of the layer's units"
    page.get_by_test_id("grid").evaluate("(grid) => { grid.scrollTop = 900; }")
    page.wait_for_timeout(200)
    all_painted(page)
    assert len([rest for kind, rest in service.calls[before:] if kind == "top_activations"]) == len(asked)
    page.get_by_test_id("layer-conv1").click()
    expect(page.get_by_test_id("refusal")).to_be_hidden()
    page.get_by_test_id("layer-conv2").click()
    page.get_by_test_id("use-gradient").click()
    expect(page.get_by_test_id("refusal")).to_be_hidden()
    expect(page.get_by_test_id("rule-gradient")).to_have_attribute("aria-checked", "true")
    all_painted(page)
    assert any(rest[2] == "gradient" for kind, rest in service.calls if kind == "top_activations")


def test_a_failed_mosaic_is_told_in_its_place_and_the_next_action_works(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    all_painted(page)
    service.breaks = ServiceError("The disk is gone.")
    page.get_by_test_id("rule-gradient").click()
    expect(page.get_by_test_id("detail-error")).to_have_text("The disk is gone.")
    service.breaks = None
    page.get_by_test_id("rule-deconvnet").click()
    expect(page.get_by_test_id("detail-error")).to_be_hidden()
    page.get_by_test_id("rule-gradient").click()
    expect(page.get_by_test_id("detail-error")).to_be_hidden()
    all_painted(page)


def test_a_dead_unit_says_so(service, open_page):
    page = open_page(service, layer="conv1", unit=3, sort="dead")
    expect(page.get_by_test_id("tile-3")).to_contain_text("inactive in every crop")
    expect(page.get_by_test_id("detail-numbers")).to_contain_text("dead")
    assert chosen(page) == 3
    expect(page.get_by_test_id("source")).to_be_hidden()


def test_the_view_follows_the_building_of_the_index(building_service, open_page):
    page = open_page(building_service, layer="conv2")
    expect(page.get_by_test_id("layer-conv2")).to_be_visible()
    progress = {"job": "index", "done": 30, "total": 120, "rate": 15, "message": ""}
    page.evaluate("(progress) => model.tell('msg:custom', {event: 'progress', progress}, [])", progress)
    expect(page.get_by_test_id("progress")).to_contain_text("30 of 120 images · 15.0 images/s · 6 s left")
    building_service.finish()
    page.evaluate("model.tell('msg:custom', {event: 'changed', progress: null}, [])")
    all_painted(page)
    expect(page.get_by_test_id("progress")).to_be_hidden()
    page.wait_for_function("() => document.querySelector('[data-testid=detail-title]').textContent !== ''")


def test_a_kernel_that_does_not_answer_is_told_in_words_and_may_come_back(service, blank, open_page):
    blank.clock.install()
    page = open_page(service, layer="conv2", unit=7)
    page.clock.run_for(1000)
    expect(page.get_by_test_id("entries").locator("li")).to_have_count(9)
    page.evaluate("model.held = true")
    page.get_by_test_id("layer-conv1").click()
    page.clock.run_for(16_000)
    expect(page.get_by_test_id("status")).to_contain_text("slow")
    page.clock.run_for(32_000)
    expect(page.get_by_test_id("alert")).to_have_text("The kernel does not respond. Run the notebook's cells again.")
    page.evaluate("model.held = false")
    page.clock.resume()
    page.get_by_test_id("layer-conv2").click()
    expect(page.get_by_test_id("alert")).to_be_hidden()
    page.get_by_test_id("layer-conv1").click()
    expect(page.get_by_test_id("count")).to_have_text("24 units")


def test_answers_to_other_views_and_from_before_a_change_are_dropped(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=7)
    all_painted(page)
    page.evaluate("model.held = true")
    page.get_by_test_id("tile-1").click()
    waiting = page.evaluate("model.waiting.at(-1)")
    assert (waiting["kind"], waiting["unit"]) == ("mosaics", 1)
    page.evaluate("(seq) => model.tell('msg:custom', {seq, client: 'another', ok: false, error: 'not for you'}, [])", waiting["seq"])
    page.wait_for_timeout(200)  # a wrong view would show it in the next frame
    assert page.get_by_text("not for you").count() == 0
    page.evaluate("model.tell('msg:custom', {event: 'changed'}, [])")
    page.evaluate("model.release()")
    page.wait_for_function("() => painted.some((one) => one.unit === 1)")
    asked = [rest for kind, rest in service.calls if kind == "top_activations" and rest[1] == 1 and rest[-1] == waiting["tile"]]
    assert len(asked) == 2, "the answer from before the change does not count"


def test_two_views_of_one_widget_each_get_their_answers(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    all_painted(page)
    page.evaluate("open()")
    page.wait_for_function("() => document.querySelectorAll('[data-testid=layer-explorer]').length === 2")
    all_painted(page)
    first, second = page.get_by_test_id("grid").nth(0), page.get_by_test_id("grid").nth(1)
    second.scroll_into_view_if_needed()
    second.locator(".dwx-tile").nth(2).click()
    for grid in (first, second):  # they share the state
        expect(grid.locator("[aria-selected=true]")).to_have_attribute(
            "data-unit", second.locator(".dwx-tile").nth(2).get_attribute("data-unit")
        )
    page.evaluate("closers.forEach((close) => close())")
    assert page.evaluate("model.listening()") == 2, "the client that they shared goes with the model"
    page.evaluate("lifetime.abort()")
    assert page.evaluate("model.listening()") == 0, "nothing listens after the model is gone"
    assert page.locator(".dwx").count() == 0


def test_a_kernel_that_restarts_is_told_at_once_and_no_click_leaves_half_a_view(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=7)
    all_painted(page)
    expect(page.get_by_test_id("source-caption")).to_contain_text("photograph-0.jpg")
    page.get_by_test_id("tile-2").click()
    page.wait_for_function("() => painted.some((one) => one.unit === 2)")
    expect(page.get_by_test_id("entries").locator("li")).to_have_count(9)
    page.wait_for_function("() => !model.flying")
    page.evaluate("model.held = true; model.tell('comm_live_update')")
    expect(page.get_by_test_id("alert")).to_have_text("The kernel does not respond. Run the notebook's cells again.")
    expect(page.get_by_test_id("layer-explorer")).to_have_attribute("data-available", "false")
    page.get_by_test_id("tile-3").click()
    expect(page.get_by_test_id("status")).to_contain_text("Not loaded: without the kernel")
    expect(page.get_by_test_id("detail-title")).to_have_text("Unit 2")
    page.get_by_test_id("tile-7").click()
    expect(page.get_by_test_id("detail-title")).to_have_text("Unit 7"), "it was loaded before"
    expect(page.get_by_test_id("status")).to_be_empty()
    page.get_by_test_id("layer-conv1").click()
    expect(page.get_by_test_id("title")).to_contain_text("conv2")
    page.evaluate("model.waiting.length = 0; model.held = false")  # another kernel
    page.get_by_test_id("tile-4").click()
    expect(page.get_by_test_id("alert")).to_be_hidden()
    expect(page.get_by_test_id("detail-title")).to_have_text("Unit 4"), "what was asked for last is shown now"
    all_painted(page)


def test_what_two_views_show_is_fetched_once(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=7)
    all_painted(page)
    page.wait_for_function("() => !model.flying")
    before = page.evaluate("model.sent.length")
    page.evaluate("open()")
    page.wait_for_function("() => document.querySelectorAll('[data-testid=layer-explorer][data-ready=true]').length === 2")
    all_painted(page)
    page.wait_for_timeout(300)
    assert {one["kind"] for one in page.evaluate("model.sent")[before:]} <= {"hello"}, "each view tells the kernel that it is there"
    page.get_by_test_id("tile-1").first.click()
    page.wait_for_function("() => !model.flying && painted.some((one) => one.unit === 1)")
    keys = [json.dumps({**one, "seq": 0}, sort_keys=True) for one in page.evaluate("model.sent")[before:] if one["kind"] != "hello"]
    assert len(keys) == len(set(keys)), "nothing twice"
    assert len({one["client"] for one in page.evaluate("model.sent")}) == 1


def test_its_height_can_be_changed(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    page.evaluate("model.set('height', 500); model.tell('change:height')")
    box = page.get_by_test_id("layer-explorer").bounding_box()
    assert box
    assert box["height"] == 500


def test_nothing_overflows_at_700_pixels(service, open_page):
    page = open_page(service, width=700, layer="conv2", unit=7)
    all_painted(page)
    wide = page.evaluate(
        "[...document.querySelectorAll('.dwx *')].filter((one) => one.getBoundingClientRect().right > 709).map((one) => one.className)"
    )
    assert wide == []
    detail, grid = page.get_by_test_id("detail").bounding_box(), page.get_by_test_id("grid").bounding_box()
    assert detail
    assert grid
    assert detail["y"] >= grid["y"] + grid["height"], "the chosen unit stands beneath"


def test_export_downloads_what_the_service_draws(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    all_painted(page)
    page.get_by_test_id("export-menu").click()
    with page.expect_download() as download:
        page.get_by_test_id("export-unit.svg").click()
    assert download.value.suggested_filename == "fakenet-conv2-unit7.svg"
    assert download.value.path().read_bytes() == b"<figure>unit.svg"
    kind, state = next(asked for what, asked in service.calls if what == "figure")
    assert (kind, state["unit"], state["layer"]) == ("unit.svg", 7, "conv2")
