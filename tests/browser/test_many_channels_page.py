"""Explorers of a model with four input channels, such as the bands of a satellite image, in JupyterLab and Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE, Lab, Visit, open_cells
from tests.widgets.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MODEL = """
import numpy as np, torch, deconvwidgets as dw
from torch import nn

def bands(image):
    colours = torch.from_numpy(np.asarray(image.resize((96, 96)), np.float32) / 255).permute(2, 0, 1)
    return torch.cat([colours.mean(0, keepdim=True), colours.flip(0)]) - 0.5  # near infrared, blue, green, red

torch.manual_seed(0)
net = nn.Sequential(nn.Conv2d(4, 8, 7, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(8, 12, 5), nn.ReLU()).eval()
bundle = dw.ModelBundle.from_module(net, bands, input_size=(4, 96, 96), name="bands", display_channels=CHANNELS)
service = dw.LocalModelService(bundle, dw.open_images("photos", limit=12), device="cpu").wait()
"""
LAYERS = "explorer = dw.LayerExplorer(service, layer='conv2', state={'unit': 3})\nexplorer"
OCCLUSION = "occlusion = dw.OcclusionExplorer(service, 0, state={'window': 24, 'stride': 24})\nocclusion"
# The number of canvases of the chosen unit (projections, patches, source image) with a coloured pixel
COLOURED = """() => [...document.querySelectorAll("[data-testid=detail] canvas")].filter(canvas => {
  const data = canvas.width && canvas.height ? canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data : [];
  for (let i = 0; i < data.length; i += 4) {
    const pixel = [data[i], data[i + 1], data[i + 2]];
    if (Math.max(...pixel) - Math.min(...pixel) > 24) return true;
  }
  return false;
}).length"""


@pytest.fixture(scope="module")
def open_model(browser: Browser, lab: Lab) -> Iterator[Callable[[str, str], Visit]]:
    """A function that shows both explorers of the model with these display channels."""
    contexts = []

    def make(name: str, channels: str) -> Visit:
        context = browser.new_context(viewport={"width": 1500, "height": 1900})
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        return open_cells(context.new_page(), lab, name, [MODEL.replace("CHANNELS", channels), LAYERS, OCCLUSION])

    yield make
    for context in contexts:
        context.close()


def wait_until_shown(page: Page, coloured: int) -> None:
    expect(page.get_by_test_id("detail")).to_be_visible()
    page.wait_for_function(f"() => ({COLOURED})() === {coloured}")


@pytest.mark.parametrize(("channels", "coloured"), [("None", 3)])  # others in tests/models/test_channels.py
def test_the_chosen_channels_are_displayed(open_model, channels, coloured, tmp_path):
    visit = open_model(f"bands-{coloured}-{len(channels)}.ipynb", channels)
    page = visit.page
    page.wait_for_function("() => document.querySelectorAll('[data-testid=detail] canvas').length >= 2")
    wait_until_shown(page, coloured)
    page.screenshot(path=tmp_path / "explorers.png")
    assert visit.errors == []
    noted = page.get_by_text("Of the 4 input channels", exact=False)
    wait_until(page, lambda: (noted.count() > 0) == (channels == "None"), "what is displayed is noted")
