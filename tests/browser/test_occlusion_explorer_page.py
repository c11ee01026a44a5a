"""The OcclusionExplorer in JupyterLab and Chromium, with AlexNet and the default photographs.

The tests share one server and one page, and depend on their order.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE, START_PATIENCE, Lab, Visit, open_cells
from tests.widgets.waiting import expect_value

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = (
    "import deconvwidgets as dw\nservice = dw.LocalModelService.from_environment().wait()",
    "explorer = dw.OcclusionExplorer(service, image=9, state={'stride': [16, 16]})\nexplorer",
)


@pytest.fixture(scope="module")
def visit(browser: Browser, lab: Lab) -> Iterator[Visit]:
    """A notebook with these cells, after they have run."""
    context = browser.new_context(viewport={"width": 1600, "height": 1100}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    visiting = open_cells(context.new_page(), lab, "occlusion.ipynb", CELLS)
    expect(visiting.page.locator("[data-testid=occlusion-explorer][data-ready=true]")).to_be_visible(timeout=START_PATIENCE)
    visiting.page.get_by_test_id("occlusion-explorer").scroll_into_view_if_needed()
    yield visiting
    context.close()


def wait_until_complete(page: Page) -> None:
    page.wait_for_selector("[data-testid=occlusion-explorer][data-complete=true]", timeout=START_PATIENCE)


def test_maps_on_the_page_equal_those_in_python(visit: Visit) -> None:
    page = visit.page
    wait_until_complete(page)
    expect(page.get_by_test_id("maps-words")).to_contain_text("144 positions")
    value = float(visit.run_code("print(explorer.maps.probability[3, 5])"))
    box = page.get_by_test_id("map-probability").bounding_box()
    assert box
    page.mouse.move(box["x"] + (24.5 + 5 * 16) / 224 * box["width"], box["y"] + (24.5 + 3 * 16) / 224 * box["height"])
    expect(page.get_by_test_id("reading-probability")).to_have_text(f"here: {100 * value:.0f}%")


def test_answers_follow_a_dragged_patch(visit: Visit) -> None:
    page = visit.page
    page.evaluate("globalThis.events = []; document.addEventListener('deconvwidgets:painted', (event) => events.push(event.detail))")
    box = page.get_by_test_id("stage").bounding_box()
    assert box
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    answers = "events.filter(({kind}) => kind === 'answer').map(({ms}) => ms)"
    for count in range(1, 6):  # of a slow machine there are fewer answers to as many moves
        for step in range(8 * (count - 1), 8 * count):
            page.mouse.move(box["x"] + 60 + 5 * step, box["y"] + 60 + 4 * step)
            page.wait_for_timeout(16)
        page.wait_for_function(f"(count) => {answers}.length >= count", arg=count)
    page.mouse.up()
    assert np.median(page.evaluate(answers)) < 20_000, "benchmarks/ measures it; a busy machine is many times slower"

    def place() -> list[float]:
        return [float(number) for number in visit.run_code("print(*explorer.state['patches'][0])").split()]

    expect_value(page, place, pytest.approx([(60 + 156) / 400 * 224, (60 + 195) / 400 * 224], abs=2))
    box = "[(int(r - 24), int(c - 24)) for r, c in explorer.state['patches']]"
    code = f"t, l = {box}[0]\nrequest = service.occlusion.scene(explorer._request()).request\n"
    code += "classes = service.occlusion.answer(request, [(l, t, l + 48, t + 48)]).classes\n"
    code += "print(next(share.now for share in classes if share.label == request.target))"
    share = float(visit.run_code(code))
    expect(page.locator("[data-testid=answer][aria-checked=true]")).to_contain_text(f"{100 * share:.0f}%")


def test_keys_are_not_passed_on_to_the_notebook(visit: Visit) -> None:
    page = visit.page
    page.get_by_test_id("stage").focus()
    for key in ("d", "d", "]", "ArrowLeft"):
        page.keyboard.press(key)
    expect(page.get_by_test_id("window-height-value")).to_have_text("52 px")
    assert page.locator(".jp-CodeCell").count() == len(CELLS)


def test_upload_of_an_image(visit: Visit) -> None:
    page = visit.page
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 200, 3), np.uint8)).save(buffer, "PNG")
    page.get_by_test_id("tab-images").click()
    page.get_by_test_id("upload-file").set_input_files({"name": "noise.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
    expect(page.get_by_test_id("title")).to_contain_text("noise.png")
    page.get_by_test_id("upload-file").set_input_files({"name": "text.png", "mimeType": "image/png", "buffer": b"text"})
    expect(page.get_by_test_id("upload-words")).to_contain_text("text.png")
    page.get_by_test_id("tab-maps").click()
    wait_until_complete(page)


def test_state_set_in_python_and_export_of_a_figure(visit: Visit) -> None:
    page = visit.page
    assert visit.run_code("explorer.state = {**explorer.state, 'image': 'crop:0', 'layer': 'conv3', 'unit': 7, 'fill': 'mean'}") == ""
    expect(page.get_by_test_id("unit")).to_have_value("7")
    expect(page.get_by_test_id("map-activity-title")).to_have_text("Activity of conv3 / 7")
    wait_until_complete(page)
    page.get_by_test_id("export-menu").click()
    with page.expect_download() as download:
        page.get_by_test_id("export-figure.png").click()
    assert Image.open(download.value.path()).width > 500


def run_below(page: Page, code: str) -> None:
    """Run code in a new cell after the last one."""
    page.evaluate("async () => { await jupyterapp.commands.execute('notebook:insert-cell-below'); }")
    page.locator(".jp-CodeCell").last.locator(".cm-content").fill(code)
    page.evaluate("async () => { await jupyterapp.commands.execute('notebook:run-cell'); }")


BOXES = (  # (code of a box, widths of the explorers in it as shares of its width)
    ("w.HBox([explorer, dw.OcclusionExplorer(service, image=3, state={'stride': [64, 64]})])", [0.5, 0.5]),
    ("w.HBox([dw.LayerExplorer(service), dw.TransferPanel(service), explorer])", [1 / 3, 1 / 3, 1 / 3]),
    ("w.Box([explorer], layout=w.Layout(width='300px'))", [1]),
    ("w.VBox([explorer])", [1]),
    ("w.VBox([explorer], layout=w.Layout(align_items='center'))", [1]),
    ("w.GridBox([explorer, explorer], layout=w.Layout(grid_template_columns='30% 70%'))", [0.3, 0.7]),
    ("half = dw.OcclusionExplorer(service, state={'stride': [64, 64]})\nhalf.layout.width = '50%'\nw.HBox([half])", [0.5]),
)
SHARES = "(elements) => elements.map((element) => element.clientWidth / element.closest('.widget-container').clientWidth)"


@pytest.mark.parametrize(("code", "shares"), BOXES, ids=[code for code, _ in BOXES])
def test_width_in_boxes_of_ipywidgets(visit: Visit, code: str, shares: list[float]) -> None:
    page = visit.page
    run_below(page, f"import ipywidgets as w\n{code}")
    last = page.locator(".jp-CodeCell").last
    expect(last.locator(".dwx")).to_have_count(len(shares), timeout=START_PATIENCE)
    expect_value(page, partial(last.locator(".dwx").evaluate_all, SHARES), pytest.approx(shares, abs=0.02))
    page.evaluate("async () => { await jupyterapp.commands.execute('notebook:delete-cell'); }")
    expect(page.locator(".jp-CodeCell")).to_have_count(len(CELLS))


def test_chart_is_drawn_with_its_tab(visit: Visit) -> None:
    page = visit.page
    page.get_by_test_id("tab-chart").click()
    page.wait_for_selector("[data-testid=chart].js-plotly-plot .heatmaplayer image", state="attached", timeout=START_PATIENCE)


def test_model_without_a_classifier(visit: Visit) -> None:
    page = visit.page
    page.get_by_test_id("tab-maps").click()
    assert visit.run_code("bare = dw.LocalModelService(dw.load_model('alexnet').with_head(None), dw.open_images('photos'))") == ""
    run_below(page, "dw.OcclusionExplorer(bare, state={'stride': [32, 32]})")
    last = page.locator("[data-testid=occlusion-explorer]").last
    expect(last.get_by_test_id("no-classifier")).to_be_visible(timeout=START_PATIENCE)
    expect(last.get_by_test_id("maps-words")).to_contain_text("positions", timeout=START_PATIENCE)
    last.get_by_test_id("use-bundled").click()
    expect(last.get_by_test_id("no-classifier")).to_be_hidden(timeout=30_000)
    expect(last.get_by_test_id("answer").first).to_be_visible()


def test_no_errors_and_no_external_requests(visit: Visit) -> None:
    assert visit.errors == []
    assert visit.external_requests == []
