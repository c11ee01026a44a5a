"""A page of Chromium with an OcclusionExplorer, whose kernel is the explorer's own handlers on a fake api; and looks at it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from deconvwidgets.instruments.occlusion.widget.messages import HANDLERS
from deconvwidgets.instruments.occlusion.widget.state import checked_state
from tests.instruments.occlusion.widget.fake_api import FakeOcclusionApi, FakeOcclusionService
from tests.widgets.chromium import MODEL, built, kernel

SIDE = 64
SCALE = 400 / SIDE  # CSS pixels for a pixel of the image


@pytest.fixture
def service() -> FakeOcclusionService:
    return FakeOcclusionService(SIDE)


@pytest.fixture
def api(service: FakeOcclusionService) -> FakeOcclusionApi:
    return service.occlusion


@pytest.fixture
def open_page(blank: Page, service: FakeOcclusionService) -> Callable[..., Page]:
    """Open a page with one view of an explorer: windows of 16 pixels, every 8."""

    def open_(width: int = 1180, ready: bool = True, before: str = "", **state: Any) -> Page:
        blank.expose_function("kernel", kernel(HANDLERS, service))
        blank.set_content(f"<!doctype html><meta charset=utf-8><style>{built('occlusion.css')}</style>")
        blank.evaluate(MODEL + "null;")  # Playwright calls a function that an expression comes to
        opened = checked_state({"window": [16, 16], "stride": [8, 8], **state}, {}, service.overview(), service.occlusion.choices())
        blank.evaluate(f"(state) => {{ globalThis.model = makeModel(state, 720); {before} }}", opened)
        blank.evaluate("([code, width]) => globalThis.open(code, null, width)", [built("occlusion.js"), width])
        if ready:
            expect(blank.locator("[data-testid=occlusion-explorer][data-ready=true]").first).to_be_visible()
            blank.wait_for_function("() => model.sent.some((one) => one.kind === 'projections') && !model.inFlight")
        return blank

    return open_


def tell(page: Page, event: str = "occlusion", message: str = "") -> None:
    """An event of the service, as the kernel sends it."""
    page.evaluate("([event, message]) => model.trigger('msg:custom', {event, message}, [])", [event, message])


def asked(api: FakeOcclusionApi, kind: str) -> list[Any]:
    return [what for name, what in api.calls if name == kind]


def boxes(api: FakeOcclusionApi) -> list[tuple[int, int, int, int]]:
    """The patches that were answered last."""
    return asked(api, "answer")[-1][1]


def at(page: Page, row: float, column: float, place: str = "stage") -> tuple[float, float]:
    """Where a pixel of the image is on the page."""
    room = page.get_by_test_id(place).bounding_box()
    assert room
    return room["x"] + (column + 0.01) * room["width"] / SIDE, room["y"] + (row + 0.01) * room["height"] / SIDE


def settled(page: Page) -> None:
    """All that was asked is answered; the newest request may have waited for the next one's rhythm."""
    page.wait_for_timeout(60)
    page.wait_for_function("() => !model.inFlight && !model.waiting.length")


def pixel(canvas: Locator, x: float, y: float) -> list[int]:
    """A canvas's colour at a share of its width and height."""
    look = "(el, [x, y]) => [...el.getContext('2d').getImageData(x * el.width, y * el.height, 1, 1).data]"
    return canvas.evaluate(look, [x, y])


def patches(page: Page) -> Any:
    return page.evaluate("model.values.state.patches")
