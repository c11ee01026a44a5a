"""The InvarianceExplorer in Chromium, without JupyterLab: the widget's handlers answer, with a fake service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deconvwidgets.instruments.invariance.widget.messages import HANDLERS
from deconvwidgets.instruments.invariance.widget.state import checked_state
from tests.instruments.invariance.widget.fake_api import FakeInvarianceService
from tests.widgets.accessibility import set_theme, small_text, violations
from tests.widgets.chromium import blank, browser, built, kernel, load_page, shared_page
from tests.widgets.waiting import expect_state, wait_until, wait_until_quiet

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
READY = "[data-testid=invariance-explorer][data-ready=true]"


@pytest.fixture
def service() -> FakeInvarianceService:
    return FakeInvarianceService()


@pytest.fixture
def open_page(blank: Page, service: FakeInvarianceService) -> OpenPage:
    """Return a function that opens a page with one view of an explorer."""

    def open_(width: int = 1280, height: int = 860, **state: Any) -> Page:
        load_page(blank, built("invariance.css"), kernel(HANDLERS, service))
        opened = checked_state(state, {}, service.overview(), service.invariance.choices())
        blank.evaluate("([state, height]) => { globalThis.model = makeModel(state, height); }", [opened, height])
        blank.evaluate("([code, width]) => globalThis.open(code, null, width)", [built("invariance.js"), width])
        expect(blank.locator(READY)).to_be_visible()
        return blank

    return open_


def pixels(page: Page) -> list[int]:
    return page.evaluate("""() => {
  const canvas = document.querySelector('[data-testid=picture]');
  return [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data];
}""")


def test_a_slider_transforms_the_photograph_and_moves_the_cursor(open_page):
    page = open_page()
    expect(page.locator("[data-testid=chart]")).to_have_count(3)  # two layers and the probability
    expect(page.locator("[data-testid=chart] path.dwi-line")).to_have_count(9)  # of three photographs
    before = pixels(page)
    page.locator("[data-testid=amount-rotate]").fill("45")
    expect(page.locator("[data-testid=amount-rotate-value]")).to_have_text("45°")
    expect(page.locator(READY)).to_be_visible()
    expect_state(page, transform="rotate", amount=45)
    wait_until(page, lambda: pixels(page) != before, "the photograph is turned")
    expect(page.locator("[data-testid=transform-rotate]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-testid=amount-translate-value]")).to_have_text("0 px")
    expect(page.locator("[data-testid=title]")).to_have_text("rotation 45°")
    expect(page.locator(".dwx-plot-cursor")).to_have_count(3)


def test_dragging_on_a_chart_sets_the_amount(open_page):
    page = open_page(transform="rotate")
    box = page.locator(".dwi-plot").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60)
    page.mouse.up()
    amount = "model.values.state.amount"
    wait_until(page, lambda: 150 < page.evaluate(amount) < 260, "the amount is that below the pointer")
    assert page.evaluate(f"{amount} % 1") == 0


def test_keys_change_amount_and_photograph(open_page):
    page = open_page(transform="translate_x", amount=10)
    page.locator("[data-testid=amount-translate_x]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect_state(page, amount=12)
    page.keyboard.press("0")
    expect_state(page, amount=0)
    page.keyboard.press("ArrowDown")
    expect_state(page, image="crop:8")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect_state(page, image="crop:16")


def test_photographs_are_chosen_removed_and_added(open_page):
    page = open_page()
    page.locator('[data-testid=photograph][data-image="crop:8"]').click()
    expect_state(page, image="crop:8")
    page.locator("[data-testid=remove]").nth(1).click()
    expect_state(page, images=["crop:0", "crop:16"], image="crop:0")
    page.locator("[data-testid=add-photographs]").click()
    page.locator('[data-testid=image][data-image="crop:4"]').click()
    expect_state(page, images=["crop:0", "crop:16", "crop:4"], image="crop:4")
    expect(page.locator("[data-testid=photograph]")).to_have_count(3)


def test_an_upload_is_added(open_page):
    from tests.widgets.fake_service import encode, grating

    page = open_page(tab="images")
    data = encode(grating(3, 64, signed=False)).data
    page.locator("[data-testid=upload-file]").set_input_files({"name": "mine.png", "mimeType": "image/png", "buffer": data})
    expect(page.locator("[data-testid=upload-words]")).to_have_text("Uploaded mine.png.")
    page.wait_for_function("model.values.state.image.startsWith('upload:')")


def test_layers_and_measure(open_page):
    page = open_page()
    page.locator("[data-testid=layers]").click()
    page.locator("[data-testid=layer-conv5]").check()
    expect(page.locator("[data-testid=chart]")).to_have_count(4)
    expect_state(page, layers=["conv1", "conv5", "fc7"])
    page.keyboard.press("Escape")
    page.locator("[data-testid=measure-distance]").click()
    expect(page.locator(".dwi-chart-title").first).to_have_text("conv1: Euclidean distance")
    page.locator("[data-testid=unit-layer]").select_option("pool1")
    expect(page.locator("[data-testid=unit] b").first).to_have_text("pool1 0")


def test_the_button_shows_the_photograph_as_it_is(open_page):
    page = open_page(amount=40)
    wait_until_quiet(page)
    moved = pixels(page)
    button = page.locator("[data-testid=compare]")
    button.hover()
    page.mouse.down()
    wait_until(page, lambda: pixels(page) != moved, "the photograph is shown as it is")
    page.mouse.up()
    wait_until(page, lambda: pixels(page) == moved, "it is transformed again")


def test_units_and_their_projections(open_page):
    page = open_page()
    expect(page.locator("[data-testid=unit]")).to_have_count(9)
    page.wait_for_function("() => document.querySelectorAll('[data-testid=unit] img:not([hidden])').length === 17")  # unit 3 is inactive
    expect(page.locator("[data-testid=kept]")).to_contain_text("9 of the 9 strongest units of fc7")


@pytest.mark.own_page  # whose clock is stopped
def test_projections_wait_for_the_slider_to_rest(blank, open_page, service):
    blank.clock.install()
    page = open_page()
    wait_until_quiet(page)
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 1)
    service.invariance.calls.clear()
    for amount in range(10, 30, 4):
        page.locator("[data-testid=amount-translate]").fill(str(amount))
        page.clock.run_for(20)  # a frame, in which it is requested
        page.wait_for_function("() => !model.inFlight && !decoding.size", polling=20)
        page.clock.run_for(20)  # the frame in which it is drawn
        page.wait_for_function("(amount) => painted.some((event) => event.amount === amount)", arg=amount, polling=20)
    kinds = [kind for kind, _ in service.invariance.calls]
    assert "unit_pictures" not in kinds
    page.clock.resume()
    wait_until(page, lambda: "unit_pictures" in [kind for kind, _ in service.invariance.calls], "the projections are requested")


def test_errors_appear_in_words_and_the_next_action_works(open_page, service):
    from deconvwidgets.errors import PictureError

    page = open_page()
    service.invariance.error = PictureError("The file was deleted.")
    page.locator("[data-testid=amount-blur]").fill("2")
    expect(page.locator("[data-testid=alert]")).to_have_text("The file was deleted.")
    service.invariance.error = None
    page.locator("[data-testid=amount-blur]").fill("3")
    expect(page.locator("[data-testid=alert]")).to_be_hidden()
    expect(page.locator(READY)).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_accessibility(open_page, theme):
    page = open_page()
    set_theme(page, theme)
    wait_until_quiet(page)
    assert violations(page) == []
    page.locator("[data-testid=tab-images]").click()
    page.locator("[data-testid=image]").first.wait_for()
    page.locator("[data-testid=layers]").click()
    assert violations(page) == []
    assert small_text(page) == {}


@pytest.mark.parametrize("width", [380, 720, 1000])
def test_nothing_is_wider_than_a_narrow_page(open_page, width):
    page = open_page(width=width)
    assert page.evaluate("() => document.querySelector('.dwx').scrollWidth") <= width
