"""The EvolutionExplorer in Chromium, without JupyterLab: the widget's handlers answer, with a fake service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deconvwidgets.instruments.evolution.widget.messages import HANDLERS
from deconvwidgets.instruments.evolution.widget.state import checked_state
from deconvwidgets.records.progress import Progress
from tests.instruments.evolution.widget.fake_api import FakeEvolutionService, column
from tests.widgets.accessibility import set_theme, small_text, violations
from tests.widgets.chromium import blank, browser, built, kernel, load_page, shared_page
from tests.widgets.waiting import expect_state, let_run, wait_until

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]


@pytest.fixture
def service() -> FakeEvolutionService:
    return FakeEvolutionService()


@pytest.fixture
def open_page(blank: Page, service: FakeEvolutionService) -> OpenPage:
    """Return a function that opens a page with one view of an explorer."""

    def open_(width: int = 1180, height: int = 860, **state: Any) -> Page:
        load_page(blank, built("evolution.css"), kernel(HANDLERS, service))
        opened = checked_state({"seed": 1, **state}, {}, service.overview())
        blank.evaluate("([state, height]) => { globalThis.model = makeModel(state, height); }", [opened, height])
        blank.evaluate("([code, width]) => globalThis.open(code, null, width)", [built("evolution.js"), width])
        expect(blank.locator("[data-testid=evolution-explorer][data-ready=true]")).to_be_visible()
        return blank

    return open_


def cell(page: Page, layer: str, unit: int, epoch: int) -> Any:
    return page.locator(f'.dwv-row[data-layer="{layer}"][data-unit="{unit}"] .dwv-cell[data-epoch="{epoch}"]')


def send_event(page: Page, event: str = "evolution") -> None:
    page.evaluate("(event) => model.trigger('msg:custom', {event, message: ''}, [])", event)


def is_drawn(page: Page, layer: str, unit: int, position: int) -> bool:
    """Return whether the cell at a position shows a grating: a row of it has dark and bright pixels."""
    script = """([layer, unit, position]) => {
      const canvas = document.querySelector(`.dwv-row[data-layer="${layer}"][data-unit="${unit}"] canvas`);
      const cells = canvas.parentElement.querySelectorAll('.dwv-cell').length, step = canvas.width / cells;
      const {data} = canvas.getContext('2d').getImageData(position * step + 2, 2, step * 0.4, canvas.height * 0.4);
      const reds = data.filter((_, index) => index % 4 === 0);
      return Math.max(...reds) - Math.min(...reds) > 100;
    }"""
    return bool(page.evaluate(script, [layer, unit, position]))


def wait_until_drawn(page: Page, layer: str, unit: int, position: int) -> None:
    wait_until(page, lambda: is_drawn(page, layer, unit, position), f"{layer} {unit} at {position} is drawn")


def test_rows_columns_and_curves_show_what_the_service_knows(service, open_page):
    page = open_page(count=2, seed=1)
    rows = page.locator(".dwv-row")
    expect(rows).to_have_count(4)
    assert [row.get_attribute("data-unit") for row in rows.all()] == ["4", "5", "4", "5"]
    block = page.locator(".dwv-block").first
    assert block.locator(".dwv-heading").all_inner_texts()[0].split() == ["epoch", "0", "random"]
    expect(cell(page, "conv1", 4, 1)).to_have_class("dwv-cell dwv-changed")
    expect(cell(page, "conv1", 4, 2)).to_have_class("dwv-cell")
    expect(cell(page, "conv1", 4, 1)).to_have_attribute(
        "aria-label", "conv1 unit 4, epoch 1: 6.00 · bee · another image became the strongest"
    )
    expect(rows.first).to_contain_text("3 jumps")
    wait_until_drawn(page, "conv1", 4, 0)
    reached = " · ".join(f"{curve.reached}: {curve.layer}" for curve in service.convergence().curves)
    expect(page.get_by_test_id("convergence-caption")).to_have_text("correlation with epoch 30")
    expect(page.get_by_test_id("reached")).to_have_text(f"at least 0.9 from epoch {reached}")
    expect(page.get_by_test_id("convergence").locator("text").filter(has_text="conv2 0.65")).to_have_count(1)
    expect(page.get_by_test_id("training-numbers")).to_contain_text("top-1 84.5%")
    expect(page.get_by_test_id("training")).to_contain_text("rate / 5")
    expect(page.get_by_test_id("epoch-name")).to_have_text("epoch 30")
    expect(page.get_by_test_id("title")).to_contain_text("7 checkpoints to epoch 30")


def test_a_cell_shows_its_unit_at_its_epoch(service, open_page):
    page = open_page(seed=1)
    cell(page, "conv2", 5, 10).click()
    expect(page.get_by_test_id("unit-title")).to_have_text("conv2 / 5")
    expect(page.get_by_test_id("unit-numbers")).to_have_text("epoch 10 · strongest 10.0 · receptive field 15 px")
    expect(page.get_by_test_id("source-caption")).to_contain_text("photograph-0.jpg")
    expect(page.get_by_test_id("kept")).to_have_text("Of these nine, 6 are among those of epoch 30.")
    expect(page.get_by_test_id("jumps")).to_contain_text("Jumped at epoch 1, 5, 20.")
    expect(page.get_by_test_id("history").locator(".dwv-ring")).to_have_count(3)
    assert ("layers_of", 10) in service.calls
    expect_state(page, unit=["conv2", 5], epoch=10)
    page.locator(".dwv-final-row").first.click()
    expect(page.get_by_test_id("unit-numbers")).to_contain_text("epoch 0 · random weights")
    page.get_by_test_id("mosaic-patches-3").click()
    expect(page.get_by_test_id("source-caption")).to_contain_text("photograph-2.jpg")
    page.keyboard.press("e")
    expect(page.get_by_test_id("enlarged")).to_contain_text("conv2, epoch 0 · unit 5")


def test_the_keyboard_moves_epoch_and_unit_plays_and_opens(service, open_page):
    page = open_page(seed=1, epoch=5)
    cell(page, "conv1", 4, 5).click()
    for key in ("ArrowRight", "ArrowDown", "PageDown"):
        page.keyboard.press(key)
    expect(cell(page, "conv2", 4, 10)).to_be_focused()
    page.keyboard.press("Home")
    expect(page.get_by_test_id("epoch-note")).to_have_text("random weights: the agreement that chance alone gives")
    page.keyboard.press("Space")
    expect(page.get_by_test_id("play")).to_have_text("❚❚ Pause")
    expect(page.get_by_test_id("epoch-name")).not_to_have_text("epoch 0")
    page.keyboard.press("Space")
    expect(page.get_by_test_id("play")).to_have_text("▶ Play")
    let_run(page)  # the epoch that was picked last is drawn
    epoch = int((page.get_by_test_id("epoch-name").text_content() or "").removeprefix("epoch "))
    assert epoch in (1, 2, 5, 10, 20)  # not 1 if the machine is slow
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("status")).not_to_be_empty()  # there is no kernel that could open it
    shown = page.evaluate("model.sent.filter((message) => message.kind === 'show').map(({widget, state}) => [widget, state])")
    assert shown == [["LayerExplorer", {"epoch": epoch, "layer": "conv2", "unit": 4, "rank": 0}]]


def test_a_click_on_a_chart_moves_to_the_nearest_checkpoint(open_page):
    page = open_page()
    line = page.get_by_test_id("training").locator("svg")
    box = line.bounding_box()
    page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + 50)
    expect(page.get_by_test_id("epoch-name")).to_have_text("epoch 10")
    page.get_by_test_id("measure-cka").click()
    expect(page.get_by_test_id("convergence-caption")).to_contain_text("linear CKA with epoch 30")
    expect_state(page, epoch=10, measure="cka")


def test_new_columns_appear_while_training_runs(service, open_page):
    service.columns = []
    page = open_page()
    expect(page.get_by_test_id("message")).to_contain_text("There is no checkpoint yet")
    service.add(column(0, "building", progress=Progress("index", 30, 120, 15.0)))
    send_event(page, "progress")
    expect(page.get_by_test_id("message")).to_contain_text("Epoch 0: building its index · 25%")
    service.add(column(0))
    service.add(column(3, "building"))
    send_event(page)
    expect(page.locator(".dwv-row")).to_have_count(8)
    expect(page.get_by_test_id("convergence-message")).to_contain_text("when two checkpoints have their indexes")
    expect(page.get_by_test_id("epoch-name")).to_have_text("epoch 0")
    wait_until_drawn(page, "conv1", 4, 0)
    service.add(column(3))
    send_event(page)
    expect(page.get_by_test_id("epoch-name")).to_have_text("epoch 3")  # the newest, as long as no epoch is chosen
    wait_until_drawn(page, "conv1", 4, 1)
    expect(page.get_by_test_id("convergence-caption")).to_contain_text("correlation with epoch 3")


def test_a_checkpoint_that_failed_is_a_column_with_its_message(service, open_page):
    service.add(column(5, "failed", message="epoch-0005.safetensors is damaged."))
    page = open_page()
    expect(page.get_by_test_id("problems")).to_have_text("Epoch 5: epoch-0005.safetensors is damaged.")
    expect(page.get_by_test_id("warnings")).to_contain_text("1 checkpoint failed")
    page.locator('.dwv-heading[data-epoch="5"]').first.click()
    expect(page.get_by_test_id("unit-message")).to_have_text("epoch-0005.safetensors is damaged.")
    page.locator('.dwv-heading[data-epoch="2"]').first.click()
    expect(page.get_by_test_id("unit-message")).to_be_hidden()


def test_a_dead_unit_says_so(open_page):
    page = open_page(choose="chosen", units=[["conv1", 3]])
    expect(page.locator(".dwv-row")).to_contain_text("inactive")
    expect(page.get_by_test_id("unit-message")).to_have_text("This unit has no activation in these images at this epoch.")
    expect(cell(page, "conv1", 3, 5)).to_have_attribute("aria-label", "conv1 unit 3, epoch 5: no activation in these images")


def test_units_are_chosen_in_the_panel(service, open_page):
    page = open_page()
    page.get_by_test_id("units-choice").click()
    page.get_by_test_id("another").click()
    expect_state(page, seed=2)
    page.get_by_test_id("layer-conv1").uncheck()
    expect(page.locator('.dwv-row[data-layer="conv1"]')).to_have_count(0)
    page.get_by_test_id("choose-chosen").click()
    page.get_by_test_id("chosen").fill("conv1 7, 300")
    page.get_by_test_id("chosen").press("Enter")
    expect(page.get_by_test_id("status")).to_contain_text("conv1 has the units 0 to 23.")
    page.get_by_test_id("chosen").fill("conv1 7, 3; conv2 12")
    page.get_by_test_id("chosen").press("Enter")
    expect_state(page, units=[["conv1", 7], ["conv1", 3], ["conv2", 12]])


def test_steps_are_called_steps(service, open_page):
    service.unit = "step"
    page = open_page(epoch=5)
    expect(page.get_by_test_id("epoch-name")).to_have_text("step 5")
    expect(page.get_by_test_id("epoch-note")).to_contain_text("since step 2")
    expect(page.get_by_test_id("convergence-caption")).to_contain_text("correlation with step 30")
    expect(page.get_by_test_id("source-caption")).to_contain_text("photograph-0.jpg")


@pytest.mark.parametrize(("width", "columns"), [(1568, 7), (700, 30)])
def test_rows_stay_inside_the_widget(service, open_page, width, columns):
    service.columns = [column(epoch) for epoch in range(columns)]
    service.label = "a very long name of a class, with synonyms and remarks that do not end for a while"
    page = open_page(width=width)
    expect(cell(page, "conv2", 4, 0)).to_be_attached()
    inside = """() => {
      const root = document.querySelector(".dwx");
      return [root.scrollWidth - root.clientWidth, document.querySelector(".dwv-cell").offsetWidth];
    }"""
    overflow, side = page.evaluate(inside)
    assert overflow <= 0
    assert side >= 46
    cell(page, "conv2", 4, columns - 1).scroll_into_view_if_needed()
    wait_until_drawn(page, "conv2", 4, columns - 1)


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_accessible(service, open_page, theme):
    service.add(column(5, "failed", message="It is damaged."))
    page = open_page()
    set_theme(page, theme)
    expect(page.get_by_test_id("source-caption")).to_contain_text("photograph-0.jpg")
    assert violations(page) == []
    assert small_text(page) == {}
    page.get_by_test_id("units-choice").click()
    assert violations(page) == []
    assert small_text(page) == {}
