"""The results of a run as a standalone HTML page, in light and dark colours."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from deconvwidgets.display import decode_image
from deconvwidgets.figures.html_page import html_page
from deconvwidgets.figures.page_images import Quality, encode_to_fit
from deconvwidgets.figures.vector import data_uri
from deconvwidgets.instruments.transfer.figures.confusion import confusion_pixels
from deconvwidgets.instruments.transfer.figures.sheet import TransferSheet

_FOLDER = Path(__file__).parent
_STEPS = tuple({"thumbnails": Quality(quality, side)} for quality, side in ((80, 0), (65, 0), (50, 0), (40, 64), (30, 48)))


_CELL = (
    '<div id="cell" aria-live="polite"><h2 id="cell-title"></h2><p class="quiet" id="cell-text"></p><div id="photographs"></div>'
    '<div id="mistakes"></div></div>'
)


def transfer_page(sheet: TransferSheet) -> bytes:
    """Return the page: its confusion matrix shows the photographs of a cell, and its class list leads to the cells of a class."""
    body = f"""<main class="transfer">
<section><p class="big">{escape(sheet.headline())}</p><p class="quiet">{escape(sheet.progress())}</p>
<p class="quiet">{escape(sheet.calibration())}</p>{_comparison(sheet)}
<h2>Folds</h2>{_folds(sheet)}{_curve(sheet)}{_CELL}</section>
<section><h2>Confusion matrix</h2>{_confusion(sheet)}</section>
<section class="wide"><h2>Classes</h2><p class="tools"><label>Sort <select id="sort"><option value="worst">worst first</option>
<option value="best">best first</option><option value="name">name</option></select></label>
<label>Class <input id="filter" type="search" placeholder="any class" autocomplete="off"></label><span class="quiet" id="count"></span></p>
<div id="classes"></div></section>
<section class="wide"><h2>Settings and digests</h2>{_facts([*sheet.settings, *sheet.digests])}{_skipped(sheet)}</section>
</main>"""
    style, script = ((_FOLDER / name).read_text("utf-8") for name in ("live_page.css", "live_page.js"))
    return html_page(sheet.title(), sheet.subtitle(), body, sheet.caption(), style, script, _data(sheet))


def _data(sheet: TransferSheet) -> dict[str, Any]:
    """Return the data of the page's script."""
    results, photographs = sheet.results, sheet.photographs
    thumbnails = {} if photographs is None else photographs.thumbnails
    numbers = {source: number for number, source in enumerate(thumbnails)}
    cells = {} if photographs is None else photographs.cells
    images = encode_to_fit({"thumbnails": [decode_image(image.data) for image in thumbnails.values()]}, _STEPS)
    return {
        "categories": list(results.categories),
        "tests": results.class_tests.tolist(),
        "accuracy": [float(share) for share in results.class_accuracy],
        "counts": {f"{row},{column}": int(results.confusion[row, column]) for row, column in np.argwhere(results.confusion).tolist()},
        "cells": {
            f"{truth},{prediction}": [[numbers[one.source], one.name, one.confidence] for one in cell]
            for (truth, prediction), cell in cells.items()
        },
        **images,
    }


def _comparison(sheet: TransferSheet) -> str:
    """Return the accuracy and those of the paper as bars."""
    run = sheet.results.summary
    rows = [_bar("this run", 100 * (run.mean or 0), sheet.headline(), "ours")]
    for row in run.paper:
        std = f" ± {row.std:.1f}" if row.std is not None else ""
        rows.append(_bar(row.description, row.mean, f"{row.mean:.1f}{std}%", "paper"))
    return f"<table>{''.join(rows)}</table>"


def _bar(text: str, percent: float, value: str, kind: str) -> str:
    bar = f'<i class="{kind}" style="width:{min(max(percent, 0.0), 100.0):.1f}%"></i>'
    return f'<tr><th scope="row">{escape(text)}</th><td class="bar">{bar}</td><td class="number">{escape(value)}</td></tr>'


def _folds(sheet: TransferSheet) -> str:
    run = sheet.results.summary
    rows = zip(run.per_fold, run.weight_decays, strict=True)
    lines = [
        _bar(f"fold {number}", 100 * accuracy, f"{100 * accuracy:.1f}%, weight decay {decay:g}", "ours")
        for number, (accuracy, decay) in enumerate(rows, 1)
    ]
    return f"<table>{''.join(lines)}</table>"


def _curve(sheet: TransferSheet) -> str:
    curve = sheet.results.summary.curve
    if curve is None:
        return ""
    points = zip(curve.images_per_class, curve.means, curve.stds, strict=True)
    rows = [_bar(f"{count} per class", 100 * mean, f"{100 * mean:.1f} ± {100 * std:.1f}%", "ours") for count, mean, std in points]
    return f"<h2>By training images</h2><table>{''.join(rows)}</table>"


def _confusion(sheet: TransferSheet) -> str:
    results = sheet.results
    image = data_uri(confusion_pixels(results.confusion, 900), photograph=False)
    legend = (
        "Rows are true classes, columns are predicted classes. Blue: correct. Red: mistakes, on a square-root scale. Click a cell, or move "
        "with the arrow keys, to see its photographs."
    )
    names = "".join(f"<li>{escape(name)}</li>" for name in results.categories)
    label = f"Confusion matrix of {len(results.categories)} classes: move with the arrow keys"
    return (
        f'<div id="matrix" tabindex="0" role="group" aria-label="{label}"><img class="matrix" src="{image}" alt="" draggable="false">'
        f'<i id="mark"></i></div><p id="hovered" class="quiet">&nbsp;</p><p class="quiet">{legend}</p>'
        f"<details><summary>Classes in order</summary><ol>{names}</ol></details>"
    )


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts) + "</dl>"


def _skipped(sheet: TransferSheet) -> str:
    skipped = sheet.results.skipped
    if not skipped:
        return ""
    files = "".join(f"<li>{escape(image.name)}: {escape(image.reason)}</li>" for image in skipped)
    return f"<details><summary>{len(skipped):,} files could not be read</summary><ul>{files}</ul></details>"
