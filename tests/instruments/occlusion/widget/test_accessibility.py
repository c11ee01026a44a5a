"""axe-core finds no serious accessibility violations in the OcclusionExplorer."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.instruments.occlusion.widget.page import api, open_page, service
from tests.widgets.accessibility import set_theme, small_text, violations
from tests.widgets.chromium import blank, browser, shared_page
from tests.widgets.waiting import wait_until_quiet

__all__ = ["api", "blank", "browser", "open_page", "service", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("tab", ["maps", "chart", "images"])
def test_tabs_are_accessible(api, open_page, theme, tab):
    page = open_page()
    set_theme(page, theme)
    page.get_by_test_id(f"tab-{tab}").click()
    page.get_by_test_id("stage").focus()
    page.keyboard.press("ArrowRight")
    wait_until_quiet(page)
    if tab == "chart":
        expect(page.locator("[data-testid=chart] .heatmaplayer image").first).to_be_attached()
    if tab == "images":
        expect(page.get_by_test_id("image").first).to_be_visible()
    assert violations(page) == []
    assert small_text(page) == {}


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_view_without_a_classifier_is_accessible(api, service, open_page, theme):
    service.classifier = None
    api.classifier = False
    page = open_page()
    set_theme(page, theme)
    wait_until_quiet(page)
    assert violations(page) == []
    assert small_text(page) == {}


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_view_without_a_kernel_is_accessible(api, open_page, theme):
    page = open_page()
    set_theme(page, theme)
    page.evaluate("model.blocked = true; model.trigger('comm_live_update')")
    page.get_by_test_id("stage").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("alert")).to_be_visible()
    assert violations(page) == []


@pytest.mark.slow
def test_menu_and_enlarged_projections_are_accessible(api, open_page):
    page = open_page()
    page.get_by_test_id("export-menu").click()
    expect(page.get_by_role("menuitem").first).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_test_id("projection").first.locator("button").click()
    expect(page.get_by_test_id("enlarged")).to_be_visible()
    assert violations(page) == []
