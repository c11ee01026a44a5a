"""The exported HTML pages in Chromium, opened as files: they work without a kernel and a network, by keyboard, whatever the names are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from deconvwidgets.instruments.layers.figures.render import render
from deconvwidgets.instruments.layers.figures.sheet import FigureSheet, UnitPanel
from deconvwidgets.instruments.layers.records import SourceImage
from deconvwidgets.instruments.occlusion.figures.files import occlusion_file
from deconvwidgets.instruments.occlusion.records import TopClasses
from deconvwidgets.instruments.transfer.figures.files import transfer_file
from deconvwidgets.instruments.transfer.records import CellPhotographs, TestPhotograph
from tests.instruments.test_figures_with_any_text import encoded, layer_sheet, occlusion_sheet, transfer_sheet
from tests.widgets.chromium import browser as browser

pytestmark = pytest.mark.browser
NASTY = '</script><img src=x onerror="document.title=\'hacked\'"> "it\'s" & <!-- '


@pytest.fixture
def open_file(browser: Browser, tmp_path: Path) -> Iterator[Callable[[bytes], Page]]:
    """Open a page from a file. Errors on its console and requests for anything else fail the test."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(("data:", "file:")) else problems.append(request.url))

    def open_(data: bytes) -> Page:
        (tmp_path / "page.html").write_bytes(data)
        page.goto((tmp_path / "page.html").as_uri())
        return page

    yield open_
    assert page.title() != "hacked"
    assert page.locator("img[src='x']").count() == 0
    page.close()
    assert problems == []


def layer_page() -> bytes:
    sheet = layer_sheet(NASTY)
    panel = sheet.panels[0]
    assert panel.detail

    def unit(number: int, layer: str, maximum: float, label: str) -> UnitPanel:
        detail = panel.detail
        assert detail
        entries = tuple(replace(entry, label=label, value=maximum - rank) for rank, entry in enumerate(detail.entries))
        sources = tuple(SourceImage(encoded(8 + rank), (0.25, 0.0, 0.75, 1.5), None, NASTY) for rank in range(2))
        detail = replace(detail, unit=number, maximum=maximum, entries=entries)
        return replace(panel, unit=number, layer=layer, detail=detail, sources=sources)

    name = sheet.layer_names()[0]
    panels = (unit(3, name, 5.0, "cat"), unit(1, name, 9.0, "dog"), unit(2, name, 7.0, NASTY))
    return render("layers.html", FigureSheet(sheet.overview, "", "deconvnet", "tile", panels, NASTY))


def test_the_page_of_layers_sorts_filters_and_enlarges_by_keyboard(open_file: Callable[[bytes], Page]) -> None:
    page = open_file(layer_page())

    def units() -> list[str]:
        return [tile.get_attribute("data-unit") or "" for tile in page.locator(".unit").all()]

    assert units() == ["3", "1", "2"]
    page.select_option("#sort", "maximum")
    assert units() == ["1", "2", "3"]
    page.keyboard.press("Escape")
    page.locator("#sort").evaluate("(element) => element.blur()")
    page.keyboard.press("/")
    page.keyboard.type("onerror")
    assert units() == ["2"]
    page.fill("#filter", "")
    page.locator(".unit").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#large-title")).to_contain_text("unit 2")
    expect(page.locator("#projection")).to_have_attribute("data-drawn", "2/0")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#patch")).to_have_attribute("data-drawn", "2/1")
    expect(page.locator("#entry")).to_contain_text("6.00")
    expect(page.locator("#entry")).to_contain_text("</script><img")
    box, whole = page.locator("#box").bounding_box(), page.locator("#whole").bounding_box()
    assert box
    assert whole
    assert (box["x"] - whole["x"], box["width"]) == pytest.approx((0.25 * whole["width"], 0.5 * whole["width"]), abs=2)
    page.keyboard.press("ArrowDown")
    expect(page.locator("#large-title")).to_contain_text("unit 3")
    page.keyboard.press("Escape")
    expect(page.locator(".unit[data-unit='3']")).to_be_focused()


def test_the_page_of_occlusion_shows_what_the_maps_have_at_the_position_of_the_patch(open_file: Callable[[bytes], Page]) -> None:
    sheet = occlusion_sheet(NASTY)
    assert sheet.maps
    probability = np.float32([[0.1, 0.2], [0.3, 0.4]])
    maps = replace(sheet.maps, probability=probability, activity=np.float32([[1, 2], [3, 4]]), categories=("cat", NASTY))
    labels = np.array([[[1, 0], [1, 0]], [[1, 0], [1, 0]]])
    top = TopClasses(labels, np.stack([1 - probability, probability], -1), np.float32([0.9, 0.1]))
    page = open_file(occlusion_file("figure.html", replace(sheet, maps=maps, boxes=(), top_classes=top)))
    image, rows = page.locator("#image"), page.locator("#scores tr")
    expect(image).to_have_attribute("data-position", "0,0")  # the smallest probability
    expect(rows).to_have_text([f"{NASTY}90%", "cat10%"])
    image.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(image).to_have_attribute("data-position", "1,1")
    expect(rows.nth(1)).to_have_text("cat40%")
    expect(page.locator("#now")).to_have_text("activity 4")
    expect(page.locator("[data-map='probability'] + .tip")).to_have_text("40%")
    area = page.locator("[data-map='probability']").bounding_box()
    assert area
    page.mouse.move(area["x"] + 0.9 * area["width"], area["y"] + 0.1 * area["height"])
    expect(rows.nth(1)).to_have_text("cat20%")
    page.mouse.move(1, 1)
    expect(image).to_have_attribute("data-position", "1,1")
    box = image.bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.8 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.8 * box["height"])
    page.mouse.up()
    expect(rows.nth(1)).to_have_text("cat30%")
    patch = page.locator(".window").bounding_box()
    assert patch
    assert (patch["x"] - box["x"], patch["width"]) == pytest.approx((0, 0.5 * box["width"]), abs=2)  # the window is 4 of 8 pixels


def test_the_page_of_transfer_shows_the_photographs_of_a_cell(open_file: Callable[[bytes], Page]) -> None:
    sheet = transfer_sheet(NASTY)
    cells = {(0, 1): (TestPhotograph(7, NASTY, 0, 0, 1, 0.9),), (1, 1): (TestPhotograph(3, "b.jpg", 0, 1, 1, 0.5),)}
    photographs = CellPhotographs(cells, {7: encoded(10), 3: encoded(12)})
    page = open_file(transfer_file("results.html", replace(sheet, photographs=photographs), ()))
    expect(page.locator("#cell-title")).to_contain_text(": 3 of 4 tests")
    expect(page.locator("#photographs figcaption")).to_contain_text("90% · </script>")
    assert page.locator("#photographs img").evaluate("(image) => image.naturalWidth") == 10
    page.locator("#matrix").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#photographs figcaption")).to_have_text("50% · b.jpg")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#cell-text")).to_have_text("No test photograph.")
    assert page.locator("#classes button").evaluate_all("(buttons) => buttons.map((button) => button.dataset.truth)") == ["0", "1"]
    page.select_option("#sort", "best")
    assert page.locator("#classes button").evaluate_all("(buttons) => buttons.map((button) => button.dataset.truth)") == ["1", "0"]
    page.locator("#classes button").nth(1).click()
    page.locator("#mistakes button").click()
    expect(page.locator("#matrix")).to_have_attribute("data-cell", "0,1")
