"""The front end of two models on one photograph in Chromium: the widget's handlers answer, with two fake services."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from deconvwidgets.instruments.comparison.widget.occlusion import SideBySideOcclusion
from deconvwidgets.instruments.comparison.widget.occlusion_state import checked_state
from tests.instruments.comparison.widget.fake_api import FakeSideBySide
from tests.widgets.accessibility import set_theme, violations
from tests.widgets.chromium import blank, browser, built, kernel, load_page, shared_page

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser


@pytest.fixture
def service() -> FakeSideBySide:
    return FakeSideBySide()


@pytest.fixture
def page(blank: Page, service: FakeSideBySide) -> Page:
    load_page(blank, built("comparison_occlusion.css"), kernel(SideBySideOcclusion.HANDLERS, service))
    state = checked_state({"image": "crop:2", "window": 16, "stride": 8}, {}, service)
    blank.evaluate("([code, state]) => globalThis.open(code, state, 1180)", [built("comparison_occlusion.js"), state])
    # The kernel publishes events while maps are computed.
    blank.wait_for_function(
        "() => { for (const side of ['a', 'b']) model.trigger('msg:custom', {event: 'occlusion', side}, []);"
        " return document.querySelector('.dwx[data-complete=true]') !== null; }",
        polling=200,
    )
    return blank


def test_a_patch_moves_for_both_models(service, page):
    page.get_by_test_id("stage").focus()
    page.evaluate("model.sent.length = 0")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => new Set(model.sent.filter(({kind}) => kind === 'patch').map(({side}) => side)).size === 2")
    boxes = page.evaluate("model.sent.filter(({kind}) => kind === 'patch').map(({side, boxes}) => [side, String(boxes)])")
    assert len({box for _, box in boxes}) == 1, "both are asked for the same patch"
    expect(page.get_by_test_id("map-difference-title")).to_have_text("A minus B, in points")
    expect(page.get_by_test_id("reading-difference")).to_have_text("no patch: 0")
    box = page.get_by_test_id("map-b").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.get_by_test_id("reading-a")).to_contain_text("here: ")
    expect(page.get_by_test_id("reading-difference")).to_have_text("here: 0")


def test_a_class_is_the_target_of_both(service, page):
    page.get_by_test_id("classes-b").get_by_test_id("answer").nth(1).click()
    page.wait_for_function("() => model.values.state.target_b !== null && model.values.state.target_a === model.values.state.target_b")
    name = page.evaluate("model.values.state.target_a")
    for side in ("a", "b"):
        expect(page.get_by_test_id(f"map-{side}-title")).to_contain_text(name)


def test_maps_keep_the_name_of_their_class_until_others_are_there(page):
    """As long as the scene of the new class is computed, or if that fails, the maps are those of the class before."""
    title = page.get_by_test_id("map-a-title")
    before = title.text_content() or ""
    page.evaluate("model.blockedKind = 'scene'")
    page.get_by_test_id("classes-a").get_by_test_id("answer").nth(1).click()
    page.wait_for_function("() => model.values.state.target_a !== null")
    expect(page.locator("[data-stale=true]")).to_have_count(1)
    expect(title).to_have_text(before)
    page.evaluate("model.release()")
    expect(title).not_to_have_text(before)


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_view_is_accessible(page, theme):
    set_theme(page, theme)
    assert violations(page) == []
