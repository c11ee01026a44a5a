"""Figures of the rows: what stands where, in which words, and what is refused."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from PIL import Image

from deconvwidgets.errors import ServiceError
from deconvwidgets.figures.drawing import Raster, Rectangle, Text
from deconvwidgets.instruments.evolution.figures.drawing import TILE, evolution_drawing
from deconvwidgets.instruments.evolution.figures.sheet import caption
from deconvwidgets.instruments.evolution.records import CellKey, CellPicturesRequest, EvolutionFigure, UnitChoice
from deconvwidgets.instruments.evolution.service.figures import evolution_figure
from tests.instruments.evolution.widget.fake_api import DEAD, FakeEvolutionService, column

STATE = {"choose": "chosen", "units": [["conv1", DEAD], ["conv1", 7], ["conv2", 9]], "show": "both", "measure": "correlation"}
CHOICE = UnitChoice(choose="chosen", units=(("conv1", DEAD), ("conv1", 7), ("conv2", 9)))


@pytest.fixture
def service():
    return FakeEvolutionService(epochs=(0, 1, 2, 5))


def make_figure(service, **state):
    rows = tuple(service.rows(CHOICE))
    keys = tuple(CellKey(cell.epoch, row.layer, row.unit) for row in rows for cell in row.cells if cell.image is not None)
    pictures = {picture.key: picture for picture in service.cell_pictures(CellPicturesRequest(cells=keys, tile=TILE))}
    state = {**STATE, "seed": 0, **state}
    return EvolutionFigure(overview=service.overview(), rows=rows, pictures=pictures, curves=service.convergence(), state=state)


def test_a_frame_surrounds_the_cells_whose_strongest_image_changed(service):
    drawing = evolution_drawing(make_figure(service, show="projections"))
    tiles = [item for item in drawing.items if isinstance(item, Raster)]
    assert len(tiles) == 8, "two active units at four epochs"
    frames = {(item.x, item.y) for item in drawing.items if isinstance(item, Rectangle) and item.tone == "accent"}
    framed = [(tile.x, tile.y) in frames for tile in tiles]
    assert framed == [False, True, False, True] * 2
    texts = [item.text for item in drawing.items if isinstance(item, Text)]
    assert texts.count("0 (random)") >= 1
    assert "inactive" in texts
    for curve in service.convergence().curves:
        at = texts.index(curve.layer)
        assert texts[at + 1 : at + 5] == [f"{value:.2f}" for value in curve.values]


def test_a_patch_stands_in_the_corner_of_its_projection_or_alone(service):
    both = [item for item in evolution_drawing(make_figure(service)).items if isinstance(item, Raster)]
    projection, patch = both[:2]
    assert (projection.photograph, patch.photograph) == (False, True)
    assert projection.x < patch.x
    assert patch.x + patch.width <= projection.x + projection.width
    alone = [item for item in evolution_drawing(make_figure(service, show="patches")).items if isinstance(item, Raster)]
    assert [item.photograph for item in alone] == [True] * 8
    assert alone[0].width == TILE


def test_the_caption_says_what_is_random_and_what_is_left_out(service):
    service.add(column(2, "failed", message="It is damaged."))
    text = caption(make_figure(service))
    assert "The weights of epoch 0 are random." in text
    assert "Left out: epoch 2: It is damaged." in text
    assert "correlation with epoch 5" in text
    service.unit = "step"
    assert "The weights of step 0 are random." in caption(make_figure(service))


def test_files(service):
    png = np.asarray(Image.open(io.BytesIO(evolution_figure(service, "evolution.png", STATE))))
    assert png.shape[1] >= 720
    page = evolution_figure(service, "evolution.html", STATE).decode()
    assert page.count("<img") == 16
    assert 'title="conv1 unit 7, epoch 1: 6 · bee · another image became the strongest"' in page
    assert b"<svg" in evolution_figure(service, "evolution.svg", STATE)[:200]
    assert evolution_figure(service, "evolution.pdf", STATE).startswith(b"%PDF")


def test_the_static_image_has_so_many_units_of_each_layer_that_it_is_drawn_soon(service):
    def cells(count: int) -> int:
        service.calls.clear()
        evolution_figure(service, "explorer.png", {"choose": "random", "count": count, "seed": 1})
        return sum(len(request.cells) for name, request in service.calls if name == "cells")

    assert cells(4) == 2 * 4 * 4, "all of few"
    assert cells(24) == 2 * 15 * 4


def test_tables(service):
    service.label = "=1+1"
    lines = list(csv.DictReader(io.StringIO(evolution_figure(service, "cells.csv", STATE).decode())))
    assert len(lines) == 12
    dead, active = lines[0], lines[5]
    assert (dead["unit"], dead["activation"], dead["image"], dead["row"]) == (str(DEAD), "0", "", "")
    assert (active["unit"], active["epoch"], active["changed"], active["label"]) == ("7", "1", "1", "'=1+1")
    converged = list(csv.DictReader(io.StringIO(evolution_figure(service, "convergence.csv", STATE).decode())))
    assert len(converged) == 2 * 4 * 3, "layers, epochs and measures"
    assert {line["value"] for line in converged if line["epoch"] == "5"} == {"1.000000"}


@pytest.mark.parametrize(
    ("kind", "state", "message"),
    [
        ("evolution.gif", {}, "no figure 'evolution.gif'"),
        ("evolution.png", {"show": "all"}, "'show' is one of"),
        ("evolution.png", {"units": 3}, "list of pairs"),
        ("evolution.png", {"units": []}, "nothing to draw"),
    ],
)
def test_what_cannot_be_drawn_is_refused(service, kind, state, message):
    with pytest.raises(ServiceError, match=message):
        evolution_figure(service, kind, {**STATE, **state})
