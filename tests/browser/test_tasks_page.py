"""OcclusionExplorers of a regression and of a model of several labels in JupyterLab and Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.conftest import PATIENCE, START_PATIENCE, Lab, Visit, open_cells, take_screenshot
from tests.widgets.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = (
    """import torch
import deconvwidgets as dw
from torch import nn

torch.manual_seed(3)
trunk = nn.Sequential(nn.Conv2d(3, 8, 5, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3), nn.ReLU()).eval()
images = dw.open_images("photos", limit=4)


def explore(outputs, **options):
    net = nn.Sequential(*trunk, nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(108, outputs)).eval()
    bundle = dw.ModelBundle.from_module(net, input_size=(3, 96, 96), **options)
    service = dw.LocalModelService(bundle, images, device="cpu").wait()
    return dw.OcclusionExplorer(service, state={"window": 24, "stride": 12})""",
    'depth = explore(2, categories=["depth", "tilt"], task="regression", unit="m", name="depthnet")\ndepth',
    'labels = explore(4, categories=["cat", "dog", "car", "tree"], task="multilabel", name="labelnet")\nlabels',
    "dw.TransferPanel(depth._service)",
    "dw.LayerExplorer(depth._service)",
)


@pytest.fixture(scope="module")
def visit(browser: Browser, lab: Lab) -> Iterator[Visit]:
    """A notebook with these cells, after they have run."""
    context = browser.new_context(viewport={"width": 1600, "height": 1100})
    context.set_default_timeout(PATIENCE)
    visiting = open_cells(context.new_page(), lab, "tasks.ipynb", CELLS)
    yield visiting
    context.close()


def explorer_of(visit: Visit, name: str) -> Locator:
    found = visit.page.get_by_test_id("occlusion-explorer").filter(has_text=name)
    found.scroll_into_view_if_needed()
    expect(found).to_have_attribute("data-complete", "true", timeout=START_PATIENCE)
    return found


def test_a_regression_shows_values_with_their_unit_and_a_signed_map(visit: Visit) -> None:
    explorer = explorer_of(visit, "depthnet")
    expect(explorer.get_by_test_id("map-value-title")).to_have_text("Depth in m")
    for hidden in ("map-probability", "map-label", "over-probability", "over-label", "target-auto"):
        expect(explorer.get_by_test_id(hidden)).to_be_hidden()
    before, now = (float(number) for number in visit.run_code(
        "api = depth._service.occlusion\nscene = api.scene(depth._request())\n"
        "print(scene.classes[0].before, api.answer(scene.request, [(36, 36, 60, 60)]).classes[0].now)"
    ).split())  # fmt: skip
    rows = explorer.get_by_test_id("answer")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text(f"{float(f'{now:.4g}'):g} m")
    expect(explorer.get_by_test_id("reading-value")).to_have_text(f"no patch: {float(f'{before:.4g}'):g} m")
    expect(explorer.get_by_test_id("title")).to_contain_text(f"depth {float(f'{before:.4g}'):g} m")
    assert "robab" not in explorer.inner_text()
    take_screenshot(explorer, "regression.png")


def test_the_signed_map_equals_that_in_python_and_is_white_without_a_change(visit: Visit) -> None:
    explorer = explorer_of(visit, "depthnet")
    explorer.get_by_test_id("answer").nth(1).click()
    expect(explorer.get_by_test_id("map-value-title")).to_have_text("Tilt in m")
    expect(explorer).to_have_attribute("data-complete", "true", timeout=START_PATIENCE)
    wait_until(visit.page, lambda: "tilt" in visit.run_code("print(depth.state['target'])"), "the state is saved")
    value, low, high = (
        float(number) for number in visit.run_code("print(depth.maps.value[2, 3], *depth.maps.colour_range('value'))").split()
    )
    box = explorer.get_by_test_id("map-value").bounding_box()
    assert box
    visit.page.mouse.move(box["x"] + (12 + 3 * 12) / 96 * box["width"], box["y"] + (12 + 2 * 12) / 96 * box["height"])
    expect(explorer.get_by_test_id("reading-value")).to_have_text(f"here: {float(f'{value:.4g}'):g} m")
    red, blue = (
        explorer.get_by_test_id("map-value")
        .locator("canvas.dwo-map-canvas")
        .evaluate("(canvas) => { const pixel = canvas.getContext('2d').getImageData(3, 2, 1, 1).data; return [pixel[0], pixel[2]]; }")
    )
    assert (red > blue) == (value > (low + high) / 2)
    assert explorer.get_by_test_id("map-value").locator("xpath=..").locator(".dwo-tick").evaluate("(tick) => tick.style.left") == "50%"


def test_each_label_has_a_probability_of_its_own(visit: Visit) -> None:
    explorer = explorer_of(visit, "labelnet")
    expect(explorer.get_by_test_id("map-value")).to_be_hidden()
    expect(explorer.get_by_test_id("map-probability-title")).to_contain_text("Probability of ")
    code = "api = labels._service.occlusion\nscene = api.scene(labels._request())\n"
    code += "print(*(share.now for share in api.answer(scene.request, [(36, 36, 60, 60)]).classes))"
    shares = [float(share) for share in visit.run_code(code).split()]
    assert sum(shares) > 1.05
    for share in shares:
        expect(explorer.get_by_test_id("answers")).to_contain_text(f"{100 * share:.0f}%")
    take_screenshot(explorer, "multilabel.png")


def test_the_other_widgets_speak_of_values(visit: Visit) -> None:
    panel = visit.page.get_by_test_id("transfer-panel")
    expect(panel.get_by_test_id("origin")).to_contain_text("your model's own 2 values, in m")
    layers = visit.page.get_by_test_id("layer-explorer")
    expect(layers.get_by_test_id("entries")).to_contain_text("depth ")
    expect(layers.get_by_test_id("entries")).to_contain_text(" m, tilt ")
    assert visit.errors == []
