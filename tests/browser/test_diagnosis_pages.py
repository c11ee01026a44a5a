"""The DiagnosisPanel, the InvarianceExplorer and the AblationPanel in JupyterLab and Chromium, on real services of small networks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.conftest import PATIENCE, START_PATIENCE, Lab, Visit, open_cells, take_screenshot
from tests.widgets.waiting import expect_value

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = (
    """import tempfile, torch
import deconvwidgets as dw
from torch import nn

def build(classes, maps=8):
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, maps, 7, stride=2, padding=3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(maps, 12, 3), nn.ReLU(),
        nn.AdaptiveMaxPool2d(3), nn.Flatten(), nn.Linear(108, classes),
    )

images = dw.open_images("photo-crops").subset(range(24))
net = build(3).eval()
bundle = dw.ModelBundle.from_module(net, input_size=(3, 64, 64), categories=["cat", "dog", "car"], name="smallnet")
service = dw.LocalModelService(bundle, images, device="cpu").wait()
panel = dw.DiagnosisPanel(service)
panel""",
    "explorer = dw.InvarianceExplorer(service)\nexplorer",
    """study = dw.AblationPanel(
    {"8 maps": build, "2 maps": lambda classes: build(classes, 2)}, images, seeds=1, out=tempfile.mkdtemp(),
    input_size=32, epochs=1, batch_size=8, device="cpu",
)
study""",
)


@pytest.fixture(scope="module")
def visit(browser: Browser, lab: Lab) -> Iterator[Visit]:
    """A notebook with these cells, after they have run."""
    context = browser.new_context(viewport={"width": 1760, "height": 1200})
    context.set_default_timeout(PATIENCE)
    visiting = open_cells(context.new_page(), lab, "diagnosis.ipynb", CELLS)
    yield visiting
    context.close()


def widget_of(visit: Visit, name: str) -> Locator:
    found = visit.page.get_by_test_id(name).first
    found.scroll_into_view_if_needed()
    expect(found).to_be_visible()
    return found


def test_a_network_is_diagnosed_and_a_photograph_shifted(visit: Visit) -> None:
    panel = widget_of(visit, "diagnosis-panel")
    expect(panel).to_have_attribute("data-ready", "true")
    expect(panel).to_have_attribute("data-diagnosed", "true", timeout=START_PATIENCE)  # it starts when the panel is shown
    counts = visit.run_code("print(len(panel.diagnosis.findings), panel.diagnosis.count('found'))").split()
    expect(panel.get_by_test_id("findings-count")).to_contain_text(f"{counts[0]} checks: {counts[1]} found")
    panel.get_by_test_id("stage").focus()
    visit.page.keyboard.press("ArrowRight")
    expect(panel.get_by_test_id("shift-value")).to_have_text("1 px")
    changes = visit.run_code("print(*(f'{layer.layer} {100 * layer.change:.1f}' for layer in panel.shifted(1, 0).layers))").split()
    assert changes[::2] == ["conv1", "conv2", "fc3"]
    for layer, change in zip(changes[::2], changes[1::2], strict=True):
        expect(panel.get_by_test_id(f"layer-{layer}")).to_contain_text(f"{change}%")
    take_screenshot(panel, "diagnosis.png")


def test_a_slider_transforms_the_photograph_and_its_units_are_those_of_python(visit: Visit) -> None:
    explorer = widget_of(visit, "invariance-explorer")
    expect(explorer).to_have_attribute("data-ready", "true", timeout=START_PATIENCE)
    explorer.get_by_test_id("amount-rotate").fill("45")
    expect(explorer.get_by_test_id("amount-rotate-value")).to_have_text("45°")
    expect(explorer).to_have_attribute("data-ready", "true", timeout=START_PATIENCE)
    code = "print(explorer.state['transform'], float(explorer.state['amount']))"
    expect_value(visit.page, lambda: visit.run_code(code).split(), ["rotate", "45.0"])
    units = visit.run_code("print(*explorer.summary['units']['strongest'])").split()
    shown = explorer.get_by_test_id("unit")
    expect(shown).to_have_count(len(units))
    expect(shown.first).to_contain_text(units[0])
    take_screenshot(explorer, "invariance.png")


def test_a_study_is_trained_and_a_variants_layers_are_explored(visit: Visit) -> None:
    panel = widget_of(visit, "ablation-panel")
    panel.get_by_test_id("go").click()
    expect(panel.get_by_test_id("phase")).to_have_text("Complete", timeout=START_PATIENCE, ignore_case=True)
    errors = visit.run_code("print(*(f'{100 * row.top1_error.mean:.1f}' for row in study.table.rows))").split()
    rows = panel.get_by_test_id("rows").locator("tr")
    expect(rows).to_have_count(2)
    for row, error in enumerate(errors):
        expect(rows.nth(row)).to_contain_text(error)
    take_screenshot(panel, "ablation.png")
    panel.get_by_role("button", name="Explore").first.click()
    expect(visit.page.get_by_test_id("layer-explorer").first).to_be_visible(timeout=START_PATIENCE)
