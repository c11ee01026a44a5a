"""The LayerExplorer is accessible: axe-core finds nothing serious, in both themes and all main states."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.instruments.layers.widget.test_in_chromium import all_painted, open_page
from tests.widgets.accessibility import in_theme, small_text, violations
from tests.widgets.chromium import blank, browser

__all__ = ["blank", "browser", "open_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_grid_and_detail(service, open_page, theme):
    page = open_page(service, layer="conv2", unit=7)
    in_theme(page, theme)
    all_painted(page)
    expect(page.get_by_test_id("source-caption")).to_contain_text("photograph-0.jpg")
    assert violations(page) == []
    assert small_text(page) == {}
    page.get_by_test_id("pin").click()
    page.locator(".dwx-tile").nth(2).click()
    page.get_by_test_id("search").fill("5")
    page.get_by_test_id("export-menu").click()
    all_painted(page)
    assert violations(page) == []
    assert small_text(page) == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_waiting_for_the_index(building_service, open_page, theme):
    page = open_page(building_service)
    in_theme(page, theme)
    page.get_by_test_id("layer-explorer").wait_for()
    page.wait_for_timeout(300)
    assert violations(page) == []
    assert small_text(page) == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_without_a_kernel(service, open_page, theme):
    page = open_page(service, layer="conv2", unit=7)
    in_theme(page, theme)
    all_painted(page)
    page.evaluate("model.held = true; model.tell('comm_live_update')")
    expect(page.get_by_test_id("alert")).to_be_visible()
    assert violations(page) == []


def test_a_violation_is_found(service, open_page):
    page = open_page(service, layer="conv2", unit=7)
    all_painted(page)
    page.get_by_test_id("search").evaluate(
        "(one) => { for (const name of ['aria-label', 'title', 'placeholder']) one.removeAttribute(name); }"
    )
    page.get_by_test_id("detail-title").evaluate("(one) => { one.style.color = '#aaa'; one.style.fontSize = '9px'; }")
    found = violations(page)
    assert any(one.startswith("label:") for one in found)
    assert any(one.startswith("color-contrast:") for one in found)
    assert "9.00" in small_text(page)
