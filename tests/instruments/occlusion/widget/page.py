"""A page in Chromium with an OcclusionExplorer: the explorer's handlers answer, with a fake API. And functions that read the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from deconvwidgets.instruments.occlusion.widget.messages import HANDLERS
from deconvwidgets.instruments.occlusion.widget.state import checked_state
from tests.instruments.occlusion.widget.fake_api import FakeOcclusionApi, FakeOcclusionService
from tests.widgets.chromium import built, kernel, load_page
from tests.widgets.waiting import wait_until_quiet

SIDE = 64
SCALE = 400 / SIDE  # CSS pixels per pixel of the image


@pytest.fixture
def service() -> FakeOcclusionService:
    return FakeOcclusionService(SIDE)


@pytest.fixture
def api(service: FakeOcclusionService) -> FakeOcclusionApi:
    return service.occlusion


@pytest.fixture
def open_page(blank: Page, service: FakeOcclusionService) -> Callable[..., Page]:
    """Return a function that opens a page with one view of an explorer, with a window of 16 pixels and a stride of 8."""

    def open_(width: int = 1180, ready: bool = True, before: str = "", **state: Any) -> Page:
        load_page(blank, built("occlusion.css"), kernel(HANDLERS, service))
        opened = checked_state({"window": [16, 16], "stride": [8, 8], **state}, {}, service.overview(), service.occlusion.choices())
        blank.evaluate(f"(state) => {{ globalThis.model = makeModel(state, 720); {before} }}", opened)
        blank.evaluate("([code, width]) => globalThis.open(code, null, width)", [built("occlusion.js"), width])
        if ready:
            expect(blank.locator("[data-testid=occlusion-explorer][data-ready=true]").first).to_be_visible()
            blank.wait_for_function("() => model.sent.some((message) => message.kind === 'projections')")
            wait_until_quiet(blank)
        return blank

    return open_


def send_event(page: Page, event: str = "occlusion", message: str = "") -> None:
    """Send an event of the service, as the kernel does."""
    page.evaluate("([event, message]) => model.trigger('msg:custom', {event, message}, [])", [event, message])


def calls_of(api: FakeOcclusionApi, kind: str) -> list[Any]:
    """Return the arguments of all calls of a kind."""
    return [arguments for name, arguments in api.calls if name == kind]


def last_boxes(api: FakeOcclusionApi) -> list[tuple[int, int, int, int]]:
    """Return the boxes of the last request for an answer."""
    return calls_of(api, "answer")[-1][1]


def page_position(page: Page, row: float, column: float, test_id: str = "stage") -> tuple[float, float]:
    """Return the position of a pixel of the image on the page."""
    box = page.get_by_test_id(test_id).bounding_box()
    assert box
    return box["x"] + (column + 0.01) * box["width"] / SIDE, box["y"] + (row + 0.01) * box["height"] / SIDE


def pixel(canvas: Locator, x: float, y: float) -> list[int]:
    """Return the colour of a canvas at a position, as fractions of its width and height."""
    read = "(el, [x, y]) => [...el.getContext('2d').getImageData(x * el.width, y * el.height, 1, 1).data]"
    return canvas.evaluate(read, [x, y])


def patches(page: Page) -> Any:
    return page.evaluate("model.values.state.patches")
