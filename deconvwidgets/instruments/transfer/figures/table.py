"""The results of a run as CSV (RFC 4180): UTF-8, numbers with a decimal point, one row per photograph or class."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from deconvwidgets.figures.characters import replace_invalid
from deconvwidgets.instruments.transfer.figures.sheet import TransferSheet
from deconvwidgets.instruments.transfer.records import TestPhotograph
from deconvwidgets.records.calibration import Calibration

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def photographs_csv(tests: Iterable[TestPhotograph], categories: Sequence[str]) -> bytes:
    """Return a table of all test photographs: fold (from 1), photograph, truth, prediction, confidence (may be empty), correct (0 or 1)."""
    rows = (
        (
            test.fold + 1,
            _text(test.name),
            _text(categories[test.truth]),
            _text(categories[test.prediction]),
            "" if test.confidence is None else f"{test.confidence:.6f}",
            int(test.truth == test.prediction),
        )
        for test in tests
    )
    return _table(("fold", "photograph", "truth", "prediction", "confidence", "correct"), rows)


def classes_csv(sheet: TransferSheet) -> bytes:
    """Return a table of all classes: tests, accuracy (a share; empty without tests), the most frequent wrong prediction and its count."""
    rows = (
        (
            _text(result.name),
            result.tests,
            "" if math.isnan(result.accuracy) else f"{result.accuracy:.6f}",
            _text(result.mistake),
            result.times or "",
        )
        for result in sheet.classes()
    )
    return _table(("class", "tests", "accuracy", "most common mistake", "times"), rows)


def calibration_csv(found: Calibration | None) -> bytes:
    """Return the reliability diagram as a table: the edges of each bin, its predictions, mean confidence and accuracy (empty if none)."""
    rows: list[Sequence[object]] = []
    if found is not None:
        bins = zip(found.edges, found.edges[1:], found.counts, found.confidences, found.accuracies, strict=False)
        for low, high, count, confidence, accuracy in bins:
            rows.append((f"{low:.6f}", f"{high:.6f}", count, *("" if not count else f"{share:.6f}" for share in (confidence, accuracy))))
    return _table(("above", "up to", "predictions", "mean confidence", "accuracy"), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")  # fields that contain one of them are quoted
    writer.writerow(header)
    writer.writerows(rows)
    return replace_invalid(text.getvalue()).encode()


def _text(value: str) -> str:
    """Return a text for a spreadsheet: one that would be read as a formula is prefixed with an apostrophe."""
    return f"'{value}" if value.lstrip(" ").startswith(_FORMULA) else value
