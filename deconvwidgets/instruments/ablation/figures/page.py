"""The table of an ablation study as a standalone HTML page, in light and dark colours."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from deconvwidgets.figures.html_page import html_page
from deconvwidgets.instruments.ablation.figures.texts import (
    caption,
    difference_text,
    error_text,
    paper_text,
    parameters_text,
    speed_text,
    subtitle,
    title,
)
from deconvwidgets.instruments.ablation.records import AblationRow, AblationTable

_STYLE = """
main{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:5px 12px 5px 0;border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums;vertical-align:top}
th{font-weight:600;color:var(--quiet)}
small{display:block;color:var(--quiet)}
"""
_COLUMNS: tuple[tuple[str, Callable[[AblationRow], str]], ...] = (
    ("Parameters", lambda row: parameters_text(row.variant.parameters)),
    ("Runs", lambda row: f"{row.complete} of {len(row.runs)}"),
    ("Train error", lambda row: error_text(row.train_error)),
    ("Top-1 error", lambda row: error_text(row.top1_error)),
    ("Top-1, difference", lambda row: difference_text(row.top1_difference)),
    ("Top-5 error", lambda row: error_text(row.top5_error)),
    ("Top-5, difference", lambda row: difference_text(row.top5_difference)),
    ("Images/s", lambda row: speed_text(row.images_per_second)),
    ("Paper, top-1", paper_text),
)


def ablation_page(table: AblationTable) -> bytes:
    """Return the page."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("Variant", *(name for name, _ in _COLUMNS)))
    body = "".join(_row(row, row.variant.name == table.baseline) for row in table.rows)
    main = f"<main><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></main>"
    return html_page(title(table), subtitle(table), main, caption(table), _STYLE)


def _row(row: AblationRow, baseline: bool) -> str:
    variant = row.variant
    about = [variant.description, *(["baseline"] if baseline else []), *variant.surgery]
    small = f"<small>{escape(', '.join(part for part in about if part and part != variant.name))}</small>"
    cells = "".join(f"<td>{escape(text(row))}</td>" for _, text in _COLUMNS)
    return f'<tr><th scope="row">{escape(variant.name)}{small}</th>{cells}</tr>'
