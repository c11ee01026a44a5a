"""The DiagnosisPanel in Chromium, without JupyterLab: the panel's handlers answer, with a fake service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deconvwidgets.errors import ModelError
from deconvwidgets.instruments.diagnosis.widget.messages import HANDLERS
from deconvwidgets.instruments.diagnosis.widget.state import checked_state
from tests.instruments.diagnosis.widget.fake_api import BLUR, FakeDiagnosisService
from tests.widgets.accessibility import set_theme, small_text, violations
from tests.widgets.chromium import blank, browser, built, kernel, load_page, shared_page

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser


@pytest.fixture
def service() -> FakeDiagnosisService:
    return FakeDiagnosisService()


@pytest.fixture
def open_page(blank: Page, service: FakeDiagnosisService) -> Callable[..., Page]:
    """Return a function that opens a page with one view of a panel."""

    def open_(width: int = 1600, height: int = 940, **state: Any) -> Page:
        blank.set_viewport_size({"width": width + 60, "height": height + 60})
        load_page(blank, built("diagnosis.css"), kernel(HANDLERS, service))
        checked = checked_state(state, {}, service.diagnosis.status(), 120)
        blank.evaluate("([state, height]) => { globalThis.model = makeModel(state, height); }", [checked, height])
        blank.evaluate("([code, width]) => globalThis.open(code, null, width)", [built("diagnosis.js"), width])
        expect(blank.locator("[data-testid=diagnosis-panel][data-ready=true]").first).to_be_visible()
        return blank

    return open_


def changed(page: Page) -> None:
    """Send the event that something was computed, as the kernel does."""
    page.evaluate("model.trigger('msg:custom', {event: 'diagnosis', message: ''}, [])")


def drag(page: Page, right: float, down: float = 0) -> None:
    """Drag the photograph by some pixels of the page."""
    box = page.get_by_test_id("stage").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right / 2, y + down / 2)
    page.mouse.move(x + right, y + down)
    page.mouse.up()
