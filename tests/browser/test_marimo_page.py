"""The explorers in a real marimo, in Chromium: live, in the theme of the page, and with values that cells react to."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.conftest import CHROMIUM_FLAGS, find_chromium

pytest.importorskip("marimo")

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "marimo_explorers.py"
EXPORTED = """
import marimo

app = marimo.App()


@app.cell
def _():
    import deconvwidgets as dw

    service = dw.LocalModelService(dw.load_model("alexnet"), dw.open_images("photos"), device="cpu").wait()
    dw.LayerExplorer(service, layer="conv5")
    return
"""
SECONDS = 180  # for an answer on a busy machine
WHITE = "rgb(255, 255, 255)"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium or Chrome found"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    command = [
        sys.executable,
        "-m",
        "marimo",
        "--yes",
        "run",
        str(NOTEBOOK),
        "--headless",
        "--no-token",
        "--port",
        "0",
    ]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    output: list[str] = []
    found = None
    for line in process.stdout:
        output.append(line)
        if found := re.search(r"http://\S+:\d+", line):
            break
    assert found, "".join(output)
    threading.Thread(target=process.stdout.read, daemon=True).start()  # the server would stop at a full pipe
    yield found.group()
    process.terminate()
    process.wait(120)


@pytest.fixture(scope="module")
def errors() -> list[str]:
    return []


@pytest.fixture(scope="module")
def page(address: str, errors: list[str]) -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), chromium_sandbox=False, args=CHROMIUM_FLAGS)
        # The theme of the page is light; that of the desktop is not.
        opened = chromium.new_context(viewport={"width": 1600, "height": 1100}, color_scheme="dark").new_page()
        opened.set_default_timeout(SECONDS * 1000)
        opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        opened.on("pageerror", lambda error: errors.append(f"{error} {error.stack}"))
        opened.goto(address)
        expect(opened.locator("[data-testid=layer-explorer][data-ready=true]")).to_be_visible(timeout=300_000)
        yield opened
        chromium.close()


def test_a_light_page_is_light_on_a_dark_desktop(page):
    background = page.get_by_test_id("layer-explorer").evaluate("element => getComputedStyle(element).backgroundColor")
    assert background == WHITE


def test_a_cell_reads_the_unit_that_is_chosen(page):
    search = page.get_by_test_id("layer-explorer").get_by_placeholder("unit or class")
    search.fill("133")
    search.press("Enter")
    expect(page.get_by_text(re.compile(r"^Unit\s+133\s+of conv5 has its strongest activation"))).to_be_visible(timeout=SECONDS * 1000)


def test_the_chart_of_a_map_is_drawn(page):
    explorer = page.get_by_test_id("occlusion-explorer")
    explorer.scroll_into_view_if_needed()
    explorer.get_by_role("tab", name="Chart").click()
    expect(explorer.locator(".dwx-chart .heatmaplayer image").first).to_be_attached(timeout=SECONDS * 1000)


def test_a_cell_reads_the_accuracy_of_a_run_that_the_kernel_ends(page):
    panel = page.get_by_test_id("transfer-panel")
    panel.scroll_into_view_if_needed()
    expect(page.get_by_text("There are no results yet.")).to_be_visible()
    panel.get_by_test_id("go").click()
    expect(page.get_by_text(re.compile(r"^Accuracy over 3 folds: \d+"))).to_be_visible(timeout=SECONDS * 1000)


def test_an_export_has_pictures(tmp_path):
    notebook = tmp_path / "notebook.py"
    notebook.write_text(EXPORTED)
    command = [sys.executable, "-m", "marimo", "--yes", "export", "ipynb", str(notebook), "-o", str(tmp_path / "exported.ipynb")]
    subprocess.run([*command, "--include-outputs"], check=True, timeout=300, stdin=subprocess.DEVNULL)
    cells = json.loads((tmp_path / "exported.ipynb").read_text())["cells"]
    assert [list(output["data"]) for cell in cells for output in cell["outputs"]] == [["image/png"]]


def test_the_page_has_no_errors(page, errors):
    assert errors == []
