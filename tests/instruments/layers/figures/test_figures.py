"""Figures of the LayerExplorer: sizes, texts, images, and no references outside the file."""

from __future__ import annotations

import base64
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pypdf
import pytest
from numpy.typing import NDArray
from PIL import Image

from deconvwidgets.errors import LayerError, ServiceError
from deconvwidgets.figures.drawing import Raster, Text, text_width
from deconvwidgets.instruments.layers.figures.all_layers import all_layers_figure
from deconvwidgets.instruments.layers.figures.explorer_image import explorer_figure
from deconvwidgets.instruments.layers.figures.render import render
from deconvwidgets.instruments.layers.figures.selection import choose_units
from deconvwidgets.instruments.layers.figures.sheet import FigureSheet, UnitPanel
from deconvwidgets.instruments.layers.figures.size import tile_pixels
from deconvwidgets.instruments.layers.records import SourceImage, TopActivation, UnitDetail, UnitTable
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.layers import LayerInfo, LayerSummary
from deconvwidgets.records.mosaics import TopActivations
from deconvwidgets.records.overview import Overview

TILE, GAP = 54, 1
SIDE = 3 * TILE + 2 * GAP


def encoded(pixels: NDArray[np.uint8]) -> EncodedImage:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return EncodedImage(buffer.getvalue(), "image/png", pixels.shape[1], pixels.shape[0])


def mosaic(seed: int, low: int, high: int) -> NDArray[np.uint8]:
    pixels = np.full((SIDE, SIDE, 3), 255, np.uint8)
    random = np.random.default_rng(seed)
    for rank in range(9):
        row, column = divmod(rank, 3)
        top, left = row * (TILE + GAP), column * (TILE + GAP)
        pixels[top : top + TILE, left : left + TILE] = random.integers(low, high, (TILE, TILE, 3))
    return pixels


def panel(unit: int, count: int = 9) -> UnitPanel:
    entries = tuple(
        TopActivation(
            rank, f"photo_{rank}.jpg", "tabby <cat>" if rank < 5 else "lamp & shade", "lamp", 0.5, 30.0 - rank, rank, rank, (0, 0, 50, 50)
        )
        for rank in range(count)
    )
    histogram = (90, 5, 3, 1, 1)
    detail = UnitDetail("conv5", unit, 30.0, 2.0, 4.0, 0.4, 7.0, histogram, (0.0, 6.0, 12.0, 18.0, 24.0, 30.0), entries)
    top = TopActivations("conv5", unit, "deconvnet", count, 3, TILE, GAP, encoded(mosaic(unit, 90, 166)), encoded(mosaic(unit + 1, 0, 256)))
    return UnitPanel.from_records(top, detail)


@pytest.fixture
def sheet() -> FigureSheet:
    layers = tuple(
        LayerSummary(LayerInfo(f"features.{i}", f"conv{i}", "conv", 64 * i, 13, 13, (163, 163), (16, 16), (-63, -63)), i)
        for i in range(1, 6)
    )
    notes = ("The model has no classifier.",)
    overview = Overview(1, "AlexNet", "ImageNet conv trunk", True, None, "photos", 31, 310, (), layers, 9, "cpu", True, notes)
    source = SourceImage(encoded(np.full((90, 120, 3), 200, np.uint8)), (-0.1, 0.2, 0.5, 0.9), None, "photo_0.jpg")
    panels = tuple(panel(unit) for unit in (3, 7, 11))
    return FigureSheet(overview, "conv5", "deconvnet", "tile", panels, "the 3 strongest of 320 units", source=source)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("kind", ["layer.png", "unit.png", "explorer.png"])
def test_a_png_can_be_opened_and_is_not_blank(sheet: FigureSheet, kind: str) -> None:
    image = opened(render(kind, sheet))  # type: ignore[arg-type]
    assert image.format == "PNG"
    pixels = np.asarray(image.convert("RGB"))
    assert (pixels != 255).any(axis=2).mean() > 0.1
    assert (pixels[:8] == 255).all() or kind == "explorer.png", "the margin is white"


def test_the_layer_figure_contains_every_mosaic_exactly(sheet: FigureSheet) -> None:
    pixels = np.asarray(opened(render("layer.png", sheet)))
    for shown in sheet.panels:
        for expected in (shown.projections, shown.patches):
            tile = expected[:TILE, :TILE]
            hits = [
                (y, x)
                for y, x in zip(*np.nonzero((pixels[: -TILE + 1, : -TILE + 1] == tile[0, 0]).all(axis=2)), strict=True)
                if (pixels[y : y + SIDE, x : x + SIDE] == expected).all()
            ]
            assert len(hits) == 1, f"unit {shown.unit}"


def test_the_caption_states_weights_image_set_rule_and_scaling(sheet: FigureSheet) -> None:
    caption = sheet.caption()
    for expected in (
        "ImageNet conv trunk",
        "31 photographs",
        "photos",
        "310 crops",
        "deconvnet rule",
        "2.5 of its own",
        "3 strongest of 320",
    ):
        assert expected in caption
    assert "scaled together" in replace(sheet, contrast="shared").caption()
    untrained = replace(sheet, overview=replace(sheet.overview, trained=False, weights="random weights, untrained"))
    assert "Weights: random weights, untrained." in untrained.caption()


@pytest.mark.parametrize("kind", ["layer.svg", "unit.svg"])
def test_an_svg_is_well_formed_with_vector_text_and_embedded_images(sheet: FigureSheet, kind: str) -> None:
    root = ET.fromstring(render(kind, sheet))  # type: ignore[arg-type]
    space = "{http://www.w3.org/2000/svg}"
    texts = " ".join(node.text or "" for node in root.iter(f"{space}text"))
    assert "AlexNet · conv5" in texts
    assert "tabby <cat>" in texts
    links = [node.get("{http://www.w3.org/1999/xlink}href", "") for node in root.iter(f"{space}image")]
    assert len(links) == (6 if kind == "layer.svg" else 3)
    assert all(link.startswith("data:image/") for link in links)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for node in root.iter(f"{space}text"):
        assert 0 <= float(node.get("x", -1)) <= width
        assert 0 <= float(node.get("y", -1)) <= height
        # The layout assumes this width: other fonts are wider.
        assert 0 < float(node.get("textLength", "nan")) <= width


class Page(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


TIP = "#1 · 30.00 · tabby <cat> · predicted lamp 50% · photo_0.jpg"


def page_data(text: str) -> dict[str, Any]:
    """Return the data of a page."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found.group(1))
    return data


@pytest.mark.parametrize("kind", ["layer.html", "unit.html"])
def test_a_page_is_standalone_and_describes_every_tile(sheet: FigureSheet, kind: str) -> None:
    text = render(kind, sheet).decode()  # type: ignore[arg-type]
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)|url\(|@import|https?:""", text), "a standalone page has no references"
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    page = Page(text)
    if kind == "unit.html":
        tips = [attributes["data-tip"] for tag, attributes in page.tags if tag == "i"]
        assert len(tips) == 18
        images = [attributes for tag, attributes in page.tags if tag == "img"]
        assert all((image["src"] or "").startswith("data:image/") and image["alt"] for image in images)
    else:
        units = page_data(text)["layers"][0]["units"]
        tips = [entry["text"] for unit in units for entry in unit["entries"]]
        assert len(tips) == 9 * 3
    assert TIP in tips


def test_a_live_page_has_the_numbers_of_the_records_and_stores_each_photograph_once(sheet: FigureSheet) -> None:
    other = SourceImage(encoded(np.full((90, 120, 3), 90, np.uint8)), (0.0, 0.0, 0.5, 0.5), None, "photo_1.jpg")
    assert sheet.source
    panels = tuple(replace(shown, sources=(sheet.source, *[other] * 8)) for shown in sheet.panels)
    data = page_data(render("layer.html", replace(sheet, panels=panels)).decode())
    assert len(data["images"]["photographs"]) == 2
    for unit, shown in zip(data["layers"][0]["units"], panels, strict=True):
        assert shown.detail
        assert unit["unit"] == shown.unit
        assert (unit["maximum"], unit["selectivity"], unit["rate"]) == (30.0, 7.0, 0.4)
        assert [entry["value"] for entry in unit["entries"]] == [entry.value for entry in shown.detail.entries]
        assert [entry["photograph"] for entry in unit["entries"]] == [0] + [1] * 8
        assert unit["labels"] == [["tabby <cat>", 5], ["lamp & shade", 4]]
        assert unit["entries"][0]["box"] == [-0.1, 0.2, 0.5, 0.9]


def test_projections_are_lossless_in_svg_and_close_in_a_live_page(sheet: FigureSheet) -> None:
    first = re.search(r"data:image/png;base64,([\w+/=]+)", render("layer.svg", sheet).decode())
    assert first
    pixels = np.asarray(opened(base64.b64decode(first.group(1))).convert("RGB"))
    np.testing.assert_array_equal(pixels, sheet.panels[0].projections)
    smooth = np.repeat(np.repeat(np.linspace(100, 150, SIDE).astype(np.uint8)[None, :, None], SIDE, 0), 3, 2)
    data = page_data(render("layer.html", replace(sheet, panels=(replace(sheet.panels[0], projections=smooth),))).decode())
    shown = np.asarray(opened(base64.b64decode(data["images"]["projections"][0].partition(",")[2])).convert("RGB")).astype(int)
    assert shown.shape == smooth.shape
    assert np.abs(shown - smooth).max() <= 4


@pytest.mark.parametrize("kind", ["layer.pdf", "unit.pdf", "layers.pdf"])
def test_a_pdf_has_the_text_of_the_svg_as_text_and_the_same_images(sheet: FigureSheet, kind: str) -> None:
    page = pypdf.PdfReader(io.BytesIO(render(kind, sheet))).pages[0]  # type: ignore[arg-type]
    text = "".join(page.extract_text().split())
    svg = ET.fromstring(render(kind.replace("pdf", "svg"), sheet))  # type: ignore[arg-type]
    lines = [node.text or "" for node in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert len(lines) > 5
    for line in lines:
        assert "".join(line.split()) in text
    assert len(page.images) == len(list(svg.iter("{http://www.w3.org/2000/svg}image")))
    width, height = float(svg.get("width", 0)), float(svg.get("height", 0))
    assert (page.mediabox.width / 0.75, page.mediabox.height / 0.75) == pytest.approx((width, height), abs=1)
    projections = [np.asarray(image.image.convert("RGB")) for image in page.images if image.image and image.image.size == (SIDE, SIDE)]
    assert any(np.array_equal(pixels, sheet.panels[0].projections) for pixels in projections), "projections are lossless"


def test_the_figure_of_several_layers_has_a_row_for_each(sheet: FigureSheet) -> None:
    panels = tuple(replace(shown, layer=layer) for layer in ("conv1", "conv2", "conv4", "conv5") for shown in sheet.panels[:2])
    drawing = all_layers_figure(replace(sheet, layer="", panels=panels))
    texts = {item.text: item for item in drawing.items if isinstance(item, Text)}
    tops = [texts[layer].y for layer in ("conv1", "conv2", "conv4", "conv5")]
    assert tops == sorted(set(tops))
    assert "AlexNet · conv1 to conv5" in texts
    assert {"64 units", "256 units", "13 x 13 map"} <= set(texts)
    images = [item for item in drawing.items if isinstance(item, Raster)]
    assert sorted({item.y for item in images}) == sorted(item.y for item in images)[::4], "four images in each row"
    for item in texts.values():
        assert item.x + text_width(item.text, item.size) <= drawing.width
        assert item.y <= drawing.height


@pytest.mark.parametrize(("count", "left_out"), [(5, 0), (20, 0), (60, 37)])
def test_the_static_image_is_as_high_as_its_units_however_many_layers_there_are(sheet: FigureSheet, count: int, left_out: int) -> None:
    layers = tuple(
        LayerSummary(LayerInfo(f"f.{i}", f"conv{i}", "conv", 64, 13, 13, None, (16, 16), (0, 0)), 0) for i in range(1, count + 1)
    )
    untrained = replace(sheet.overview, layers=layers, trained=False)
    chosen = f"conv{count - 2}"
    drawing = explorer_figure(replace(sheet, overview=untrained, layer=chosen))
    texts = [item for item in drawing.items if isinstance(item, Text)]
    assert drawing.height == explorer_figure(sheet).height
    assert all(item.y <= drawing.height for item in texts)
    assert sum(bool(re.fullmatch(r"conv\d+", item.text)) for item in texts) == count - left_out
    assert chosen in [item.text for item in texts if item.tone == "accent"]
    assert (f"and {left_out} more layers" in [item.text for item in texts]) == bool(left_out)
    assert any("(random weights)" in item.text for item in texts)


@pytest.mark.parametrize("size", ["huge", 15, 257, 72.0, True, None])
def test_a_wrong_tile_size_is_refused(size: object) -> None:
    with pytest.raises(ServiceError, match="'small', 'medium', 'large' or the pixels"):
        tile_pixels(size)


def test_the_figure_of_a_unit_states_how_often_it_is_active(sheet: FigureSheet) -> None:
    svg = render("unit.svg", sheet).decode()
    assert "active in 40% of 100 crops" in svg
    one_crop = replace(sheet, overview=replace(sheet.overview, crops=sheet.overview.photographs))
    assert "active in 40% of 100 photographs" in render("unit.svg", one_crop).decode()
    assert "maximum activation per crop, square-root scale" in svg


def test_a_dead_unit_is_an_empty_frame_with_a_note(sheet: FigureSheet) -> None:
    dead = replace(panel(5, count=0), detail=None)
    shown = replace(sheet, panels=(dead,), source=None)
    assert b"inactive in every crop" in render("layer.svg", shown)
    assert b"inactive in every crop" in render("layer.html", shown)
    for kind in ("layer.png", "unit.png", "unit.svg", "unit.html", "explorer.png"):
        assert render(kind, shown)  # type: ignore[arg-type]


def test_an_unknown_layer_an_empty_sheet_and_an_unknown_kind_raise_errors(sheet: FigureSheet) -> None:
    with pytest.raises(LayerError, match="conv1, conv2"):
        render("layer.png", replace(sheet, layer="conv9"))
    with pytest.raises(LayerError, match="at least one"):
        render("unit.png", replace(sheet, panels=()))
    with pytest.raises(ServiceError, match=r"layer\.html"):
        render("layer.gif", sheet)  # type: ignore[arg-type]


def table(maximum: list[float]) -> UnitTable:
    values = np.array(maximum, np.float32)
    return UnitTable("conv5", values, values, values, (values > 0).astype(np.float32), values, np.full((len(values), 9), -1), ())


def test_units_are_selected_as_the_description_says() -> None:
    units, selection = choose_units(table([1, 5, 0, 5, 2]), 3)
    assert units == [1, 3, 4]
    assert selection == "the 3 strongest of 5 units"
    drawn, selection = choose_units(table([1, 5, 0, 5, 2]), 16, "random", seed=4)
    assert drawn == [0, 1, 3, 4], "a random subset contains no dead unit"
    assert "seed 4" in selection
    assert choose_units(table([1] * 50), 5, "random", seed=1)[0] != choose_units(table([1] * 50), 5, "random", seed=2)[0]
    assert choose_units(table([0, 1, 2]), 2, "index")[0] == [0, 1]
    with pytest.raises(LayerError, match="at least one"):
        choose_units(table([1]), 0)
