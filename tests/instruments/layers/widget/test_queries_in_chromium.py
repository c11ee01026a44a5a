"""What the page asks the index: the tabs of the selected unit, conditions, the map, and the progress with its button."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.instruments.layers.widget.test_in_chromium import open_page, wait_until_painted
from tests.widgets.accessibility import set_theme, violations
from tests.widgets.chromium import blank, browser, shared_page
from tests.widgets.waiting import expect_value, wait_until, wait_until_quiet

__all__ = ["blank", "browser", "open_page", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser


def test_tabs_by_keyboard_and_the_activations_of_each(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    wait_until_painted(page)
    page.get_by_test_id("tab-strongest").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Whole range")).to_have_attribute("aria-selected", "true")
    page.wait_for_function("() => model.values.state.tab === 'range'")
    expect(page.get_by_role("tabpanel", name="Whole range")).to_be_visible()
    groups = page.get_by_test_id("places").get_by_role("group")
    expect(groups).to_have_count(3)
    expect(groups.nth(2)).to_contain_text("nothing to project")
    expect(groups.nth(0)).not_to_contain_text("nothing to project")
    page.get_by_test_id("place-1").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("place-2")).to_be_focused()
    expect(page.get_by_test_id("place-2")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_test_id("source-caption")).to_have_text("range 1 · photograph-1.jpg")
    set_theme(page, "light")
    assert violations(page) == []
    page.get_by_test_id("tab-range").focus()
    page.keyboard.press("End")
    expect(page.get_by_test_id("places-note")).to_contain_text("before the rectifier")
    expect(page.get_by_test_id("place-5")).to_be_attached()


def test_more_than_nine_are_loaded_as_they_come_into_sight(service, open_page):
    service.stored = 36
    page = open_page(service, layer="conv2", unit=7)
    wait_until_painted(page)
    page.get_by_test_id("more").click()
    expect(page.get_by_test_id("place-36")).to_be_attached()
    page.wait_for_function("() => document.querySelector('[data-testid=place-1]').dataset.painted === 'true'")
    wait_until_quiet(page)
    assert page.get_by_test_id("place-36").get_attribute("data-painted") != "true"
    page.get_by_test_id("place-36").scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelector('[data-testid=place-36]').dataset.painted === 'true'")
    page.get_by_test_id("more").click()
    expect(page.get_by_test_id("mosaic-projections-1")).to_be_visible()


def test_a_condition_filters_the_units_and_an_error_is_said_in_words(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    wait_until_painted(page)
    where = page.get_by_test_id("where")
    where.focus()
    expect(page.get_by_test_id("where-columns")).to_contain_text("class_purity")
    where.fill("unit < 5")
    expect(page.get_by_test_id("count")).to_have_text("5 of 60")
    page.wait_for_function("() => model.values.state.where === 'unit < 5'")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("where-columns")).to_be_hidden()  # they would cover the units
    where.fill("size < 5")
    expect(page.get_by_test_id("where-error")).to_contain_text("The columns are unit, selectivity.")
    expect(page.get_by_test_id("count")).not_to_have_text("5 of 60")  # no filter
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("where-error")).to_be_hidden()
    page.get_by_test_id("sort").select_option("copies")
    units = "[...document.querySelectorAll('.dwx-tile')].slice(0, 2).map((tile) => tile.dataset.unit)"
    expect_value(page, units, ["1", "2"])
    wait_until_painted(page)
    page.get_by_test_id("tile-2").click()
    expect(page.get_by_test_id("peaks")).to_have_text("2 peaks")
    page.get_by_test_id("near-copy").click()
    expect(page.get_by_test_id("detail-title")).to_have_text("Unit 1")


def test_the_index_is_cancelled_and_resumed(building_service, open_page):
    service = building_service
    service.crops = 30
    page = open_page(service, layer="conv2")
    progress = page.get_by_test_id("progress")
    expect(progress).to_contain_text("30 of 120")
    page.evaluate(
        "(progress) => model.trigger('msg:custom', {event: 'progress', progress, layers: ['conv2']}, [])",
        {"job": "index", "done": 30, "total": 120, "rate": 15.0, "message": ""},
    )
    expect(progress).to_contain_text("15.0 images/s · 6 s left")
    page.get_by_test_id("steer-index").click()
    expect(progress).to_contain_text("was cancelled")
    wait_until_painted(page)  # what was shown stays
    wait_until(page, lambda: service.cancelled, "the pass is cancelled")
    page.get_by_test_id("steer-index").click()
    expect(progress).to_contain_text("Building the index")
    wait_until(page, lambda: not service.cancelled, "the pass goes on")


@pytest.mark.slow
def test_units_are_selected_on_the_map(service, open_page):
    page = open_page(service, layer="conv2", unit=7, display="map")
    points = page.locator(".dwl-map .scatterlayer .point")
    expect(points).to_have_count(59)
    wait_until_quiet(page)
    area = page.locator(".dwl-map .nsewdrag").first.bounding_box()
    first, fourth = (points.nth(number).bounding_box() for number in (0, 3))
    left, right, middle = area["x"] + 1, fourth["x"] + fourth["width"] + 1, first["y"] + first["height"] / 2
    page.mouse.move(left, middle - 40)
    page.mouse.down()
    for x, y in ((right, middle - 40), (right, middle + 40), (left, middle + 40), (left, middle - 40)):
        page.mouse.move(x, y, steps=5)
    page.mouse.up()
    page.wait_for_function("() => JSON.stringify(model.values.state.selected_units) === '[0,1,2,4]'")  # unit 3 is dead
    page.get_by_test_id("map-to-grid").click()
    expect(page.get_by_test_id("count")).to_have_text("4 of 60")
    page.get_by_test_id("clear-selected").click()
    page.wait_for_function("() => model.values.state.selected_units === null")
