"""Tables as CSV (RFC 4180): UTF-8, numbers with a decimal point."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from deconvwidgets.figures.characters import replace_invalid

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return a table as the bytes of a file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")  # fields that contain one of them are quoted
    writer.writerow(header)
    writer.writerows(rows)
    return replace_invalid(text.getvalue()).encode()


def csv_text(value: str) -> str:
    """Return a text for a spreadsheet: one that would be read as a formula is prefixed with an apostrophe."""
    return f"'{value}" if value.lstrip(" ").startswith(_FORMULA) else value


def csv_share(value: float | None) -> str:
    """Return a share with six decimals; nothing for an undefined one."""
    return "" if value is None or math.isnan(value) else f"{value:.6f}"
