"""The results of an evaluation as a standalone HTML page, in light and dark colours."""

from __future__ import annotations

from html import escape

import numpy as np

from deconvwidgets.figures.class_page import (
    CELL,
    CLASSES,
    ClassPageData,
    bar_row,
    confusion_section,
    facts,
    skipped_files,
    style_and_script,
)
from deconvwidgets.figures.html_page import html_page
from deconvwidgets.figures.vector import data_uri
from deconvwidgets.instruments.evaluation.figures.picture import scatter_pixels
from deconvwidgets.instruments.evaluation.figures.sheet import EvaluationSheet, percent, square_confusion
from deconvwidgets.instruments.evaluation.records import (
    ClassificationEvaluation,
    MultilabelEvaluation,
    RegressionEvaluation,
)
from deconvwidgets.records.calibration import Calibration


def evaluation_page(sheet: EvaluationSheet) -> bytes:
    """Return the page. A classifier's confusion matrix shows the photographs of a cell, and its list of classes leads to the cells."""
    found = sheet.evaluation
    scores = "".join(bar_row(name, share, text) for name, share, text in sheet.scores())
    left = f'<p class="big">{escape(sheet.headline())}</p><p class="quiet">{escape(sheet.progress())}</p><table>{scores}</table>'
    digests = f'<section class="wide"><h2>Digests</h2>{facts(found.digests)}{skipped_files(found.skipped)}</section>'
    if isinstance(found, ClassificationEvaluation):
        names, confusion = square_confusion(found)
        calibration = f"<h2>Accuracy by confidence</h2>{_reliability(found.reliability)}<p>{escape(sheet.calibration())}</p>"
        matrix = f"<section><h2>Confusion matrix</h2>{confusion_section(confusion, names)}{CELL}</section>"
        body = f'<main class="classes"><section>{left}{calibration}</section>{matrix}{CLASSES}{digests}</main>'
        style, script = style_and_script()
        data = _data(sheet, found, names, confusion)
        return html_page(sheet.title(), sheet.subtitle(), body, sheet.caption(), style, script, data)
    results = _labels(sheet) if isinstance(found, MultilabelEvaluation) else _values(found)  # type: ignore[arg-type]
    body = f'<main class="classes"><section>{left}</section><section>{results}</section>{digests}</main>'
    return html_page(sheet.title(), sheet.subtitle(), body, sheet.caption(), style_and_script()[0])


def _data(sheet: EvaluationSheet, found: ClassificationEvaluation, names: list[str], confusion: np.ndarray) -> dict[str, object]:
    extra = len(names) - len(found.categories)
    tests, recall = np.append(found.class_tests, [0] * extra), np.append(found.recall, [np.nan] * extra)
    return ClassPageData(names, tests, recall, confusion, sheet.cells).content()


def _reliability(calibration: Calibration) -> str:
    rows = zip(calibration.edges, calibration.edges[1:], calibration.counts, calibration.accuracies, strict=False)
    lines = [
        bar_row(f"{low:.0%} to {high:.0%}", 100 * accuracy, f"{percent(accuracy)} of {count:,}")
        for low, high, count, accuracy in rows
        if count
    ]
    return f"<table>{''.join(lines)}</table>"


def _labels(sheet: EvaluationSheet) -> str:
    known = [one for one in sheet.classes() if not np.isnan(one.accuracy)]
    rows = [bar_row(f"{one.name} ({one.tests:,})", 100 * one.accuracy, percent(one.accuracy)) for one in known]
    return f"<h2>Average precision</h2><table>{''.join(rows)}</table>"


def _values(found: RegressionEvaluation) -> str:
    pixels, low, high = scatter_pixels(found.truths[:, 0], found.predictions[:, 0], 600)
    image = data_uri(pixels, photograph=False)
    errors = zip(found.classes, found.mean_absolute_error, found.root_mean_squared_error, found.r2, strict=True)
    pairs = [(name, f"mean absolute error {mae:.4g}, root mean squared error {rmse:.4g}, R2 {r2:.3f}") for name, mae, rmse, r2 in errors]
    axes = f"Predictions (upwards) against true values (rightwards), both from {low:.4g} to {high:.4g} {found.unit}".rstrip()
    picture = f'<img class="matrix" src="{image}" alt="Scatter plot"><p class="quiet">{escape(axes)}</p>'
    return f"<h2>{escape(found.classes[0])}</h2>{picture}{facts(pairs)}"
