"""The TrainingPanel in Chromium, without JupyterLab: the panel's handlers answer, with a fake service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deconvwidgets.instruments.training.widget.messages import HANDLERS
from deconvwidgets.instruments.training.widget.state import checked_state
from tests.instruments.training.widget.fake_service import FakeTraining
from tests.widgets.accessibility import set_theme, small_text, violations
from tests.widgets.chromium import blank, browser, built, kernel, load_page, shared_page
from tests.widgets.waiting import expect_value, wait_until_quiet

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser


@pytest.fixture
def service() -> FakeTraining:
    return FakeTraining()


@pytest.fixture
def open_page(blank: Page, service: FakeTraining) -> Callable[..., Page]:
    """Return a function that opens a page with one view of a panel."""

    def open_(width: int = 1180, **state: Any) -> Page:
        styles = built("training.css") + built("layers.css")  # that of a LayerExplorer below it on the same page
        load_page(blank, styles, kernel(HANDLERS, service))
        blank.evaluate("(state) => { globalThis.model = makeModel(state, 720); }", checked_state(state, {}))
        blank.evaluate("([code, width]) => globalThis.open(code, null, width)", [built("training.js"), width])
        expect(blank.locator("[data-testid=training-panel][data-ready=true]").first).to_be_visible()
        return blank

    return open_


def changed(page: Page) -> None:
    """Send the event that the training has changed, as the kernel does."""
    page.evaluate("model.trigger('msg:custom', {event: 'training', message: ''}, [])")


def requests(page: Page, kind: str) -> int:
    count: int = page.evaluate("(kind) => model.sent.filter((message) => message.kind === kind).length", kind)
    return count


def test_a_training_is_started_watched_and_cancelled(service, open_page):
    page = open_page()
    expect(page.get_by_test_id("phase")).to_have_text("Not started")
    expect(page.get_by_test_id("plan")).to_contain_text("small, 171,926 parameters")
    expect(page.get_by_test_id("recipe").locator("li", has_text="Flips")).to_have_attribute("data-on", "false")
    expect(page.get_by_test_id("introduction")).to_be_visible()
    expect(page.get_by_test_id("units")).to_be_hidden()  # there is no model whose units could be switched off
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("go")).to_have_text("Cancel")
    service.add_epochs(7)
    changed(page)
    expect(page.get_by_test_id("progress")).to_have_text("epoch 8 of 20 · step 3 of 4 · 98.7 images/s · 3 min left")
    expect(page.get_by_test_id("introduction")).to_be_hidden()
    expect(page.get_by_test_id("legend-loss")).to_have_text("training0.200validation0.214")
    expect(page.get_by_test_id("card-loss").locator("path.dwx-plot-line")).to_have_count(2)
    marks = page.get_by_test_id("card-rate").locator("title")
    expect_value(page, lambda: marks.all_text_contents()[:2], ["epoch 6: rate / 10", "checkpoint of epoch 0"])
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("go")).to_have_text("Stopping…")
    service.set_phase("cancelled", "The state is saved: Resume goes on from there.")
    changed(page)
    expect(page.get_by_test_id("go")).to_have_text("Resume")
    expect(page.get_by_test_id("message")).to_have_text("The state is saved: Resume goes on from there.")
    assert [kind for kind, _ in service.calls] == ["start", "cancel"]


def test_the_log_is_requested_only_when_it_has_changed(service, open_page):
    service.add_epochs(3)
    service.phase = "running"
    page = open_page()
    expect_value(page, lambda: requests(page, "log"), 1)
    for _ in range(3):
        changed(page)
    page.wait_for_function("model.sent.filter((message) => message.kind === 'status').length >= 1")
    wait_until_quiet(page)
    assert requests(page, "log") == 1
    service.add_epochs(1)
    changed(page)
    expect(page.get_by_test_id("charts")).to_have_attribute("data-epochs", "5")
    wait_until_quiet(page)
    assert requests(page, "log") == 2


def test_an_epoch_is_read_in_all_plots_by_pointer_and_keys(service, open_page):
    service.add_epochs(7)
    page = open_page(accuracy="accuracy", layers="weights")
    caption, loss = page.get_by_test_id("caption"), page.get_by_test_id("legend-loss")
    expect(caption).to_have_text("Epoch 7 · after 70 s · 100 images/s")
    box = page.get_by_test_id("card-accuracy").locator("svg").bounding_box()
    page.mouse.move(box["x"] + 46, box["y"] + 40)
    expect(caption).to_have_text("Epoch 0, before training")
    expect(page.get_by_test_id("legend-accuracy")).to_contain_text("validation top-125.0%")
    expect(loss).to_have_text("training–validation1.400")
    page.mouse.move(0, 0)
    expect(caption).to_have_text("Epoch 7 · after 70 s · 100 images/s")
    page.get_by_test_id("charts").focus()
    for key in ("Home", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    expect(caption).to_have_text("Epoch 2 · after 20 s · 100 images/s")
    expect(loss).to_have_text("training0.700validation0.750")
    expect(page.locator(".dwx-plot-cursor")).to_have_count(4)
    page.keyboard.press("Escape")
    expect(caption).to_have_text("Epoch 7 · after 70 s · 100 images/s")
    page.get_by_test_id("accuracy-error").click()
    expect(page.get_by_test_id("legend-accuracy")).to_contain_text("training top-110.0%")
    page.wait_for_function("model.values.state.accuracy === 'error'")


def test_layers_have_the_names_of_explorers_and_all_lines_of_the_code_are_copied(service, open_page):
    service.add_epochs(3)
    page = open_page()
    legend = page.get_by_test_id("legend-layers")
    expect(legend.locator("li").first).to_contain_text("conv1")
    expect(legend.locator("span").first).to_have_attribute("title", "0")
    expect(legend.locator("li").nth(1)).to_contain_text("3")  # it has no alias
    expect(page.get_by_test_id("code").locator("code")).to_have_text("dw.EvolutionExplorer(...)")
    copy = "{writeText: (text) => { globalThis.copied = text; return Promise.resolve(); }}"
    page.evaluate(f"Object.defineProperty(navigator, 'clipboard', {{value: {copy}}}) && null")
    page.get_by_test_id("code").get_by_role("button").click()
    page.wait_for_function("globalThis.copied === 'import deconvwidgets as dw\\ndw.EvolutionExplorer(...)'")
    heading = page.get_by_test_id("card-accuracy").locator("h3")
    expect(heading).to_have_text("Error")
    page.get_by_test_id("accuracy-accuracy").click()
    expect(heading).to_have_text("Accuracy")


@pytest.mark.parametrize("phase", ["interrupted", "failed", "finished"])
def test_what_has_ended_is_said(service, open_page, phase):
    service.add_epochs(2)
    service.set_phase(phase, {"interrupted": "The process of the training ended.", "failed": "The disk is full."}.get(phase, ""))
    page = open_page()
    expect(page.get_by_test_id("phase")).to_have_text(phase.capitalize())
    if phase == "finished":
        expect(page.get_by_test_id("go")).to_be_hidden()
        expect(page.get_by_test_id("message")).to_be_hidden()
    else:
        expect(page.get_by_test_id("go")).to_have_text("Resume")
        expect(page.get_by_test_id("message")).to_contain_text("ended" if phase == "interrupted" else "disk")


def test_a_refused_start_is_an_alert_and_the_next_works(service, open_page):
    page = open_page()
    service.error = RuntimeError("secret")
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("alert")).to_contain_text("The request 'start' failed with an unexpected RuntimeError")
    service.error = None
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("go")).to_have_text("Cancel")
    expect(page.get_by_test_id("alert")).to_be_hidden()


@pytest.mark.parametrize("width", [360, 900, 1180])
def test_nothing_is_cut_off(service, open_page, width):
    service.add_epochs(7)
    service.phase = "running"
    page = open_page(width=width)
    wait_until_quiet(page)
    overflowing = page.evaluate(
        "() => [...document.querySelectorAll('.dwx section, .dwx ul, .dwx header')]"
        ".filter((element) => element.scrollWidth > element.clientWidth + 1).map((element) => element.className)"
    )
    assert overflowing == []
    if width == 1180:
        assert page.locator(".dwg-plan").bounding_box()["width"] == 272
    plots = page.locator(".dwg-plot-body")
    for index in range(4):
        box = plots.nth(index).bounding_box()
        assert box is not None
        assert box["height"] >= 110
        assert box["width"] >= 250


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_accessible(service, open_page, theme):
    service.add_epochs(7)
    service.set_phase("failed", "The disk is full.")
    page = open_page()
    set_theme(page, theme)
    wait_until_quiet(page)
    assert violations(page) == []
    assert small_text(page) == {}
