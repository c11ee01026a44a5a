"""The way from a photograph to the units behind an answer, in JupyterLab and Chromium: widgets on one service find each other.

The tests share one server and one page, and depend on their order.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import PATIENCE, START_PATIENCE, Lab, Visit, open_cells
from tests.widgets.waiting import expect_value

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = (
    "import deconvwidgets as dw\n"
    "service = dw.LocalModelService(dw.load_model('alexnet', head='caltech101'), dw.open_images('photos')).wait()",
    "layers = dw.LayerExplorer(service, layer='conv5', state={'unit': 133})\nlayers",
)
FOCUSED = "document.activeElement.closest('[data-testid$=explorer]')?.dataset.testid"


@pytest.fixture(scope="module")
def visit(browser: Browser, lab: Lab) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1600, "height": 1100}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    visiting = open_cells(context.new_page(), lab, "why.ipynb", CELLS)
    expect(visiting.page.locator("[data-testid=layer-explorer][data-ready=true]")).to_be_visible(timeout=START_PATIENCE)
    yield visiting
    context.close()


def test_why_opens_an_occlusion_explorer_below(visit: Visit) -> None:
    page = visit.page
    expect(page.get_by_test_id("entries").locator("li")).to_have_count(9)
    page.get_by_test_id("why").click()
    expect(page.locator("[data-testid=below] [data-testid=why-panel][data-ready=true]")).to_be_visible(timeout=START_PATIENCE)
    expect(page.get_by_test_id("why-unit").first).to_be_visible()
    page.wait_for_function(f"() => {FOCUSED} === 'occlusion-explorer'")
    shown = visit.run_code("print(next(iter(layers._opened.values())).state['image'])").strip()
    assert shown == visit.run_code("print(f\"crop:{service.index.top('conv5', 133)[0].image}\")").strip()


def test_a_unit_opens_in_the_open_layer_explorer(visit: Visit) -> None:
    page = visit.page
    row = page.get_by_test_id("why-top").locator(".dwu-row").nth(1)
    unit = row.get_attribute("data-unit") or ""
    row.get_by_test_id("why-unit").click()
    expect(page.get_by_test_id("detail-title")).to_have_text(f"Unit {unit}")
    page.wait_for_function(f"() => {FOCUSED} === 'layer-explorer'")
    expect_value(page, lambda: visit.run_code("print(layers.state['unit'])").strip(), unit)
    expect(page.get_by_test_id("layer-explorer")).to_have_count(1)  # the open one is used


def test_a_second_question_is_answered_by_the_same_explorer(visit: Visit) -> None:
    page = visit.page
    expect(page.locator("[data-testid=detail] .dwx-facts[data-ready=true]").first).to_be_visible()
    page.get_by_test_id("grid").focus()
    page.keyboard.press("w")
    page.wait_for_function(f"() => {FOCUSED} === 'occlusion-explorer'")
    expect(page.get_by_test_id("occlusion-explorer")).to_have_count(1)
    page.get_by_role("button", name="Close the OcclusionExplorer").click()
    expect(page.get_by_test_id("occlusion-explorer")).to_have_count(0)
    page.get_by_test_id("grid").focus()
    page.keyboard.press("w")
    expect(page.locator("[data-testid=below] [data-testid=why-panel][data-ready=true]")).to_be_visible(timeout=START_PATIENCE)
    assert visit.errors == []
    assert visit.external_requests == []
