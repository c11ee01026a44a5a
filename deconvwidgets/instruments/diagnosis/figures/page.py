"""The HTML page of a diagnosis: the findings, the first layer's filters, and the tables of shifts and of the input."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path

from deconvwidgets.figures.html_page import html_page
from deconvwidgets.figures.page_images import Quality, webp_uri
from deconvwidgets.instruments.diagnosis.figures.energy import energy_html, frequency_order, largest_share, shares_text
from deconvwidgets.instruments.diagnosis.figures.filter_tiles import filter_sheet
from deconvwidgets.instruments.diagnosis.figures.picture import caption, counts
from deconvwidgets.instruments.diagnosis.input_records import InputCheck
from deconvwidgets.instruments.diagnosis.records import Diagnosis, Finding, FirstLayer, ShiftCurves
from deconvwidgets.instruments.diagnosis.shift_summary import filled_text, probability_text

_FILE = Path(__file__)
_LEVELS = {"found": "found", "near": "close to the limit", "clear": "clear", "not_checked": "cannot be checked"}
_COLUMNS, _TILE = 16, 36


def diagnosis_page(diagnosis: Diagnosis) -> bytes:
    """Return the page in UTF-8. It loads nothing."""
    findings = "".join(map(_finding, diagnosis.findings))
    figures = "".join(
        [
            "" if diagnosis.first_layer is None else _filters(diagnosis.first_layer),
            "" if diagnosis.shift is None else _shifts(diagnosis.shift),
            _input(diagnosis.input),
            _skipped(diagnosis),
        ]
    )
    body = f'<main><section><p class="quiet">{escape(counts(diagnosis))}</p>{findings}</section><section>{figures}</section></main>'
    title, subtitle = f"Diagnosis of {diagnosis.model}", f"{diagnosis.photographs:,} photographs of {diagnosis.image_set}"
    return html_page(title, subtitle, body, caption(diagnosis), _FILE.with_suffix(".css").read_text("utf-8"))


def level_html(finding: Finding) -> str:
    """Return the mark of a finding's level."""
    name = _LEVELS[finding.level]
    return f'<i class="level {finding.level}" role="img" aria-label="{name}" title="{name}"></i>'


def _finding(finding: Finding) -> str:
    units = ", ".join(f"{unit.layer} / {unit.unit} ({unit.text})" for unit in finding.units)
    mend = ", ".join(f"{surgery.label} (dw.surgery.{surgery.function})" for surgery in finding.surgeries)
    parts = (("Evidence", finding.evidence), ("The paper", finding.paper), ("Units", units), ("May mend it", mend))
    more = "".join(f'<p class="quiet">{name}: {escape(text)}</p>' for name, text in parts if text)
    return (
        f"<article>{level_html(finding)}<h3>{escape(finding.title)}</h3>"
        f"<b>{escape(finding.count_text)}</b><div><p>{escape(finding.summary)}</p>{more}</div></article>"
    )


def _filters(layer: FirstLayer) -> str:
    sheet = webp_uri(filter_sheet(layer.weights, frequency_order(layer), _COLUMNS, _TILE), Quality(95))
    size = f"{layer.kernel_size[0]} x {layer.kernel_size[1]}, stride {max(layer.stride)}"
    name = f"{len(layer.weights):,} filters of {layer.alias} ({size}), by frequency"
    energy = (
        f"Energy by spatial frequency, 0 to 0.5 cycles per pixel: {shares_text(layer)}. "
        f"Strong blue: above the {layer.carried:.3g} that the stride carries along an axis"
    )
    return (
        f'<figure><figcaption>{escape(name)}</figcaption><img src="{sheet}" alt="{escape(name)}"></figure>'
        f"<figure><figcaption>{escape(energy)}</figcaption>{energy_html(layer, largest_share(layer), energy)}</figure>"
    )


def _shifts(curves: ShiftCurves) -> str:
    header = "".join(f"<th>{pixels} px</th>" for pixels in curves.shifts)
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{stride or ''}</td>{''.join(map(_percent, curves.changes[number]))}</tr>"
        for number, (name, stride) in enumerate(zip(curves.layers, curves.strides, strict=True))
    )
    last = f"<tr><td>{probability_text(curves)}, percentage points</td><td></td>{''.join(map(_points, curves.probability))}</tr>"
    name = f"Median change of strongest activations, {curves.photographs} photographs moved {curves.direction}{filled_text(curves)}"
    return (
        f'<figure><figcaption>{escape(name)}</figcaption><div class="scroll"><table><tr><th>layer</th><th>stride</th>{header}</tr>{rows}'
        f"{last}</table></div></figure>"
    )


def _input(check: InputCheck) -> str:
    parts = []
    if len(check.layers):
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{value:.3g}</td></tr>" for name, value in zip(check.layers, check.divergences, strict=True)
        )
        parts.append(
            f"<figure><figcaption>Divergence of the input of each batch norm from training, {check.photographs:,} photographs</figcaption>"
            f'<div class="scroll"><table><tr><th>batch norm</th><th>divergence</th></tr>{rows}</table></div></figure>'
        )
    if check.variants:
        rows = "".join(
            f"<tr><td>{escape(one.label)}</td>{_percent(one.top1)}{_percent(one.top5)}<td>{one.log_loss:.3f}</td></tr>"
            for one in check.variants
        )
        parts.append(
            f"<figure><figcaption>Ways to prepare {check.labelled:,} labelled photographs, the best first</figcaption>"
            f'<div class="scroll"><table><tr><th>way</th><th>top-1</th><th>top-5</th><th>log loss</th></tr>{rows}</table></div></figure>'
        )
    return "".join(parts)


def _skipped(diagnosis: Diagnosis) -> str:
    if not diagnosis.skipped:
        return ""
    names = ", ".join(escape(image.name) for image in diagnosis.skipped[:20])
    return f'<p class="quiet">Could not be read, and left out ({len(diagnosis.skipped):,}): {names}</p>'


def _points(value: float) -> str:
    return "<td>–</td>" if math.isnan(value) else f"<td>{100 * value:.1f}</td>"


def _percent(value: float) -> str:
    return "<td>–</td>" if math.isnan(value) else f"<td>{100 * value:.1f}%</td>"
