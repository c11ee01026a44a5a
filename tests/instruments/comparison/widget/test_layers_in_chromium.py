"""The front end of two models' layers side by side in Chromium: the widget's handlers answer, with two fake services."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deconvwidgets.instruments.comparison.widget.messages import HANDLERS
from deconvwidgets.instruments.comparison.widget.state import checked_state
from deconvwidgets.records.layers import LayerInfo
from tests.instruments.comparison.widget.fake_api import FakeSideBySide
from tests.instruments.layers.widget.test_in_chromium import TYPE_FAST
from tests.widgets.accessibility import set_theme, small_text, violations
from tests.widgets.chromium import blank, browser, built, kernel, load_page, shared_page
from tests.widgets.waiting import wait_until_quiet

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser


@pytest.fixture
def service() -> FakeSideBySide:
    return FakeSideBySide()


@pytest.fixture
def open_page(blank: Page, service: FakeSideBySide) -> Callable[..., Page]:
    """Return a function that opens a page with one view."""

    def open_(width: int = 1180, **state: Any) -> Page:
        load_page(blank, built("comparison.css"), kernel(HANDLERS, service))
        opened = checked_state(state, {}, {side: service.side(side).overview() for side in ("a", "b")})
        blank.evaluate("([code, state, width]) => globalThis.open(code, state, width)", [built("comparison.js"), opened, width])
        return blank

    return open_


def test_a_pair_shows_the_units_of_both_services(service, open_page):
    page = open_page(layer_a="conv5", sort="number")
    expect(page.get_by_test_id("pair-title")).to_have_text("conv5 · A 0 | B 0")
    expect(page.get_by_test_id("statuses")).to_contain_text("kept")
    expect(page.locator("li").filter(has_text="can be chance")).to_have_count(1)  # what limits the comparison
    wait_until_quiet(page)  # a click would supersede requests for the first pair
    page.get_by_test_id("pair-1").click()
    expect(page.get_by_test_id("pair-title")).to_have_text("conv5 · A 1 | B 2")
    expect(page.get_by_test_id("pair-numbers")).to_contain_text("moved")
    expect(page.get_by_test_id("crop-value-a")).to_have_text("A 1 here: 1.00")  # the fake map: the unit, and a tenth of the crop
    page.get_by_test_id("mosaic-b-patches-4").click()
    expect(page.get_by_test_id("crop-value-a")).to_have_text("A 1 here: 1.30")
    expect(page.get_by_test_id("crop-value-b")).to_have_text("B 2 here: 2.30")
    wait_until_quiet(page)
    asked = {name: {values[1] for kind, values in fake.calls if kind == "on_crop"} for name, fake in service.sides.items()}
    assert asked == {"a": {0, 1}, "b": {0, 2}}, "each service is asked for its own unit"
    page.wait_for_function("() => model.values.state.unit_b === 2 && model.values.state.side === 'b' && model.values.state.rank === 3")
    page.get_by_test_id("status-new").click()
    expect(page.locator(".dwc-pair")).to_have_count(1)
    expect(page.locator(".dwc-pair")).to_contain_text("no partner")


def sent_since(page: Page, count: int) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = page.evaluate("(count) => model.sent.slice(count)", count)
    return [message for message in messages if message.get("side")]


def test_mosaics_of_both_units_are_requested_first_and_before_the_click(service, open_page):
    page = open_page(layer_a="conv5", sort="number", tile_size="small")
    expect(page.get_by_test_id("pair-title")).to_have_text("conv5 · A 0 | B 0")
    start = wait_until_quiet(page)
    large = max(message["tile"] for message in sent_since(page, 0) if message["kind"] == "mosaics")  # that of the panel
    page.get_by_test_id("pair-1").hover()
    prefetched = "({kind, tile, background}) => kind === 'mosaics' && background && tile === large"
    page.wait_for_function(f"([start, large]) => model.sent.slice(start).filter({prefetched}).length >= 2", arg=[start, large])
    wait_until_quiet(page)
    page.get_by_test_id("pair-1").click()
    expect(page.get_by_test_id("crop-value-b")).to_contain_text("B 2 here")
    wait_until_quiet(page)
    mosaics = [message for message in sent_since(page, start) if message["kind"] == "mosaics" and message["tile"] == large]
    assert [(message["side"], message["unit"]) for message in mosaics] == [("a", 1), ("b", 2)], "a click asks for nothing that is loaded"
    start = wait_until_quiet(page)
    page.get_by_test_id("pairs").focus()
    page.keyboard.press("ArrowRight")  # without a pointer
    expect(page.get_by_test_id("crop-value-b")).to_contain_text("B 1 here")
    wait_until_quiet(page)  # the details of the two units are not requested at the same time
    asked = [message for message in sent_since(page, start) if message["kind"] != "on_crop" and not message.get("background")]
    assert [(message["kind"], message["side"]) for message in asked[:2]] == [("mosaics", "a"), ("mosaics", "b")]
    details = [message for message in asked if message["kind"] == "unit_detail"]
    assert [message["predictions"] for message in details] == [False, False], "the model is not run for what is not shown"


def test_layers_are_found_by_the_names_of_both_models(service, open_page):
    for name, side in service.sides.items():
        side.more = (
            LayerInfo("block.3", None, "Block", 24, 7, 7, None, None, None),
            LayerInfo(name, None, "Block", 24, 7, 7, None, None, None),
        )
    page = open_page(layer_a="conv1", sort="number")
    layers = page.get_by_test_id("layers")
    search = page.get_by_test_id("layer-search")
    expect(layers.locator(".dwx-layer")).to_have_count(2)
    search.fill("CONV5")
    expect(layers.locator(".dwx-layer")).to_have_count(1)
    search.fill("block.3")
    expect(layers).to_contain_text("No listed layer has this name.")
    page.get_by_test_id("all-layers").click()
    expect(layers.locator(".dwx-layer")).to_have_text([re.compile("^block.3")])
    search.fill("conv1")
    search.press("Escape")
    expect(layers.locator(".dwx-layer")).to_have_count(4)
    page.get_by_test_id("layer-block.3").click()
    opened = "({kind, side, layer}) => kind === 'unit_table' && side === wanted && layer === 'block.3'"
    for side, fake in service.sides.items():
        page.wait_for_function(f"(wanted) => model.sent.some({opened})", arg=side)
        wait_until_quiet(page)
        assert fake.opened[0].name == "block.3", "the index of a layer is built when it is picked"
    assert page.get_by_test_id("layer-a").get_attribute("title").startswith("a beside"), "a layer without namesake has another beside it"


def test_enter_opens_the_layers_that_the_last_letter_finds(open_page):
    page = open_page(layer_a="conv1", sort="number")
    expect(page.get_by_test_id("pair-title")).to_have_text("conv1 · A 0 | B 0")
    page.get_by_test_id("layer-search").evaluate(TYPE_FAST, "conv5")
    expect(page.get_by_test_id("pair-title")).to_have_text("conv5 · A 0 | B 0")


def test_pins_stay_while_layers_change_by_keys(service, open_page):
    page = open_page(layer_a="conv5", sort="number")
    expect(page.get_by_test_id("pair-0")).to_be_visible()
    page.get_by_test_id("pairs").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+P")
    page.keyboard.press("p")
    expect(page.get_by_test_id("pin-b-conv5-2")).to_be_visible()
    page.keyboard.press("1")
    expect(page.get_by_test_id("pair-title")).to_have_text("conv1 · A 0 | B 0")
    expect(page.get_by_test_id("pairs")).to_be_focused()
    expect(page.get_by_test_id("pinned")).to_contain_text("A · conv5 · unit 1")
    page.get_by_test_id("pin-b-conv5-2").click()
    expect(page.get_by_test_id("pair-title")).to_have_text("conv5 · A 1 | B 2")
    page.get_by_test_id("pairs").focus()
    page.keyboard.press("b")
    expect(page.locator(".dwx-detail:not([hidden]) [data-testid=detail-title]")).to_have_text("Unit 2")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("pair-title")).to_be_visible()
    page.keyboard.press("n")
    expect(page.get_by_test_id("pair-title")).to_have_text("conv5 · A 1 | B 1")
    page.get_by_test_id("cka-0-1").click()
    expect(page.get_by_test_id("pair-title")).to_contain_text("conv1 | conv5")


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1180, 700])
def test_the_view_is_accessible(open_page, width, theme):
    page = open_page(width, layer_a="conv5", sort="number", pinned=[{"side": "a", "layer": "conv1", "unit": 1}])
    set_theme(page, theme)
    page.get_by_test_id("pair-0").click()
    expect(page.get_by_test_id("crop-value-b")).to_contain_text("here: ")
    assert violations(page) == []
    assert small_text(page) == {}
