"""Several diagnoses beside each other as an HTML page: a column for each model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import TypeVar

from deconvwidgets.figures.html_page import html_page
from deconvwidgets.figures.page_images import Quality, webp_uri
from deconvwidgets.instruments.diagnosis.figures import beside
from deconvwidgets.instruments.diagnosis.figures.energy import carried_text, energy_html, frequency_order, shares_text
from deconvwidgets.instruments.diagnosis.figures.filter_tiles import filter_sheet
from deconvwidgets.instruments.diagnosis.figures.page import level_html
from deconvwidgets.instruments.diagnosis.figures.picture import counts
from deconvwidgets.instruments.diagnosis.records import Diagnosis, Finding, FirstLayer

_Part = TypeVar("_Part")
_FOLDER = Path(__file__).parent
_TILES, _TILE = 16, 28


def beside_page(diagnoses: Sequence[Diagnosis]) -> bytes:
    """Return the page of two or more diagnoses in UTF-8. It loads nothing."""
    largest, same = beside.largest_of(diagnoses), beside.same_photographs(diagnoses)
    firsts = [diagnosis.first_layer for diagnosis in diagnoses]
    rows = [
        _row("", diagnoses, lambda one: _head(one, same), "th"),
        _row("First layer, by frequency", firsts, _filters),
        _row("Energy by frequency", firsts, lambda layer: _energy(layer, largest)),
        _row("Aliased by the stride", firsts, _aliased),
        _row("Findings", diagnoses, lambda one: f'<span class="quiet">{escape(counts(one))}</span>'),
        *(_row(title, found, _finding) for title, found in beside.findings_by_check(diagnoses)),
    ]
    body = f'<div class="scroll"><table class="beside">{"".join(rows)}</table></div>'
    style = "".join((_FOLDER / name).read_text("utf-8") for name in ("page.css", "beside.css"))
    return html_page(beside.title(diagnoses), beside.subtitle(diagnoses), body, beside.caption(), style)


def _row(name: str, parts: Sequence[_Part], cell: Callable[[_Part], str], tag: str = "td") -> str:
    cells = "".join(f"<{tag}>{cell(part)}</{tag}>" for part in parts)
    return f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'


def _head(diagnosis: Diagnosis, same: bool) -> str:
    return f"<h2>{escape(diagnosis.model)}</h2><p>{escape(beside.measured_on(diagnosis, same))}</p>"


def _filters(layer: FirstLayer | None) -> str:
    text = escape(beside.first_layer_text(layer))
    if layer is None:
        return text
    sheet = webp_uri(filter_sheet(layer.weights, frequency_order(layer), _TILES, _TILE), Quality(95))
    return f'<p>{text}</p><img src="{sheet}" alt="{text}">'


def _energy(layer: FirstLayer | None, largest: float) -> str:
    if layer is None:
        return ""
    label = f"{shares_text(layer)}; {carried_text(layer)}"
    ends = '<p class="ends quiet"><span>0</span><span>0.5 cycles per pixel</span></p>'
    return f"<p>{escape(label)}</p>{energy_html(layer, largest, label)}{ends}"


def _aliased(layer: FirstLayer | None) -> str:
    share, text = beside.aliased_share(layer), f"<p>{escape(beside.aliased_text(layer))}</p>"
    return text if share is None else f'{text}<div class="share"><i style="width:{100 * share:.1f}%"></i></div>'


def _finding(finding: Finding | None) -> str:
    if finding is None:
        return ""
    return f"{level_html(finding)} <b>{escape(finding.count_text)}</b><p>{escape(finding.summary)}</p>"
