"""axe-core finds no serious accessibility violations in the LayerExplorer."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.instruments.layers.widget.test_in_chromium import open_page, wait_until_painted
from tests.widgets.accessibility import set_theme, small_text, violations
from tests.widgets.chromium import blank, browser, shared_page
from tests.widgets.waiting import wait_until_quiet

__all__ = ["blank", "browser", "open_page", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_grid_and_detail_are_accessible(service, open_page, theme):
    page = open_page(service, layer="conv2", unit=7)
    set_theme(page, theme)
    wait_until_painted(page)
    expect(page.get_by_test_id("source-caption")).to_contain_text("photograph-0.jpg")
    assert violations(page) == []
    assert small_text(page) == {}
    page.get_by_test_id("pin").click()
    page.locator(".dwx-tile").nth(2).click()
    page.get_by_test_id("search").fill("5")
    page.get_by_test_id("info").click()
    expect(page.get_by_test_id("origin")).to_be_visible()
    expect(page.locator(".dwx-facts[data-ready=false]")).to_have_count(0)  # until then those of the unit before are faded
    assert violations(page) == []
    page.get_by_test_id("export-menu").click()
    expect(page.get_by_role("menuitem").first).to_be_visible()
    wait_until_painted(page)
    assert violations(page) == []
    assert small_text(page) == {}


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_enlarged_activation_is_accessible(service, open_page, theme):
    page = open_page(service, layer="conv2", unit=7)
    set_theme(page, theme)
    wait_until_painted(page)
    page.get_by_test_id("enlarge").click()
    expect(page.get_by_test_id("enlarged")).to_have_attribute("data-sharp", "true")
    assert violations(page) == []
    assert small_text(page) == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_view_before_the_index_is_complete_is_accessible(building_service, open_page, theme):
    page = open_page(building_service)
    set_theme(page, theme)
    page.get_by_test_id("layer-explorer").wait_for()
    wait_until_quiet(page)
    assert violations(page) == []
    assert small_text(page) == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_view_without_a_kernel_is_accessible(service, open_page, theme):
    page = open_page(service, layer="conv2", unit=7)
    set_theme(page, theme)
    wait_until_painted(page)
    page.evaluate("model.blocked = true; model.trigger('comm_live_update')")
    expect(page.get_by_test_id("alert")).to_be_visible()
    assert violations(page) == []


@pytest.mark.slow
def test_violations_are_detected(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    wait_until_painted(page)
    page.get_by_test_id("search").evaluate(
        "(element) => { for (const name of ['aria-label', 'title', 'placeholder']) element.removeAttribute(name); }"
    )
    page.get_by_test_id("detail-title").evaluate("(element) => { element.style.color = '#aaa'; element.style.fontSize = '9px'; }")
    found = violations(page)
    assert any(violation.startswith("label:") for violation in found)
    assert any(violation.startswith("color-contrast:") for violation in found)
    assert "9.00" in small_text(page)
