"""The results of a run as a standalone HTML page, in light and dark colours."""

from __future__ import annotations

from html import escape
from typing import Any

from deconvwidgets.figures.class_page import (
    CELL,
    CLASSES,
    ClassPageData,
    bar_row,
    confusion_section,
    facts,
    skipped_files,
    style_and_script,
)
from deconvwidgets.figures.html_page import html_page
from deconvwidgets.instruments.transfer.figures.sheet import TransferSheet


def transfer_page(sheet: TransferSheet) -> bytes:
    """Return the page: its confusion matrix shows the photographs of a cell, and its class list leads to the cells of a class."""
    body = f"""<main class="classes">
<section><p class="big">{escape(sheet.headline())}</p><p class="quiet">{escape(sheet.progress())}</p>
<p class="quiet">{escape(sheet.calibration())}</p>{_comparison(sheet)}
<h2>Folds</h2>{_folds(sheet)}{_curve(sheet)}{CELL}</section>
<section><h2>Confusion matrix</h2>{confusion_section(sheet.results.confusion, sheet.results.categories)}</section>
{CLASSES}
<section class="wide"><h2>Settings and digests</h2>{facts([*sheet.settings, *sheet.digests])}
{skipped_files(sheet.results.skipped)}</section>
</main>"""
    style, script = style_and_script()
    return html_page(sheet.title(), sheet.subtitle(), body, sheet.caption(), style, script, _data(sheet))


def _data(sheet: TransferSheet) -> dict[str, Any]:
    found = sheet.results
    return ClassPageData(found.categories, found.class_tests, found.class_accuracy, found.confusion, sheet.photographs).content()


def _comparison(sheet: TransferSheet) -> str:
    """Return the accuracy and those of the paper as bars."""
    run = sheet.results.summary
    rows = [bar_row("this run", 100 * (run.mean or 0), sheet.headline(), "ours")]
    for row in run.paper:
        std = f" ± {row.std:.1f}" if row.std is not None else ""
        rows.append(bar_row(row.description, row.mean, f"{row.mean:.1f}{std}%", "paper"))
    return f"<table>{''.join(rows)}</table>"


def _folds(sheet: TransferSheet) -> str:
    run = sheet.results.summary
    rows = zip(run.per_fold, run.weight_decays, strict=True)
    lines = [
        bar_row(f"fold {number}", 100 * accuracy, f"{100 * accuracy:.1f}%, weight decay {decay:g}", "ours")
        for number, (accuracy, decay) in enumerate(rows, 1)
    ]
    return f"<table>{''.join(lines)}</table>"


def _curve(sheet: TransferSheet) -> str:
    curve = sheet.results.summary.curve
    if curve is None:
        return ""
    points = zip(curve.images_per_class, curve.means, curve.stds, strict=True)
    rows = [bar_row(f"{count} per class", 100 * mean, f"{100 * mean:.1f} ± {100 * std:.1f}%", "ours") for count, mean, std in points]
    return f"<h2>By training images</h2><table>{''.join(rows)}</table>"
