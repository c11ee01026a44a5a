"""A comparison in a few lines: as text, and as an HTML table."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deconvwidgets.instruments.comparison.records import Comparison, LayerComparison

_STATUSES = ("kept", "moved", "changed", "split", "merged", "died", "lost", "new", "dead", "constant")
_HEADER = ("layer", "units", *_STATUSES, "median r", "other r", "CKA")


def text(comparison: Comparison) -> str:
    """Return a title, a row per pair of layers, and the notes."""
    table = [_HEADER, *map(_cells, comparison.layers)]
    widths = [max(len(row[column]) for row in table) for column in range(len(_HEADER))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]) for row in table
    ]
    return "\n".join([title(comparison), *lines, *comparison.notes])


def html(comparison: Comparison) -> str:
    """Return the same as HTML, with the notes below the table."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in _HEADER)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _cells(pair))}</tr>" for pair in comparison.layers)
    notes = "".join(f"<p>{escape(note)}</p>" for note in comparison.notes)
    return f"<p><b>{escape(title(comparison))}</b></p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"


def title(comparison: Comparison) -> str:
    """Return what is compared, over which images."""
    sample = f"{comparison.crops:,} of {comparison.total:,}" if comparison.crops < comparison.total else f"{comparison.crops:,}"
    noun = "photographs" if comparison.crops == comparison.photographs else f"crops of {comparison.photographs:,} photographs"
    return f"a: {comparison.name_a}, b: {comparison.name_b}, over {sample} {noun} ({comparison.image_set})"


def _cells(pair: LayerComparison) -> tuple[str, ...]:
    found, units = pair.counts, (len(pair.a.status), len(pair.b.status))
    size = f"{units[0]}" if units[0] == units[1] else f"{units[0]} / {units[1]}"
    return (
        pair.short_name,
        size,
        *(str(found[status]) for status in _STATUSES),
        *map(_decimal, (pair.median_correlation, pair.median_other, pair.cka)),
    )


def _decimal(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
