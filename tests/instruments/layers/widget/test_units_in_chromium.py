"""Switching units off in Chromium: in the grid, in the pane of the selected unit, and in the header that all widgets share."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from deconvwidgets.instruments.layers.widget.explorer import LayerExplorer
from deconvwidgets.instruments.layers.widget.state import checked_state
from tests.instruments.layers.widget.test_in_chromium import wait_until_painted
from tests.widgets.accessibility import set_theme, violations
from tests.widgets.chromium import blank, browser, built, kernel, load_page, shared_page
from tests.widgets.waiting import expect_value

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser


@pytest.fixture
def page(service, blank):
    load_page(blank, built("layers.css"), kernel(LayerExplorer.HANDLERS, service))
    state = checked_state({"layer": "conv2", "unit": 7, "sort": "index"}, {}, service.overview())
    blank.evaluate("([code, state]) => globalThis.open(code, state, 1180)", [built("layers.js"), state])
    wait_until_painted(blank)
    return blank


def test_a_unit_is_switched_off_and_on(service, page):
    badge, tile = page.get_by_test_id("units"), page.get_by_test_id("tile-7")
    expect(badge).to_have_text("Units")
    page.get_by_test_id("grid").focus()
    page.keyboard.press("x")
    expect(badge).to_have_text("1 unit off")
    expect(tile.locator(".dwx-tile-mark")).to_have_text("off")
    expect(page.get_by_test_id("unit-switch")).to_have_attribute("aria-checked", "false")
    expect_value(page, lambda: service.units, {("conv2", 7): 0})  # the page shows it before the reply
    page.get_by_test_id("tile-2").hover()
    page.get_by_test_id("tile-2").locator(".dwx-tile-switch").click()
    expect(badge).to_have_text("2 units off")
    expect(page.get_by_test_id("detail-title")).to_have_text("Unit 7")  # a switch does not select
    page.get_by_test_id("factor").fill("2.5")
    page.keyboard.press("Enter")
    expect(badge).to_have_text("2 units changed")
    expect_value(page, lambda: service.units, {("conv2", 7): 2.5, ("conv2", 2): 0})
    page.get_by_test_id("factor").fill("7")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("factor")).to_have_value("2.5")  # 0 to 4
    page.get_by_test_id("unit-switch").click()
    expect(badge).to_have_text("2 units off")
    page.get_by_test_id("reset-units").click()
    expect(badge).to_have_text("Units")
    expect(page.get_by_test_id("reset-units")).to_be_hidden()
    expect(tile.locator(".dwx-tile-mark")).to_be_hidden()
    expect_value(page, lambda: service.units, {})


def test_the_panel_lists_units_by_keyboard_alone(service, page):
    service.set_units({("conv2", 3): 0.0, ("odd.layer", 4): 0.5})
    page.evaluate("model.trigger('msg:custom', {event: 'changed', progress: null}, [])")
    badge = page.get_by_test_id("units")
    expect(badge).to_have_text("2 units changed")
    badge.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("units-panel")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.get_by_test_id("unit-switch-conv2-3")).to_have_attribute("aria-checked", "true")
    expect(badge).to_have_text("1 unit changed")
    expect(page.get_by_test_id("unit-list").locator("li")).to_have_count(2)  # so that it can be switched off again
    page.keyboard.press("Space")
    expect(badge).to_have_text("2 units changed")
    for _ in range(3):  # the other switch, the button to train again, the field
        page.keyboard.press("Tab")
    page.keyboard.type("nowhere.json")
    page.get_by_test_id("load_units").press("Enter")
    expect(page.get_by_test_id("alert")).to_contain_text("There is no file of units nowhere.json")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("units-panel")).to_be_hidden()
    expect(badge).to_be_focused()
    expect_value(page, lambda: service.units, {("conv2", 3): 0, ("odd.layer", 4): 0.5})


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_switches_are_accessible(service, page, theme):
    set_theme(page, theme)
    page.get_by_test_id("grid").focus()
    page.keyboard.press("x")
    expect(page.get_by_test_id("units")).to_have_text("1 unit off")
    page.get_by_test_id("units").click()
    expect(page.get_by_test_id("unit-switch-conv2-7")).to_be_visible()
    assert violations(page) == []
