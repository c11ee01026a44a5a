"""The results of a run as CSV, one row per photograph, class or bin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from deconvwidgets.figures.csv_table import csv_share, csv_table, csv_text
from deconvwidgets.instruments.transfer.figures.sheet import TransferSheet
from deconvwidgets.instruments.transfer.records import TestPhotograph
from deconvwidgets.records.calibration import Calibration


def photographs_csv(tests: Iterable[TestPhotograph], categories: Sequence[str]) -> bytes:
    """Return a table of all test photographs: fold (from 1), photograph, truth, prediction, confidence (may be empty), correct (0 or 1)."""
    rows = (
        (
            test.fold + 1,
            csv_text(test.name),
            csv_text(categories[test.truth]),
            csv_text(categories[test.prediction]),
            csv_share(test.confidence),
            int(test.truth == test.prediction),
        )
        for test in tests
    )
    return csv_table(("fold", "photograph", "truth", "prediction", "confidence", "correct"), rows)


def classes_csv(sheet: TransferSheet) -> bytes:
    """Return a table of all classes: tests, accuracy (a share; empty without tests), the most frequent wrong prediction and its count."""
    rows = (
        (
            csv_text(result.name),
            result.tests,
            csv_share(result.accuracy),
            csv_text(result.mistake),
            result.times or "",
        )
        for result in sheet.classes()
    )
    return csv_table(("class", "tests", "accuracy", "most common mistake", "times"), rows)


def calibration_csv(found: Calibration | None) -> bytes:
    """Return the reliability diagram as a table: the edges of each bin, its predictions, mean confidence and accuracy (empty if none)."""
    rows: list[Sequence[object]] = []
    if found is not None:
        bins = zip(found.edges, found.edges[1:], found.counts, found.confidences, found.accuracies, strict=False)
        for low, high, count, confidence, accuracy in bins:
            rows.append((f"{low:.6f}", f"{high:.6f}", count, csv_share(confidence), csv_share(accuracy)))
    return csv_table(("above", "up to", "predictions", "mean confidence", "accuracy"), rows)
