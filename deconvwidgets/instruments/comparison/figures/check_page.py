"""The HTML page of a check: the verdict, the layers, and the changed units before and after."""

from __future__ import annotations

import base64
import math
from html import escape
from pathlib import Path

import numpy as np

from deconvwidgets.figures.html_page import html_page
from deconvwidgets.instruments.comparison.check_records import STATUSES, ChangeFigure, LayerCheck, UnitCheck

_FILE = Path(__file__)
_MEANINGS = {
    "kept": "the same under the same number",
    "moved": "the same under another number",
    "changed": "looks for something else than before",
    "merged": "the same as another unit",
    "lost": "no unit is its clear match",
    "died": "its unit is silent",
    "dead": "was silent before",
    "constant": "not judged",
}
_VERDICTS = {
    "died": "died",
    "changed": "changed, merged or lost",
    "moved": "moved to another number",
    "split": "split into copies",
}


def check_page(check: UnitCheck) -> bytes:
    """Return the page in UTF-8. It loads nothing."""
    style, script = (_FILE.with_suffix(suffix).read_text("utf-8") for suffix in (".css", ".js"))
    body = f"<main>{_verdict(check)}{_layers(check)}{_units(check)}</main>"
    title = f"Unit check of {check.model}"
    subtitle = f"against {check.frozen_model}, on {check.image_set}"
    return html_page(title, subtitle, body, _caption(check), style, script)


def _verdict(check: UnitCheck) -> str:
    word = "Passed" if check.passed else "Failed"
    rows = "".join(
        f"<tr><td>{_VERDICTS[one.kind]}</td><td{'' if one.passed else ' class=over'}>{one.found:,}</td>"
        f"<td>{f'{one.allowed:,}' if one.limit.count is not None or one.limit.percent is not None else 'any number'}</td></tr>"
        for one in check.verdicts
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in check.notes)
    return (
        f'<section><h2><span class="verdict{"" if check.passed else " failed"}">{word}</span></h2>'
        f'<div class="scroll"><table><tr><th>of {check.units:,} units</th><th>found</th><th>allowed</th></tr>{rows}</table></div>'
        f"{f'<ul class=quiet>{notes}</ul>' if notes else ''}</section>"
    )


def _layers(check: UnitCheck) -> str:
    header = "".join(f"<th>{name}</th>" for name in ("layer", "", "units", *STATUSES[:6], "split", "new", "median r", "weights"))
    legend = "".join(f'<span><i class="{status}"></i>{status}: {_MEANINGS[status]}</span>' for status in STATUSES)
    rows = "".join(map(_layer_row, check.layers))
    return (
        f'<section><h2>Layers</h2><div class="scroll"><table><tr>{header}</tr>{rows}</table></div><p class="legend">{legend}</p></section>'
    )


def _layer_row(layer: LayerCheck) -> str:
    counts = {status: len(layer.units(status)) for status in STATUSES}
    bar = "".join(f'<i class="{status}" style="flex:{count}"></i>' for status, count in counts.items() if count)
    values = layer.correlation[np.isfinite(layer.correlation)]
    cells = [
        f"{len(layer.status):,}",
        *(f"{counts[status]:,}" for status in STATUSES[:6]),
        f"{len(layer.copies):,}",
        f"{len(layer.new):,}",
        f"{np.median(values):.3f}" if len(values) else "",
        "the same" if layer.same_weights else "changed",
    ]
    numbers = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><td>{escape(_layer_name(layer))}</td><td class="bar"><div>{bar}</div></td>{numbers}</tr>'


def _layer_name(layer: LayerCheck) -> str:
    before, after = layer.info, layer.info_new
    return before.short_name if before.short_name == after.short_name else f"{before.short_name} / {after.short_name}"


def _units(check: UnitCheck) -> str:
    changed = sum(len(layer.units("died", "changed", "merged", "lost")) for layer in check.layers)
    if not changed:
        return "<section><h2>Units</h2><p>No unit changed.</p></section>"
    by_name = {layer.info.name: layer for layer in check.layers}
    cards = "".join(_card(by_name[figure.layer], figure) for figure in check.figures)
    shown = len(check.figures)
    heading = f"Units that changed ({changed:,}{'' if shown >= changed else f'; figures of the {shown:,} that changed most'})"
    tools = ""
    if shown:
        layers = "".join(f"<option>{escape(layer.info.short_name)}</option>" for layer in check.layers)
        statuses = "".join(f"<option>{status}</option>" for status in STATUSES[2:6])
        tools = (
            f'<p class="tools"><label>Layer <select id="layer"><option value="">all</option>{layers}</select></label>'
            f'<label>Status <select id="status"><option value="">all</option>{statuses}</select></label>'
            '<span class="quiet" id="count" aria-live="polite"></span></p>'
        )
    return f'<section><h2>{heading}</h2>{tools}<div id="cards">{cards}</div>{_lists(check)}</section>'


def _card(layer: LayerCheck, figure: ChangeFigure) -> str:
    unit, match = figure.unit, int(layer.match[figure.unit])
    status, name = str(layer.status[unit]), layer.info.short_name
    arrow = f" → {match}" if match not in (-1, unit) else ""
    before = _figure("Before", figure.before_patches, figure.before_projections, figure.before_names, "It was silent.")
    silent = "Its unit is silent." if match >= 0 else "No unit is left for it."
    after = _figure("After", figure.after_patches, figure.after_projections, figure.after_names, silent)
    return (
        f'<article data-layer="{escape(name)}" data-status="{status}"><h3>{escape(name)}, unit {unit}{arrow}'
        f'<b class="{status}">{status}</b></h3><p>{escape(layer.reasons[unit])}</p>'
        f'<div class="pair">{before}{after}</div>{_numbers(layer, unit, match)}</article>'
    )


def _figure(title: str, patches: bytes, projections: bytes, names: tuple[str, ...], otherwise: str) -> str:
    if not patches and not projections:
        return f'<figure><figcaption>{title}</figcaption><div class="none quiet">{otherwise}</div></figure>'
    images = "".join(
        f'<img src="data:image/webp;base64,{base64.b64encode(data).decode("ascii")}" alt="{title}: {kind}" title="{kind}">'
        for kind, data in (("projections", projections), ("patches", patches))
        if data
    )
    return f"<figure><figcaption>{title}</figcaption>{images}<p>{escape(', '.join(names))}</p></figure>"


def _numbers(layer: LayerCheck, unit: int, match: int) -> str:
    before, after = layer.before, layer.after
    pairs = [
        ("correlation", _decimal(layer.correlation[unit])),
        ("same photographs", _percent(layer.overlap[unit])),
        ("projections r", _decimal(layer.likeness[unit])),
        ("mean", f"{_short(before.mean[unit])} → {_short(after.mean[match]) if match >= 0 else '–'}"),
        ("maximum", f"{_short(before.maximum[unit])} → {_short(after.maximum[match]) if match >= 0 else '–'}"),
        ("active in", f"{_percent(before.share_active[unit])} → {_percent(after.share_active[match]) if match >= 0 else '–'}"),
    ]
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs) + "</dl>"


def _lists(check: UnitCheck) -> str:
    """Return all units of the statuses that say that something happened, by layer."""
    items = []
    for layer in check.layers:
        for status in ("died", "lost", "changed", "merged", "moved"):
            units = [f"{unit} → {layer.match[unit]}" if status == "moved" else str(unit) for unit in layer.units(status)]
            if units:
                items.append(f"<li>{escape(layer.info.short_name)}, {status}: {', '.join(units)}</li>")
        items.extend(
            f"<li>{escape(layer.info.short_name)}, split: {unit} → {', '.join(map(str, (int(layer.match[unit]), *others)))}</li>"
            for unit, others in layer.copies
        )
    return f"<details><summary>All of them by number</summary><ul>{''.join(items)}</ul></details>" if items else ""


def _caption(check: UnitCheck) -> str:
    limits = check.limits
    return (
        f"Units are matched one to one by the correlation (r) of their activations over {check.crops:,} crops. The same: r of at least "
        f"{limits.correlation:g}, {limits.overlap:.0%} of the strongest photographs, projections at the same places that correlate with at "
        f"least {limits.likeness:g}, and a mean activation within a factor of {limits.scale:g}. Projections: Zeiler & Fergus 2014, each "
        f"with its own contrast; of the three strongest activations. Frozen: {check.frozen_weights}. New: {check.weights}."
    )


def _decimal(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.0%}"


def _short(value: float) -> str:
    return f"{float(value):.3g}"
