"""The results of a run as a standalone HTML page, in light and dark colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from deconvwidgets.figures.html_page import html_page
from deconvwidgets.figures.vector import data_uri
from deconvwidgets.instruments.transfer.figures.confusion import confusion_pixels
from deconvwidgets.instruments.transfer.figures.sheet import ClassResult, TransferSheet

_LISTED = 12  # number of best and of worst classes


def transfer_page(sheet: TransferSheet) -> bytes:
    """Return the page."""
    body = f"""<main class="transfer">
<section><p class="big">{escape(sheet.headline())}</p><p class="quiet">{escape(sheet.progress())}</p>{_comparison(sheet)}
<h2>Folds</h2>{_folds(sheet)}{_curve(sheet)}</section>
<section><h2>Confusion matrix</h2>{_confusion(sheet)}</section>
<section><h2>Worst classes</h2>{_classes(sheet.worst(_LISTED))}</section>
<section><h2>Best classes</h2>{_classes(sheet.ranked()[:_LISTED])}</section>
<section class="wide"><h2>Settings and digests</h2>{_facts([*sheet.settings, *sheet.digests])}{_skipped(sheet)}</section>
</main>"""
    return html_page(sheet.title(), sheet.subtitle(), body, sheet.caption(), _STYLE)


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
        "Rows are true classes, columns are predicted classes, both in the order of the class list. Blue: correct. Red: mistakes, on a "
        "square-root scale."
    )
    names = "".join(f"<li>{escape(name)}</li>" for name in results.categories)
    return (
        f'<img class="matrix" src="{image}" alt="Confusion matrix of {len(results.categories)} classes"><p class="quiet">{legend}</p>'
        f"<details><summary>Classes in order</summary><ol>{names}</ol></details>"
    )


def _classes(classes: Iterable[ClassResult]) -> str:
    rows = []
    for result in classes:
        mistake = f", predicted {result.mistake} {result.times}\u00a0x" if result.times else ""
        rows.append(_bar(result.name, 100 * result.accuracy, f"{100 * result.accuracy:.0f}% of {result.tests}{mistake}", "ours"))
    return f"<table>{''.join(rows)}</table>"


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts) + "</dl>"


def _skipped(sheet: TransferSheet) -> str:
    skipped = sheet.results.skipped
    if not skipped:
        return ""
    files = "".join(f"<li>{escape(image.name)}: {escape(image.reason)}</li>" for image in skipped)
    return f"<details><summary>{len(skipped):,} files could not be read</summary><ul>{files}</ul></details>"


_STYLE = """
.transfer { display: grid; gap: 24px 40px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); max-width: 1200px; }
.wide { grid-column: 1 / -1; }
h2 { margin: 0 0 8px; font-size: 15px; font-weight: 600; }
section h2:not(:first-child) { margin-top: 20px; }
.big { margin: 0; font-size: 44px; line-height: 1.1; font-weight: 600; font-variant-numeric: tabular-nums; }
.quiet { margin: 4px 0 12px; color: var(--quiet); }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 400; overflow-wrap: anywhere; width: 38%; }
th, td { padding: 3px 10px 3px 0; vertical-align: middle; }
.bar { width: 20%; background: linear-gradient(var(--line), var(--line)) left / calc(100% - 10px) 1px no-repeat; }
.bar i { display: block; height: 10px; border-radius: 2px; background: var(--soft); }
.bar i.ours { background: var(--accent); }
.number { color: var(--quiet); }
.matrix { display: block; width: 100%; image-rendering: pixelated; outline: 1px solid var(--line); }
@media (prefers-color-scheme: dark) { .matrix { filter: invert(1) hue-rotate(180deg); } }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 0 0 12px; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
details ol { columns: 14em; }
"""
