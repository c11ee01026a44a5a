"""Exported figures are valid files, whatever characters the names of classes, files, models and datasets contain."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
from html import unescape
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pypdf
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from deconvwidgets.compute.calibration import calibration
from deconvwidgets.instruments.evaluation.figures.files import evaluation_file
from deconvwidgets.instruments.evaluation.figures.sheet import EvaluationSheet
from deconvwidgets.instruments.evaluation.records import ClassificationEvaluation, MultilabelEvaluation, RegressionEvaluation
from deconvwidgets.instruments.evaluation.settings import EvaluatedPhotograph, EvaluationCells
from deconvwidgets.instruments.evolution.service.figures import evolution_figure
from deconvwidgets.instruments.layers.figures.render import render
from deconvwidgets.instruments.layers.figures.sheet import FigureSheet, UnitPanel
from deconvwidgets.instruments.layers.records import SourceImage, TopActivation, UnitDetail
from deconvwidgets.instruments.occlusion.figures.files import occlusion_file
from deconvwidgets.instruments.occlusion.figures.sheet import OcclusionSheet
from deconvwidgets.instruments.occlusion.records import (
    ClassShare,
    OcclusionMaps,
    OcclusionProjection,
    OcclusionRequest,
    OcclusionScene,
    PatchAnswer,
    Unoccluded,
)
from deconvwidgets.instruments.training.figures.files import training_file
from deconvwidgets.instruments.training.figures.sheet import TrainingSheet
from deconvwidgets.instruments.training.records import RecipePart, TrainingPlan, TrainingStatus
from deconvwidgets.instruments.transfer.figures.files import transfer_file
from deconvwidgets.instruments.transfer.figures.sheet import TransferSheet
from deconvwidgets.instruments.transfer.records import LearningCurve, PaperRow, TestPhotograph, TransferResults, TransferRunSummary
from deconvwidgets.records.images import EncodedImage, SkippedImage
from deconvwidgets.records.layers import LayerInfo, LayerSummary
from deconvwidgets.records.overview import Overview
from deconvwidgets.records.training_log import EpochLog, TrainingLog
from tests.instruments.evolution.widget.fake_api import FakeEvolutionService

# Control characters, an undecodable byte of a file name, halves of surrogate pairs, noncharacters, and what XML, HTML and CSV reserve
SPECIAL = "\x00\x01\x08\t\n\x0b\r\x1b\x7f\x85\u202e\u2067\u2028\udc80\ud83d\ude00\ufffe\uffff\U0001fffe<>&\"'=,;]\\"
texts = st.text(st.sampled_from(SPECIAL) | st.characters(codec=None), max_size=12)
INVALID = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def encoded(side: int = 8) -> EncodedImage:
    buffer = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), 90, np.uint8)).save(buffer, "PNG")
    return EncodedImage(buffer.getvalue(), "image/png", side, side)


def overview(text: str) -> Overview:
    layer = LayerSummary(LayerInfo("features.0", text or "conv1", "conv", 4, 8, 8, (3, 3), (1, 1), (0, 0)), 1)
    return Overview(1, text, text, True, text, text, 2, 2, (), (layer,), 9, "cpu", True)


def layer_sheet(text: str) -> FigureSheet:
    entry = TopActivation(0, text, text, text, 0.5, 3.0, 1, 1, (0, 0, 3, 3))
    detail = UnitDetail("conv1", 0, 3.0, 1.0, 1.0, 0.5, 2.0, (1, 1), (0.0, 1.5, 3.0), (entry, entry))
    mosaic = np.zeros((26, 26, 3), np.uint8)
    panel = UnitPanel(0, mosaic, mosaic, 2, 3, 8, 1, detail)
    source = SourceImage(encoded(), (0.1, 0.1, 0.5, 0.5), None, text)
    return FigureSheet(overview(text), "features.0", "deconvnet", "tile", (panel,), text, source=source)


def occlusion_sheet(text: str) -> OcclusionSheet:
    grid = np.ones((2, 2), np.float32)
    feature_map = np.ones((3, 3), np.float32)
    shares = (ClassShare(0, text, 0.9, 0.4), ClassShare(1, text, 0.1, 0.6))
    request = OcclusionRequest("crop:0", text, 0, 0, "gray")
    scene = OcclusionScene(request, text, text, encoded(), encoded(), shares, 9.0, feature_map, (0,))
    centres = np.stack(np.meshgrid([2.0, 6.0], [2.0, 6.0], indexing="ij"), axis=-1)
    maps = OcclusionMaps(
        grid / 2, np.array([[0, 1], [1, 0]]), grid / 2, grid, centres, 0, Unoccluded(0.9, 0, 0.9, 9.0), text, 0, (4, 4), (4, 4), "gray",
        "inside", "full", True, (text, text),
    )  # fmt: skip
    projection = OcclusionProjection(text, False, 1.0, (0, 0, 3, 3), encoded(), encoded(), encoded(), feature_map, (0, 0, 1, 1))
    result = PatchAnswer(shares, 5.0, feature_map)
    return OcclusionSheet(overview(text), scene, ((1, 1, 4, 4),), result, maps, {0: "#4c78a8", 1: "#f58518"}, (projection,), text)


def transfer_sheet(text: str) -> TransferSheet:
    curve = LearningCurve(text, text, text, text, (1, 2), (0.5, 0.6), (0.1, 0.1), 2, 0, True)
    paper = (PaperRow(text, 80.0, 0.5, 30),)
    summary = TransferRunSummary(
        1, "done", text, text, 2, 2, None, "one", (0.5, 0.6), (1e-3, 1e-3), text, 1.0, 0, None, None, curve, paper
    )  # fmt: skip
    confusion = np.array([[1, 3], [0, 4]])
    skipped = (SkippedImage(text, text),)
    results = TransferResults(summary, (text, f"{text}2"), np.float32([0.25, 1]), np.array([4, 4]), confusion, skipped, True)
    return TransferSheet(text, text, results, (("data", text), (text, text)), ((text, text),))


def evaluation_sheets(text: str) -> dict[str, EvaluationSheet]:
    """Return the content of the figures of an evaluation of each task, of two photographs and two classes."""
    two, values = np.arange(2), np.array([[0.0, 1.0], [2.0, 5.0]])
    shares = np.array([0.5, 1.0])
    common: dict[str, Any] = {
        "model": text, "weights": text, "classifier": text, "dataset": text, "classes": (text, f"{text}2"), "matches": (), "sources": two,
        "outputs": np.zeros((2, 2), np.float32), "total": 2, "unlabelled": 0, "unmatched": 0, "skipped": (SkippedImage(text, text),),
        "notes": (text,), "complete": True, "seconds": 1.0, "digests": ((text, text),),
    }  # fmt: skip
    classes = {"categories": (text, f"{text}2"), "category_classes": ((0,), (1,)), "class_tests": np.ones(2, int), "recall": shares}
    classification = ClassificationEvaluation(
        **common, **classes, truths=two, predictions=two, predicted=np.array([2, 1]), confidences=np.array([0.4, 0.8], np.float32),
        true_probabilities=np.array([0.1, 0.8], np.float32), losses=np.array([2.3, 0.2], np.float32), ranks=two, accuracy=0.5, top5=None,
        class_accuracy=0.5, precision=shares, confusion=np.array([[0, 0, 1], [0, 1, 0]]), log_loss=1.0, brier=0.5,
        reliability=calibration([0.4, 0.8], [False, True]),
    )  # fmt: skip
    multilabel = MultilabelEvaluation(
        **common, **classes, truths=np.eye(2, dtype=bool), probabilities=np.eye(2, dtype=np.float32), threshold=0.5, precision=shares,
        average_precision=shares, mean_average_precision=0.75, f1=shares, micro_precision=0.5, micro_recall=0.5, micro_f1=0.5,
    )  # fmt: skip
    regression = RegressionEvaluation(
        **common, unit=text, truths=values, predictions=values + 1, mean_absolute_error=shares, root_mean_squared_error=shares, r2=shares
    )
    photograph = EvaluatedPhotograph(0, text, 0, 2, text, 0.4, 0.1)
    cells = EvaluationCells({(0, 2): (photograph,)}, {0: encoded()})
    found = {"classification": classification, "multilabel": multilabel, "regression": regression}
    return {task: EvaluationSheet(one, (text, text), cells if task == "classification" else None) for task, one in found.items()}


def evolution_file(kind: str, text: str) -> bytes:
    service = FakeEvolutionService(epochs=(0, 1))
    service.name = service.label = text
    return evolution_figure(service, kind, {"choose": "chosen", "units": [["conv1", 7]]})  # type: ignore[arg-type]


def training_sheet(text: str) -> TrainingSheet:
    recipe = (RecipePart("Optimiser", text, True, "changed", text),)
    plan = TrainingPlan(model=text, images=text, training=4, classes=(text, text), epochs=2, recipe=recipe)
    rms = {"weight_rms": {text: 0.1}, "update_rms": {text: 1e-3}}
    epochs = tuple(EpochLog(epoch=epoch, train_loss=1.0, metrics={text: 1.0}, **rms) for epoch in (1, 2))
    return TrainingSheet(TrainingStatus(folder=text, phase="running", plan=plan, checkpoints=(1,)), TrainingLog(epochs=epochs))


def exports(text: str) -> dict[str, bytes]:
    """Return every text export of the instruments, with `text` for every name."""
    tests = [TestPhotograph(0, text, 0, 0, 1, 0.5), TestPhotograph(1, f"{text}1", 1, 1, 1, None)]
    layers, occlusion, transfer = layer_sheet(text), occlusion_sheet(text), transfer_sheet(text)
    return (
        {kind: render(kind, layers) for kind in ("layer.svg", "unit.svg", "layer.html", "unit.html")}  # type: ignore[arg-type]
        | {kind: occlusion_file(kind, occlusion) for kind in ("figure.svg", "figure.html")}
        | {kind: transfer_file(kind, transfer, tests) for kind in ("results.html", "photographs.csv", "classes.csv")}  # type: ignore[arg-type]
        | {kind: training_file(kind, training_sheet(text)) for kind in ("training.svg", "training.csv")}  # type: ignore[arg-type]
        | {kind: evolution_file(kind, text) for kind in ("evolution.svg", "evolution.html", "cells.csv")}
        | {
            f"{task} {kind}": evaluation_file(kind, sheet)  # type: ignore[arg-type]
            for task, sheet in evaluation_sheets(text).items()
            for kind in ("results.svg", "results.html", "photographs.csv", "classes.csv")
        }
    )


class Page(HTMLParser):
    """Records the tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


PLAIN = {kind: Page(data.decode()).tags for kind, data in exports("name").items() if kind.endswith(".html")}


@pytest.mark.slow
@settings(max_examples=24, deadline=None)
@given(texts)
@example(SPECIAL)
@example("\udcff.jpg")
@example("]]>\x00</svg>")
def test_svg_html_and_csv_are_well_formed(text: str) -> None:
    for kind, data in exports(text).items():
        content = data.decode()  # strict UTF-8
        assert not INVALID.search(content), kind
        if kind.endswith(".svg"):
            ET.fromstring(data)
        elif kind.endswith(".html"):
            assert Page(content).tags == PLAIN[kind], kind
        else:
            rows = list(csv.reader(io.StringIO(content, newline="")))
            assert [len(row) for row in rows] == [len(rows[0])] * 3, kind


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(texts)
@example(SPECIAL)
@pytest.mark.parametrize(
    "kind",
    [
        "explorer.png",
        "layer.png",
        "unit.png",
        "figure.png",
        "results.png",
        "layers.pdf",
        "unit.pdf",
        "figure.pdf",
        "results.pdf",
        "evolution.pdf",
        "training.png",
        "training.pdf",
        *(f"{task} results.{kind}" for task in ("classification", "multilabel", "regression") for kind in ("png", "pdf")),
    ],
)
def test_png_and_pdf_can_be_drawn(kind: str, text: str) -> None:
    if kind.startswith("figure"):
        data = occlusion_file(kind, occlusion_sheet(text))
    elif " " in kind:
        task, name = kind.split()
        data = evaluation_file(name, evaluation_sheets(text)[task])  # type: ignore[arg-type]
    elif kind.startswith("evolution"):
        data = evolution_file(kind, text)
    elif kind.startswith("training"):
        data = training_file(kind, training_sheet(text))  # type: ignore[arg-type]
    elif kind.startswith("results"):
        data = transfer_file(kind, transfer_sheet(text), ())  # type: ignore[arg-type]
    else:
        data = render(kind, layer_sheet(text))  # type: ignore[arg-type]
    if kind.endswith("pdf"):
        pypdf.PdfReader(io.BytesIO(data)).pages[0].extract_text()
    else:
        Image.open(io.BytesIO(data)).load()


def test_valid_characters_are_kept() -> None:
    text = "Ünï漢😀 <b>&'"
    for kind, data in exports(text).items():
        content = data.decode()
        assert text in ("".join(ET.fromstring(data).itertext()) if kind.endswith(".svg") else unescape(content)), kind


def test_names_are_no_formulas_of_a_spreadsheet() -> None:
    for kind, data in exports("=1+1").items():
        if kind.endswith(".csv"):
            cells = [cell for row in csv.reader(io.StringIO(data.decode(), newline="")) for cell in row]
            assert any("=1+1" in cell for cell in cells), kind
            assert not any(cell.startswith("=") for cell in cells), kind
