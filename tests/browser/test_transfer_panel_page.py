"""The TransferPanel in JupyterLab and Chromium: heads are trained on crops of the default photographs.

The tests share one server and one page, and depend on their order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE, START_PATIENCE, Lab, Visit, open_cells
from tests.widgets.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = (
    "import deconvwidgets as dw\nservice = dw.LocalModelService.from_environment().wait()",
    "panel = dw.TransferPanel(service, state={'data': 'photo-crops', 'images_per_class': 4, 'folds': 3, 'curve': True})\npanel",
    "explorer = dw.LayerExplorer(service, layer='conv5')\nexplorer",
)
LINES = "[data-testid=training-chart] .dwx-plot-line"
FILLS_ITS_CONTAINER = """() => {
  const [container, chart] = ["", " svg.main-svg"].map((inner) => document.querySelector(`[data-testid=chart]${inner}`));
  const [outer, drawn] = [container, chart].map((element) => element.getBoundingClientRect());
  return Math.abs(outer.width - drawn.width) < 2 && Math.abs(outer.height - drawn.height) < 2;
}"""
POINTS = "[data-testid=chart] .scatterlayer .points path"


@pytest.fixture(scope="module")
def visit(browser: Browser, lab: Lab) -> Iterator[Visit]:
    """A notebook with these cells, after they have run."""
    context = browser.new_context(viewport={"width": 1600, "height": 1100}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    visiting = open_cells(context.new_page(), lab, "panel.ipynb", CELLS)
    expect(visiting.page.locator("[data-testid=transfer-panel][data-ready=true]")).to_be_visible(timeout=START_PATIENCE)
    yield visiting
    context.close()


def wait_until_done(page: Page) -> None:
    expect(page.get_by_test_id("run-words")).to_contain_text("Done in", timeout=START_PATIENCE)


def test_data_is_described_before_training(visit: Visit) -> None:
    page = visit.page
    page.get_by_test_id("transfer-panel").scroll_into_view_if_needed()
    expect(page.get_by_test_id("data-summary")).to_contain_text("28 classes · 224 photographs")
    expect(page.get_by_test_id("go")).to_be_enabled()


def test_run_shows_its_chart_and_results(visit: Visit) -> None:
    page = visit.page
    page.get_by_test_id("go").click()
    wait_until_done(page)
    expect(page.get_by_test_id("results")).to_contain_text("mean accuracy")
    expect(page.locator(LINES)).to_have_count(3)  # the final heads of three folds
    expect(page.locator("[data-testid=training-chart] .dwx-plot-point")).to_have_count(3)  # their tests
    accuracy = float(visit.run_code("print(panel.results().summary.mean)"))
    expect(page.get_by_test_id("results")).to_contain_text(f"{100 * accuracy:.1f}")
    assert accuracy > 0.5


def test_learning_curve_is_a_tab_of_the_chart(visit: Visit) -> None:
    page = visit.page
    page.get_by_test_id("tab-curve").click()
    expect(page.locator(POINTS)).to_have_count(4)  # 1, 2 and 4 per class, and the result of the folds
    expect(page.locator("[data-testid=chart].js-plotly-plot")).to_have_count(1)
    page.wait_for_function(FILLS_ITS_CONTAINER)  # it is resized after its container
    page.get_by_test_id("tab-training").click()
    expect(page.locator("[data-testid=training-chart]")).to_be_visible()


def test_new_head_changes_the_predictions_in_the_explorer(visit: Visit) -> None:
    page = visit.page
    origin = page.get_by_test_id("layer-explorer").get_by_test_id("origin")
    before = origin.text_content() or ""
    page.get_by_test_id("use-head").click()
    expect(origin).to_contain_text("28 classes")
    expect(page.get_by_test_id("transfer-panel").get_by_test_id("origin")).to_contain_text("28 classes")
    output = visit.run_code(
        "print({entry.prediction for entry in service.layers.unit_detail('conv5', 3).entries} <= set(panel.results().categories))"
    )
    assert output.strip() == "True"
    page.get_by_test_id("undo-head").click()
    expect(origin).to_have_text(before)


def test_stop_keeps_the_complete_folds(visit: Visit) -> None:
    page = visit.page
    page.get_by_test_id("curve").uncheck()
    page.get_by_test_id("folds").fill("90")
    page.get_by_test_id("folds").press("Enter")
    expect(page.get_by_test_id("run-title")).to_contain_text("Run 2")
    expect(page.get_by_test_id("results")).to_contain_text(re.compile(r"[1-9]\d* of 90 folds"), timeout=START_PATIENCE)
    page.get_by_test_id("layer-conv3").click()  # other requests are answered meanwhile
    expect(page.get_by_test_id("layer-explorer").get_by_test_id("title")).to_contain_text("conv3")
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("run-words")).to_contain_text("done and kept")
    assert int(visit.run_code("print(len(panel.results().summary.per_fold))")) >= 1


def test_run_started_in_python_is_shown(visit: Visit) -> None:
    page = visit.page
    assert visit.run_code("print(panel.start(folds=1, images_per_class=2))").strip() == "3"
    expect(page.get_by_test_id("run-title")).to_contain_text("Run 3")
    expect(page.get_by_test_id("images")).to_have_value("2")
    wait_until_done(page)


def test_reloaded_page_shows_the_same_run(visit: Visit) -> None:
    page = visit.page
    page.evaluate("async () => { await jupyterapp.commands.execute('docmanager:save'); }")
    page.reload(wait_until="domcontentloaded")
    expect(page.locator("[data-testid=transfer-panel][data-ready=true]")).to_be_visible(timeout=START_PATIENCE)
    expect(page.get_by_test_id("run-title")).to_contain_text("Run 3")
    expect(page.locator(LINES).first).to_be_attached(timeout=START_PATIENCE)


def test_chart_uses_the_dark_theme(visit: Visit) -> None:
    page = visit.page
    read_brightness = """() => {
      const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
      const mean = (colour) => {
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).reduce((sum, value) => sum + value / 3, 0);
      };
      const style = (selector) => getComputedStyle(document.querySelector(selector));
      const background = mean(style('[data-testid=transfer-panel]').backgroundColor);
      return [background, mean(style('[data-testid=plot] text').fill), mean(style('[data-testid=chart-legend] li').color)];
    }"""

    def differences() -> list[float]:
        background, *texts = page.evaluate(read_brightness)
        return [text - background for text in texts]

    assert max(differences()) < -80
    page.evaluate("async () => { await jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'}); }")
    try:
        wait_until(page, lambda: min(differences()) > 80, "the texts are bright on a dark background")
    finally:
        page.evaluate("async () => { await jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'}); }")


def test_no_element_overflows_at_700_pixels(visit: Visit) -> None:
    page = visit.page
    page.evaluate("() => jupyterapp.shell.collapseLeft()")
    page.set_viewport_size({"width": 700, "height": 1000})
    try:
        page.get_by_test_id("go").scroll_into_view_if_needed()
        fits = """() => {
          const root = document.querySelector('[data-testid=transfer-panel]').closest('.jp-OutputArea-output');
          const width = (selector) => document.querySelector(selector).getBoundingClientRect().width;
          const isResized = Math.abs(width('[data-testid=plot] svg') - width('[data-testid=training-chart]')) < 2;
          return root.clientWidth < 700 && root.scrollWidth <= root.clientWidth + 1 && isResized;
        }"""
        wait_until(page, lambda: page.evaluate(fits), "nothing is wider than the output, and the chart is resized")
    finally:
        page.set_viewport_size({"width": 1600, "height": 1100})


def test_no_errors_and_no_external_requests(visit: Any) -> None:
    """The former tests caused no errors on the console and no requests to other hosts."""
    assert visit.external_requests == []
    assert visit.errors == []
