"""A run's results as CSV, for spreadsheets and scripts: UTF-8, numbers with a point, one row a photograph or class (RFC 4180)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from deconvwidgets.instruments.transfer.figures.sheet import TransferSheet
from deconvwidgets.instruments.transfer.records import TestPhotograph

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def photographs_csv(tests: Iterable[TestPhotograph], categories: Sequence[str]) -> bytes:
    """Every test photograph of every fold: fold (from 1), photograph, truth, prediction, confidence (may be empty), correct (0 or 1)."""
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
    """Every class: tests, accuracy (a share; empty without tests), the class that it was taken for most often, and how many times."""
    rows = (
        (_text(one.name), one.tests, "" if math.isnan(one.accuracy) else f"{one.accuracy:.6f}", _text(one.mistake), one.times or "")
        for one in sheet.classes()
    )
    return _table(("class", "tests", "accuracy", "most common mistake", "times"), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")  # a field that holds either is quoted, so that no name begins a row
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode(errors="replace")


def _text(value: str) -> str:
    """Words as a spreadsheet shows them: a name that it would take for a formula, and might run, gets an apostrophe before it."""
    return f"'{value}" if value.lstrip(" ").startswith(_FORMULA) else value
