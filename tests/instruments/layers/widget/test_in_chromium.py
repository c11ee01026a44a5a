"""The front end of the LayerExplorer in Chromium, without JupyterLab: the widget's handlers answer, with a fake service."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.layers.records import StartUnit
from deconvwidgets.instruments.layers.widget.messages import HANDLERS
from deconvwidgets.instruments.layers.widget.state import checked_state
from deconvwidgets.records.layers import LayerInfo
from tests.widgets.chromium import blank, browser, built, kernel, load_page, most_in_flight, shared_page
from tests.widgets.waiting import expect_value, let_run, wait_until, wait_until_quiet

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

# Returns the units in the first visible row of the grid.
TOP_ROW = """() => {
  const {top} = document.querySelector("[data-testid=grid]").getBoundingClientRect();
  const tiles = [...document.querySelectorAll(".dwx-tile")].filter((tile) => Math.abs(tile.getBoundingClientRect().top - top) < 8);
  return tiles.map((tile) => Number(tile.dataset.unit));
}"""
SAVE_DELAY = 300  # ms
SCROLL_DELAYS = (300, SAVE_DELAY)  # ms, until the end of scrolling is noticed and then the state is saved
SCROLL_TOP = "document.querySelector('[data-testid=grid]').scrollTop"

pytestmark = pytest.mark.browser


@pytest.fixture
def open_page(blank: Page) -> Callable[..., Page]:
    """Return a function that opens a page with one view of a service."""

    def open_(service: Any, width: int = 1180, **state: Any) -> Page:
        load_page(blank, built("layers.css"), kernel(HANDLERS, service))
        opened = checked_state(state, {}, service.overview())
        blank.evaluate("([code, state, width]) => globalThis.open(code, state, width)", [built("layers.js"), opened, width])
        return blank

    return open_


def wait_until_painted(page: Page) -> None:
    page.wait_for_function(
        "() => { const tiles = [...document.querySelectorAll('.dwx-tile')]; return tiles.length > 0 && tiles.every((tile) =>"
        " tile.dataset.painted === 'true' || /inactive in every crop/.test(tile.textContent)); }"
    )


def expect_selected(page: Page, unit: int) -> None:
    expect(page.locator(".dwx-tile[aria-selected=true]")).to_have_attribute("data-unit", str(unit))


@pytest.mark.slow
def test_tiles_detail_and_source_are_requested_one_at_a_time(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    wait_until_painted(page)
    expect(page.get_by_test_id("detail-title")).to_have_text("Unit 7")
    expect(page.get_by_test_id("title")).to_have_text("conv2 · top 9 of 40 photographs (120 crops)")
    expect(page.get_by_test_id("entries").locator("li")).to_have_count(9)
    expect(page.get_by_test_id("source-caption")).to_contain_text("photograph-0.jpg")
    expect(page.get_by_text("untrained: random weights")).to_be_visible()
    kinds = [message["kind"] for message in page.evaluate("model.sent")]
    assert kinds.index("mosaics") < kinds.index("unit_detail") < kinds.index("source_image"), "mosaics are requested first"
    assert [most_in_flight(page, lane) for lane in ("urgent", "background")] == [1, 1]
    background = [message["kind"] for message in page.evaluate("model.sent") if message.get("background")]
    assert set(background) == {"mosaics"}
    assert page.locator(".dwx-tile").count() < 25, "only visible tiles are in the page"


@pytest.mark.slow
def test_click_shows_the_unit_and_dispatches_a_painted_event(service, open_page):
    page = open_page(service, layer="conv2")
    wait_until_painted(page)
    unit = int(page.locator(".dwx-tile").nth(3).get_attribute("data-unit") or -1)
    page.get_by_test_id(f"tile-{unit}").click()
    page.wait_for_function(f"() => painted.some((event) => event.unit === {unit})")
    event = page.evaluate("(unit) => painted.find((event) => event.unit === unit)", unit)
    assert event["kind"] == "detail"
    assert 0 < event["ms"] < 60_000  # benchmarks/ measures it; a busy machine is many times slower
    expect(page.locator("[data-testid=mosaic-patches-1]")).to_have_attribute("aria-pressed", "true")
    page.wait_for_function(f"() => model.values.state.unit === {unit}")


def test_scrolling_loads_only_the_visible_tiles(service, open_page):
    page = open_page(service, layer="conv2", sort="index")
    wait_until_painted(page)
    page.evaluate("model.blocked = true")
    page.get_by_test_id("grid").evaluate("(grid) => { grid.scrollTop = grid.scrollHeight; }")
    expect(page.get_by_test_id("tile-59")).to_be_visible()
    assert page.get_by_test_id("tile-59").get_attribute("data-painted") == "false"
    for top in (0, 900, 3000, 10**6):  # requests do not accumulate while the kernel is busy
        page.get_by_test_id("grid").evaluate(f"(grid) => {{ grid.scrollTop = {top}; }}")
        let_run(page)
    assert page.evaluate("model.waiting.length") == 1
    page.evaluate("model.release()")
    wait_until_painted(page)


@pytest.mark.slow
def test_scroll_position_is_saved_in_the_state_and_restored(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=0, scroll=40)
    wait_until_painted(page)
    wait_until(page, lambda: 40 in page.evaluate(TOP_ROW), "it opens there, though the selected unit is not visible there")
    let_run(page, *SCROLL_DELAYS)
    assert page.evaluate("model.values.state.scroll") == 40
    page.get_by_test_id("grid").evaluate("(grid) => { grid.scrollTop = 0; }")
    page.wait_for_function("() => model.values.state.scroll === 0")
    page.evaluate("model.set('state', {...model.values.state, scroll: 50}); model.trigger('change:state')")
    page.wait_for_function(f"() => ({TOP_ROW})().includes(50) || document.querySelector('[data-testid=tile-59]')")
    page.get_by_test_id("sort").select_option("mean")
    page.wait_for_function("() => model.values.state.scroll === null")
    expect_value(page, SCROLL_TOP, 0, because="another order starts at its first unit")


def test_no_scroll_position_is_saved_if_the_selected_unit_is_visible(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=59)
    wait_until_painted(page)
    wait_until(page, lambda: page.evaluate(SCROLL_TOP) > 0, "the grid scrolls to the selected unit")
    let_run(page, *SCROLL_DELAYS)
    assert page.evaluate(SCROLL_TOP) > 0
    assert page.evaluate("model.values.state.scroll") is None


def test_click_does_not_wait_for_pending_tiles(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=0)
    wait_until_painted(page)
    page.evaluate("model.blockedBackground = true")
    page.get_by_test_id("grid").evaluate("(grid) => { grid.scrollTop = 700; }")
    page.wait_for_function("() => model.waiting.length === 1")  # a tile, with which the kernel is busy
    unit = int(page.locator(".dwx-tile[data-painted=false]").last.get_attribute("data-unit") or -1)
    page.get_by_test_id(f"tile-{unit}").click()
    page.wait_for_function(f"() => painted.some((event) => event.unit === {unit})")
    assert page.evaluate("model.waiting.length") == 1, "no other tile is requested meanwhile"
    page.evaluate("model.release()")
    wait_until_painted(page)


def test_hovered_units_are_prefetched(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=0)
    wait_until_painted(page)
    side = page.evaluate("model.sent.findLast((message) => message.kind === 'mosaics' && message.unit === 0 && !message.background).tile")
    page.get_by_test_id("tile-4").hover()
    page.wait_for_function(f"() => model.sent.some((message) => message.unit === 4 && message.tile === {side} && message.background)")
    wait_until_quiet(page)
    page.evaluate("model.blocked = true")
    page.get_by_test_id("tile-4").click()
    page.wait_for_function("() => painted.some((event) => event.unit === 4)")


@pytest.mark.parametrize(("view", "not_called"), [("patches", "top_activations"), ("projections", "patches")])
def test_tiles_request_only_the_images_that_they_show(service, open_page, view, not_called):
    page = open_page(service, layer="conv2", sort="index", unit=0, view=view)
    wait_until_painted(page)
    parts = page.evaluate(
        "model.sent.filter((message) => message.kind === 'mosaics' && message.background).map((message) => message.parts.join())"
    )
    assert set(parts) == {view}
    small = {rest[-1] for kind, rest in service.calls if kind == ("patches" if view == "patches" else "top_activations")}
    assert not any(kind == not_called and rest[-1] == min(small) and rest[1] != 0 for kind, rest in service.calls)


def test_pinned_units_are_shown_below_the_grid(service, open_page):
    """With their statistics; the selected unit keeps its size, and a click selects a pinned one."""
    page = open_page(service, layer="conv2", unit=7)
    wait_until_painted(page)
    side = page.get_by_test_id("mosaic-projections").bounding_box()["width"]
    expect(page.get_by_test_id("pinned")).to_be_hidden()
    page.get_by_test_id("pin").click()
    page.get_by_test_id("layer-conv1").click()
    page.wait_for_function("() => model.values.state.layer === 'conv1' && model.values.state.unit !== null")
    page.get_by_test_id("pin").click()
    table = service.unit_table("conv2")
    card = page.get_by_test_id("pin-conv2-7")
    expect(card).to_contain_text(f"max {table.maximum[7]:.1f}")
    expect(card).to_contain_text("active 50%")
    page.wait_for_function("() => document.querySelector('[data-testid=pin-conv2-7] canvas').width > 100")
    expect_value(page, lambda: page.get_by_test_id("mosaic-projections").bounding_box()["width"], side)
    wait_until(page, lambda: page.get_by_test_id("source").bounding_box()["height"] >= 90, "the source keeps its height")
    card.click()
    expect(page.get_by_test_id("layer-conv2")).to_have_attribute("aria-current", "true")
    expect_selected(page, 7)
    expect(page.get_by_test_id("pin")).to_have_text("Unpin")
    page.get_by_role("button", name="Unpin conv2 · unit 7").click()
    expect(card).to_have_count(0)
    page.wait_for_function("() => model.values.state.pinned.length === 1 && model.values.state.pinned[0].layer === 'conv1'")


def test_pin_of_another_model_and_a_seventh_pin_are_explained(service, open_page):
    pins = [{"model": "vgg16", "layer": "conv13", "unit": 400}, *({"layer": "conv2", "unit": unit} for unit in range(5))]
    page = open_page(service, layer="conv2", unit=7, pinned=pins)
    wait_until_painted(page)
    expect(page.get_by_test_id("pin-conv13-400")).to_contain_text("Pinned in vgg16: open it in an explorer of that model.")
    expect(page.get_by_test_id("pin-conv13-400")).to_be_disabled()
    page.get_by_test_id("pin").click()
    expect(page.get_by_test_id("status")).to_have_text("At most 6 units can be pinned: unpin one first.")
    let_run(page, SAVE_DELAY)
    assert len(page.evaluate("model.values.state.pinned")) == 6


@pytest.mark.slow
def test_strongest_activation_is_enlarged(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    wait_until_painted(page)
    enlarged = page.get_by_test_id("enlarged")
    page.get_by_test_id("mosaic-patches-3").dblclick()
    expect(enlarged).to_be_visible()
    expect(page.get_by_test_id("enlarged-title")).to_contain_text("conv2 · unit 7 · activation 3 of 9")
    expect(enlarged).to_have_attribute("data-sharp", "true")
    for name in ("projection", "patch", "photograph"):
        picture = page.get_by_test_id(f"enlarged-{name}")
        wait_until(page, lambda one=picture: max(one.bounding_box()["width"], one.bounding_box()["height"]) >= 300, f"{name} is large")
    expect(page.get_by_test_id("enlarged-maximum")).to_have_text("18.0 maximum")  # of the fake: 20 minus the rank
    # The maximum of the fake's 13 x 11 map is at row 1 and the column of the rank.
    brightest = """canvas => {
      const {width, height} = canvas, {data} = canvas.getContext('2d').getImageData(0, 0, width, height);
      let best = 0;
      const level = (pixel) => data[4 * pixel] + data[4 * pixel + 1];
      for (let pixel = 0; pixel < width * height; pixel++) if (level(pixel) > level(best)) best = pixel;
      return [Math.floor(Math.floor(best / width) / height * 13), Math.floor((best % width) / width * 11)];
    }"""
    expect_value(page, lambda: page.get_by_test_id("enlarged-map").evaluate(brightest), [1, 2])
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("enlarged-title")).to_contain_text("activation 4 of 9")
    expect(page.get_by_test_id("enlarged-maximum")).to_have_text("17.0 maximum")
    page.get_by_test_id("enlarged-opacity").press("ArrowRight")  # a slider keeps its keys
    expect(page.get_by_test_id("enlarged-opacity-value")).to_have_text("55%")
    page.keyboard.press("p")  # the widget behind it receives no keys
    page.get_by_test_id("enlarged-previous").click()
    page.wait_for_function("() => model.values.state.rank === 2 && model.values.state.pinned.length === 0")
    page.keyboard.press("Escape")
    expect(enlarged).to_be_hidden()
    expect(page.get_by_test_id("mosaic-projections-3")).to_be_focused()
    page.keyboard.press("Enter")
    expect(enlarged).to_be_visible()
    page.mouse.click(2, 2)
    expect(enlarged).to_be_hidden()


def test_enlarged_activation_without_a_projection(service, open_page):
    page = open_page(service, layer="conv2", unit=7, rule="guided")
    wait_until_painted(page)
    page.get_by_test_id("enlarge").click()
    expect(page.get_by_test_id("enlarged")).to_contain_text("gelu has no backward rule")
    expect(page.get_by_test_id("enlarged-patch")).to_be_visible()
    expect(page.get_by_test_id("enlarged-opacity")).to_be_hidden()
    page.get_by_test_id("enlarged-close").click()
    page.get_by_test_id("tile-7").click()
    expect(page.get_by_test_id("enlarged")).to_be_hidden()


def test_tile_size(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=0, width=1430)
    wait_until_painted(page)
    whole = """() => { const grid = document.querySelector('[data-testid=grid]').getBoundingClientRect();
      return [...document.querySelectorAll('.dwx-tile')].map((tile) => tile.getBoundingClientRect())
        .filter(({top, bottom}) => top >= grid.top - 1 && bottom <= grid.bottom + 1).length; }"""
    wait_until(page, lambda: page.evaluate(whole) >= 8, "in a window of 1600 pixels, of which the widget has 1430")
    counts = []
    for size in ("small", "medium", "large"):
        page.get_by_test_id(f"size-{size}").click()
        expect(page.get_by_test_id(f"size-{size}")).to_have_attribute("aria-checked", "true")
        wait_until_painted(page)
        counts.append(page.evaluate(whole))
    assert counts[0] > counts[1] > counts[2]
    page.wait_for_function("() => model.values.state.tile_size === 'large'")


def test_keyboard_shortcuts(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=0)
    wait_until_painted(page)
    page.evaluate("globalThis.leaked = []; document.addEventListener('keydown', (event) => leaked.push(event.key))")
    page.get_by_test_id("grid").focus()
    page.keyboard.press("ArrowRight")
    expect_selected(page, 1)
    page.keyboard.press("End")
    expect_selected(page, 59)
    expect(page.get_by_test_id("tile-59")).to_be_in_viewport()
    page.keyboard.press("p")
    page.keyboard.press("Home")
    expect(page.get_by_test_id("pin-conv2-59")).to_contain_text("conv2 · unit 59")
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
    expect_selected(page, 17)
    assert page.evaluate("leaked") == [], "the notebook does not receive them"
    page.get_by_test_id("grid").focus()
    for key in ("z", "d", "Control+s"):
        page.keyboard.press(key)
    assert page.evaluate("leaked.filter((key) => key !== 'Control')") == ["s"], "other shortcuts are passed on to the notebook"


def test_search_for_a_class_filters_the_units(service, open_page):
    page = open_page(service, layer="conv2")
    wait_until_painted(page)
    page.get_by_test_id("search").fill("sunfl")
    table = service.unit_table("conv2")
    count = int((table.labels == 2).any(axis=1).sum())
    expect(page.get_by_test_id("count")).to_have_text(f"{count} of 60")
    page.get_by_test_id("search").fill("zebra")
    expect(page.get_by_text("No unit of conv2 has")).to_be_visible()
    page.get_by_test_id("search").press("Escape")
    expect(page.get_by_test_id("count")).to_have_text("60 units")


@pytest.mark.slow
def test_refused_rule_is_reported_once_with_an_alternative(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    wait_until_painted(page)
    expect(page.get_by_test_id("refusal")).to_be_hidden()
    before = len(service.calls)
    page.get_by_test_id("rule-guided").click()
    expect(page.get_by_test_id("refusal")).to_contain_text("gelu has no backward rule")
    wait_until_painted(page)
    expect(page.get_by_text("gelu has no backward rule")).to_have_count(1)  # and not in each tile
    expect(page.get_by_test_id("detail-error")).to_be_hidden()
    expect(page.get_by_text("No guided projection")).to_be_visible()
    calls = [rest for kind, rest in service.calls[before:] if kind == "top_activations"]
    assert len(calls) <= 4, "the units of a layer share the error"
    page.get_by_test_id("grid").evaluate("(grid) => { grid.scrollTop = 900; }")
    let_run(page)
    wait_until_painted(page)
    wait_until_quiet(page)
    assert len([rest for kind, rest in service.calls[before:] if kind == "top_activations"]) == len(calls)
    page.get_by_test_id("layer-conv1").click()
    expect(page.get_by_test_id("refusal")).to_be_hidden()
    page.get_by_test_id("layer-conv2").click()
    page.get_by_test_id("use-gradient").click()
    expect(page.get_by_test_id("refusal")).to_be_hidden()
    expect(page.get_by_test_id("rule-gradient")).to_have_attribute("aria-checked", "true")
    wait_until_painted(page)
    assert any(rest[2] == "gradient" for kind, rest in service.calls if kind == "top_activations")


def test_errors_of_mosaics_are_shown_and_cleared_by_the_next_action(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    wait_until_painted(page)
    service.error = ServiceError("The disk is gone.")
    page.get_by_test_id("rule-gradient").click()
    expect(page.get_by_test_id("detail-error")).to_have_text("The disk is gone.")
    service.error = None
    page.get_by_test_id("rule-deconvnet").click()
    expect(page.get_by_test_id("detail-error")).to_be_hidden()
    page.get_by_test_id("rule-gradient").click()
    expect(page.get_by_test_id("detail-error")).to_be_hidden()
    wait_until_painted(page)


def test_dead_units_are_labelled(service, open_page):
    page = open_page(service, layer="conv1", unit=3, sort="dead")
    expect(page.get_by_test_id("tile-3")).to_contain_text("inactive in every crop")
    expect(page.get_by_test_id("detail-numbers")).to_contain_text("dead")
    expect_selected(page, 3)
    expect(page.get_by_test_id("source")).to_be_hidden()


def test_order_dead_first_says_what_it_shows(service, open_page):
    page = open_page(service, layer="conv2", unit=3, sort="dead")
    expect(page.get_by_test_id("dead-note")).to_have_text("1 unit of conv2 is dead, then the weakest follow.")
    page.get_by_test_id("sort").select_option("mean")
    expect(page.get_by_test_id("dead-note")).to_be_hidden()


def test_long_names_of_classes_are_shortened_in_aligned_columns(service, open_page, monkeypatch):
    original = service.unit_detail
    names = [("emu", "African hunting dog, hyena dog, Cape hunting dog"), ("daddy longlegs, harvestman, opilionid", "barn")]

    def unit_detail(layer, unit, predictions=True, **options):
        detail = original(layer, unit, predictions, **options)
        entries = [replace(entry, label=names[at % 2][0], prediction=names[at % 2][1]) for at, entry in enumerate(detail.entries)]
        return replace(detail, entries=tuple(entries))

    monkeypatch.setattr(service, "unit_detail", unit_detail)
    page = open_page(service, layer="conv2", unit=7)
    wait_until_painted(page)
    expect(page.get_by_test_id("entries")).to_contain_text("emu")
    rows = page.get_by_test_id("entries").locator("li").all()
    places = [[part.bounding_box()["x"] for part in row.locator("span").all()] for row in rows]
    assert all(row == places[0] for row in places), "columns are aligned"
    widths = [part.bounding_box()["width"] for part in rows[1].locator("span").all()]
    assert widths[1] >= 0.8 * widths[2], "the label has as much space as the predicted class"
    expect(page.get_by_text("Predicted class", exact=True)).to_be_visible()


def test_view_shows_the_progress_of_the_index_and_loads_when_it_is_complete(building_service, open_page):
    page = open_page(building_service, layer="conv2")
    expect(page.get_by_test_id("layer-conv2")).to_be_visible()
    progress = {"job": "index", "done": 30, "total": 120, "rate": 15, "message": ""}
    page.evaluate("(progress) => model.trigger('msg:custom', {event: 'progress', progress}, [])", progress)
    expect(page.get_by_test_id("progress")).to_contain_text("30 of 120 crops · 15.0 images/s · 6 s left")
    building_service.finish()
    page.evaluate("model.trigger('msg:custom', {event: 'changed', progress: null}, [])")
    wait_until_painted(page)
    expect(page.get_by_test_id("progress")).to_be_hidden()
    page.wait_for_function("() => document.querySelector('[data-testid=detail-title]').textContent !== ''")


def test_view_shows_the_strongest_so_far_and_replaces_them_when_the_index_is_complete(building_service, open_page):
    page = open_page(building_service, layer="conv2")
    expect(page.get_by_test_id("layer-conv2")).to_be_visible()
    building_service.crops = 30
    progress = {"job": "index", "done": 36, "total": 120, "rate": 15, "message": ""}
    partial = {"event": "partial", "progress": progress, "layers": ["conv2"]}
    page.evaluate("(event) => model.trigger('msg:custom', event, [])", partial)
    wait_until_painted(page)
    expect(page.get_by_test_id("progress")).to_contain_text("Strongest in the first 30 of 120 crops")
    expect(page.get_by_test_id("detail-numbers")).to_contain_text("of 30 crops")
    expect(page.get_by_test_id("tile-3")).to_have_count(0)
    let_run(page, SAVE_DELAY)
    assert page.evaluate("model.values.state.unit") is None, "the strongest unit is chosen when the index is complete"
    building_service.crops, before = 60, len(page.evaluate("model.sent"))
    building_service.version += 1  # other activations
    page.evaluate("(event) => model.trigger('msg:custom', event, [])", partial)
    expect(page.get_by_test_id("progress")).to_contain_text("Strongest in the first 60 of 120 crops")
    page.wait_for_function("(before) => model.sent.slice(before).filter(({kind}) => kind === 'mosaics').length > 6", arg=before)
    renewed = page.evaluate("(before) => model.sent.slice(before)", before)
    assert all(message.get("refresh") for message in renewed if message["kind"] in ("unit_table", "mosaics", "unit_detail"))
    before = len(page.evaluate("model.sent"))
    building_service.finish()
    page.evaluate("model.trigger('msg:custom', {event: 'changed', progress: null}, [])")
    expect(page.get_by_test_id("progress")).to_be_hidden()
    page.wait_for_function("() => model.values.state.unit !== null")
    page.wait_for_function("(before) => model.sent.slice(before).filter(({kind}) => kind === 'mosaics').length > 6", arg=before)


def test_mosaics_stay_when_only_the_classifier_changes(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    wait_until_painted(page)
    expect(page.get_by_test_id("entries").locator("li")).to_have_count(9)
    before = len(page.evaluate("model.sent"))
    page.evaluate("model.trigger('msg:custom', {event: 'changed', progress: null}, [])")
    page.wait_for_function("(before) => model.sent.slice(before).some(({kind}) => kind === 'unit_detail')", arg=before)
    wait_until_quiet(page)
    kinds = [message["kind"] for message in page.evaluate("model.sent")[before:]]
    assert "unit_table" in kinds
    assert "mosaics" not in kinds


def test_all_layers_are_listed_searched_and_opened(service, open_page):
    service.more = tuple(LayerInfo(f"block.{number}", None, "Block", 16, 7, 7, None, None, None) for number in range(500))
    page = open_page(service, layer="conv2", unit=7)
    expect(page.locator(".dwx-layer")).to_have_count(3)
    page.get_by_test_id("all-layers").click()
    expect(page.locator(".dwx-layer")).to_have_count(503)
    search = page.get_by_test_id("layer-search")
    search.fill("block.49")
    expect(page.locator(".dwx-layer")).to_have_count(11)
    milliseconds = page.evaluate(
        """() => { const search = document.querySelector('[data-testid=layer-search]'); search.value = ''; const start = performance.now();
        search.dispatchEvent(new Event('input'));
        return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)))); }"""
    )
    assert milliseconds < 10_000  # about 100 on an idle machine
    search.fill("BLOCK.499.relu")
    expect(page.get_by_test_id("layer-block.499")).to_contain_text("block.499.relu#2")
    search.press("Enter")
    page.wait_for_function("() => model.sent.some(({kind, layer}) => kind === 'unit_table' && layer === 'block.499')")
    wait_until(page, lambda: ("table", ("block.499",)) in service.calls, "the table of the layer is read")
    page.evaluate("model.trigger('msg:custom', {event: 'changed', progress: null}, [])")
    expect(page.get_by_test_id("title")).to_contain_text("block.499")
    page.get_by_test_id("all-layers").click()
    search.fill("")
    expect(page.locator(".dwx-layer")).to_have_count(4)
    expect(page.locator(".dwx-layer b").last).to_have_text("block.499")
    page.get_by_test_id("grid").press("2")
    page.wait_for_function("() => model.values.state.layer === 'conv2'")
    print(f"500 layers in {milliseconds:.0f} ms")


# Types a text into the field that finds layers, and presses Enter before the next frame.
TYPE_FAST = """(field, text) => {
  field.value = text;
  field.dispatchEvent(new Event("input", {bubbles: true}));
  field.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true}));
}"""


def test_enter_opens_the_layer_that_the_last_letter_finds(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    wait_until_painted(page)
    page.get_by_test_id("layer-search").evaluate(TYPE_FAST, "odd")
    expect(page.get_by_test_id("layer-odd.layer")).to_have_attribute("aria-current", "true")


@pytest.mark.own_page  # whose clock is replaced
def test_unresponsive_kernel_is_reported_until_it_answers_again(service, blank, open_page):
    blank.clock.install()
    page = open_page(service, layer="conv2", unit=7)
    page.clock.run_for(1000)
    expect(page.get_by_test_id("entries").locator("li")).to_have_count(9)
    page.evaluate("model.blocked = true")
    page.get_by_test_id("layer-conv1").click()
    page.clock.run_for(16_000)
    expect(page.get_by_test_id("status")).to_contain_text("slow")
    page.clock.run_for(32_000)
    expect(page.get_by_test_id("alert")).to_have_text("The kernel does not respond. Run the notebook's cells again.")
    page.evaluate("model.blocked = false")
    page.clock.resume()
    page.get_by_test_id("layer-conv2").click()
    expect(page.get_by_test_id("alert")).to_be_hidden()
    page.get_by_test_id("layer-conv1").click()
    expect(page.get_by_test_id("count")).to_have_text("24 units")


def test_replies_to_other_clients_and_outdated_replies_are_ignored(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=7)
    wait_until_painted(page)
    page.evaluate("model.blocked = true")
    page.get_by_test_id("tile-1").click()
    mosaics = "model.waiting.findLast(({kind, background}) => kind === 'mosaics' && !background)"
    page.wait_for_function(f"{mosaics}?.unit === 1")
    waiting = page.evaluate(mosaics)
    page.evaluate(
        "(seq) => model.trigger('msg:custom', {seq, client: 'another', ok: false, error: 'of another client'}, [])", waiting["seq"]
    )
    let_run(page)  # the error would be shown in the next frame
    assert page.get_by_text("of another client").count() == 0
    page.evaluate("model.trigger('msg:custom', {event: 'changed'}, [])")
    page.evaluate("model.release()")
    page.wait_for_function("() => painted.some((event) => event.unit === 1)")
    calls = [rest for kind, rest in service.calls if kind == "top_activations" and rest[1] == 1 and rest[-1] == waiting["tile"]]
    assert len(calls) == 2, "the reply from before the change is ignored"


def test_two_views_share_a_state_and_a_client(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    wait_until_painted(page)
    page.evaluate("open()")
    page.wait_for_function("() => document.querySelectorAll('[data-testid=layer-explorer]').length === 2")
    wait_until_painted(page)
    first, second = page.get_by_test_id("grid").nth(0), page.get_by_test_id("grid").nth(1)
    second.scroll_into_view_if_needed()
    second.locator(".dwx-tile").nth(2).click()
    for grid in (first, second):  # they share the state
        expect(grid.locator("[aria-selected=true]")).to_have_attribute(
            "data-unit", second.locator(".dwx-tile").nth(2).get_attribute("data-unit")
        )
    page.evaluate("closers.forEach((close) => close())")
    assert page.evaluate("model.listenerCount()") == 2, "their shared client is closed with the model"
    page.evaluate("lifetime.abort()")
    assert page.evaluate("model.listenerCount()") == 0, "no listener remains after the model is closed"
    assert page.locator(".dwx").count() == 0


@pytest.mark.slow
def test_kernel_restart_is_reported_and_the_view_stays_consistent(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=7)
    wait_until_painted(page)
    expect(page.get_by_test_id("source-caption")).to_contain_text("photograph-0.jpg")
    page.get_by_test_id("tile-2").click()
    page.wait_for_function("() => painted.some((event) => event.unit === 2)")
    expect(page.get_by_test_id("entries").locator("li")).to_have_count(9)
    wait_until_quiet(page)
    page.evaluate("model.blocked = true; model.trigger('comm_live_update')")
    expect(page.get_by_test_id("alert")).to_have_text("The kernel was restarted. Run the cell again.")
    expect(page.get_by_test_id("layer-explorer")).to_have_attribute("data-available", "false")
    page.get_by_test_id("tile-3").click()
    expect(page.get_by_test_id("status")).to_contain_text("Not loaded: without the kernel")
    expect(page.get_by_test_id("detail-title")).to_have_text("Unit 2")
    page.get_by_test_id("tile-7").click()
    expect(page.get_by_test_id("detail-title")).to_have_text("Unit 7"), "it is in the cache"
    expect(page.get_by_test_id("status")).to_be_empty()
    page.get_by_test_id("layer-conv1").click()
    expect(page.get_by_test_id("title")).to_contain_text("conv2")
    page.evaluate("model.waiting.length = 0; model.blocked = false")  # another kernel
    page.get_by_test_id("tile-4").click()
    expect(page.get_by_test_id("alert")).to_be_hidden()
    expect(page.get_by_test_id("detail-title")).to_have_text("Unit 4"), "the last selection is shown"
    wait_until_painted(page)


def test_two_views_share_their_requests(service, open_page):
    page = open_page(service, layer="conv2", sort="index", unit=7)
    wait_until_painted(page)
    before = wait_until_quiet(page)
    page.evaluate("open()")
    page.wait_for_function("() => document.querySelectorAll('[data-testid=layer-explorer][data-ready=true]').length === 2")
    wait_until_painted(page)
    wait_until_quiet(page)
    assert {message["kind"] for message in page.evaluate("model.sent")[before:]} <= {"hello", "used"}, "each view says hello to the kernel"
    page.get_by_test_id("tile-1").first.click()
    page.wait_for_function("() => painted.some((event) => event.unit === 1)")
    wait_until_quiet(page)
    requests = [message for message in page.evaluate("model.sent")[before:] if message["kind"] not in ("hello", "used")]
    keys = [json.dumps({**message, "seq": 0}, sort_keys=True) for message in requests]
    assert len(keys) == len(set(keys)), "no request is repeated"
    assert len({message["client"] for message in page.evaluate("model.sent")}) == 1


def test_height_can_be_changed(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    page.evaluate("model.set('height', 500); model.trigger('change:height')")
    box = page.get_by_test_id("layer-explorer").bounding_box()
    assert box
    assert box["height"] == 500


def test_nothing_overflows_at_700_pixels(service, open_page):
    page = open_page(service, width=700, layer="conv2", unit=7)
    wait_until_painted(page)
    wide = page.evaluate(
        "[...document.querySelectorAll('.dwx *')].filter((element) => element.getBoundingClientRect().right > 709)"
        ".map((element) => element.className)"
    )
    assert wide == []
    detail, grid = page.get_by_test_id("detail"), page.get_by_test_id("grid")
    expect(detail).to_be_hidden()
    page.get_by_test_id("tile-7").click()
    expect(detail).to_be_visible()
    assert detail.bounding_box()["y"] <= grid.bounding_box()["y"], "it is over the grid"
    page.get_by_test_id("detail-close").click()
    expect(detail).to_be_hidden()
    expect(grid).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("mosaic-projections-1")).to_be_focused()
    page.keyboard.press("Escape")
    expect(detail).to_be_hidden()


def test_export_downloads_the_figure_of_the_service(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    wait_until_painted(page)
    page.get_by_test_id("export-menu").click()
    with page.expect_download() as download:
        page.get_by_test_id("export-unit.svg").click()
    assert download.value.suggested_filename == "fakenet-conv2-unit7.svg"
    assert download.value.path().read_bytes() == b"<figure>unit.svg"
    kind, state = next(arguments for name, arguments in service.calls if name == "figure")
    assert (kind, state["unit"], state["layer"], state["size"]) == ("unit.svg", 7, "conv2", "medium")


def test_the_export_menu_has_a_row_for_each_figure_and_keeps_the_size(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    page.get_by_test_id("export-menu").click()
    expect(page.get_by_role("menuitem", name="Units of the layer: PNG")).to_be_focused()
    for key, name in (("ArrowDown", "unit.png"), ("ArrowRight", "unit.svg"), ("ArrowDown", "pinned.svg"), ("ArrowUp", "unit.svg")):
        page.keyboard.press(key)
        expect(page.get_by_test_id(f"export-{name}")).to_be_focused()
    page.get_by_test_id("figure-size-large").click()
    expect(page.get_by_test_id("figure-size-large")).to_have_attribute("aria-checked", "true")
    expect(page.get_by_test_id("figure-size-medium")).to_have_attribute("aria-checked", "false")
    with page.expect_download() as download:
        page.get_by_test_id("export-layers.pdf").click()
    assert download.value.suggested_filename == "fakenet-layers.pdf"
    kind, state = [arguments for name, arguments in service.calls if name == "figure"][-1]
    assert (kind, state["size"]) == ("layers.pdf", "large")


@pytest.mark.slow
def test_units_to_start_with_and_bookmarks_stand_above_the_grid(service, open_page, monkeypatch):
    table = service.layers.unit_table
    start = (StartUnit(9, "sunflower", 6, 9, 13.2),)
    monkeypatch.setattr(
        service.layers, "unit_table", lambda layer, **options: replace(table(layer, **options), start=start if layer == "conv2" else ())
    )
    page = open_page(service, layer="conv2", unit=7)
    chip = page.get_by_test_id("go-conv2-9")
    expect(chip).to_have_attribute("title", "Caltech-101: sunflower 6 of 9, selectivity 13.2")
    expect(chip).not_to_contain_text("sunflower")  # these images have no such class
    expect(chip).to_contain_text("/9")
    chip.click()
    page.wait_for_function("() => model.values.state.unit === 9")
    page.get_by_test_id("grid").focus()
    page.keyboard.press("b")
    page.wait_for_function("""() => JSON.stringify(model.values.state.bookmarks) === '[["conv2",9]]'""")
    expect(page.get_by_test_id("bookmark")).to_have_attribute("aria-pressed", "true")
    page.get_by_test_id("layer-conv1").click()
    page.get_by_test_id("go-conv2-9").click()
    page.wait_for_function("() => model.values.state.layer === 'conv2' && model.values.state.unit === 9")
    page.get_by_test_id("bookmark").click()
    page.wait_for_function("() => model.values.state.bookmarks.length === 0")
