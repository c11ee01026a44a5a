"""axe-core finds no serious accessibility violations in the TransferPanel."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.instruments.transfer.widget.test_in_chromium import api, open_page, send_event, service
from tests.widgets.accessibility import set_theme, small_text, violations
from tests.widgets.chromium import blank, browser, shared_page
from tests.widgets.waiting import wait_until_quiet

__all__ = ["api", "blank", "browser", "open_page", "service", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_settings_are_accessible(api, open_page, theme):
    page = open_page(images_per_class=60)
    set_theme(page, theme)
    expect(page.get_by_test_id("data-problem")).to_be_visible()
    assert violations(page) == []
    page.get_by_test_id("images").fill("many")
    page.get_by_test_id("images").press("Enter")
    page.get_by_test_id("data").select_option("upload:")
    assert violations(page) == []
    page.get_by_test_id("data").select_option("path:")
    page.get_by_test_id("export-menu").click()
    assert violations(page) == []
    assert small_text(page) == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_run_is_accessible(api, open_page, theme):
    page = open_page()
    set_theme(page, theme)
    page.get_by_test_id("curve").check()
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("go")).to_have_text("Stop")
    api.features(3120, 8677, 83.0)
    send_event(page)
    expect(page.get_by_test_id("run-words")).to_contain_text("3,120")
    assert violations(page) == []
    api.end("failed", "The disk is full. Make room.")
    send_event(page)
    expect(page.get_by_test_id("run-problem")).to_be_visible()
    assert violations(page) == []
    assert small_text(page) == {}


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_results_are_accessible(api, open_page, theme):
    api.whole_run()
    api.whole_run(images_per_class=15)
    page = open_page(width=1180, compare=1, show="summary", cell=[0, 1])
    set_theme(page, theme)
    page.get_by_test_id("save-head").click()
    expect(page.locator(".dwx-plot-line").first).to_be_attached()
    for show in ("summary", "confusion", "classes", "mistakes"):
        page.get_by_test_id(f"show-{show}").click()
        expect(page.get_by_test_id(f"show-{show}")).to_have_attribute("aria-selected", "true")
        wait_until_quiet(page)
        assert violations(page) == [], show
        assert small_text(page) == {}, show
