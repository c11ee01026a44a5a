"""The table of an ablation study as rows of plain values: a DataFrame, CSV and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING

from deconvwidgets.errors import AblationError
from deconvwidgets.figures.csv_table import csv_share, csv_table, csv_text
from deconvwidgets.instruments.ablation.records import AblationRow, AblationTable, Difference, Estimate
from deconvwidgets.instruments.ablation.summary import METHOD

if TYPE_CHECKING:
    import pandas as pd

Value = str | int | float | None
Row = dict[str, Value]


def rows(table: AblationTable) -> list[Row]:
    """Return a row per variant. Errors are shares from 0 to 1; None for what is missing."""
    return [_row(row) for row in table.rows]


def to_dataframe(table: AblationTable) -> pd.DataFrame:
    """Return `rows` as a DataFrame. Its `attrs` say what was compared. Raises AblationError without pandas."""
    try:
        pandas = import_module("pandas")
    except ImportError as error:
        raise AblationError(
            "Tables of a study need pandas: pip install 'deconvwidgets[dataframe]'. Without it, study.to_csv() returns CSV."
        ) from error
    frame = pandas.DataFrame(rows(table))
    frame.attrs.update(images=table.images, baseline=table.baseline, epochs=table.epochs, seeds=list(table.seeds), interval=METHOD)
    return frame


def to_csv(table: AblationTable) -> bytes:
    """Return `rows` as the bytes of a CSV file."""
    found = rows(table)
    return csv_table(list(found[0]) if found else [], [[_cell(value) for value in row.values()] for row in found])


def runs_csv(table: AblationTable) -> bytes:
    """Return a row per run as the bytes of a CSV file."""
    header = ("variant", "seed", "phase", "epoch", "epochs", "train_error", "top1_error", "top5_error", "images_per_second")
    runs = (run for row in table.rows for run in row.runs)
    return csv_table(header, [[_cell(getattr(run, name)) for name in header] for run in runs])


def to_json(table: AblationTable) -> bytes:
    """Return the whole table, with all runs and their curves, as JSON."""
    return json.dumps({**asdict(table), "interval": METHOD}, ensure_ascii=False, allow_nan=False, indent=2).encode()


def _row(row: AblationRow) -> Row:
    variant, paper = row.variant, row.variant.paper
    return {
        "variant": variant.name,
        "description": variant.description,
        "origin": variant.origin,
        "parameters": variant.parameters,
        "runs": row.complete,
        **_estimate("train_error", row.train_error),
        **_estimate("top1_error", row.top1_error),
        **_estimate("top5_error", row.top5_error),
        **_difference("train_difference", row.train_difference),
        **_difference("top1_difference", row.top1_difference),
        **_difference("top5_difference", row.top5_difference),
        **_estimate("images_per_second", row.images_per_second),
        "paper_train_error": None if paper is None else paper.train_top1,
        "paper_top1_error": None if paper is None else paper.top1,
        "paper_top5_error": None if paper is None else paper.top5,
        "paper_top1_difference": None if paper is None else paper.top1 - paper.baseline_top1,
    }


def _estimate(name: str, estimate: Estimate | None) -> Row:
    return {name: None if estimate is None else estimate.mean, f"{name}_std": None if estimate is None else estimate.std}


def _difference(name: str, difference: Difference | None) -> Row:
    low, high = (None, None) if difference is None or difference.interval is None else difference.interval
    return {name: None if difference is None else difference.mean, f"{name}_low": low, f"{name}_high": high}


def _cell(value: Value) -> object:
    if isinstance(value, str):
        return csv_text(value)
    return csv_share(value) if value is None or isinstance(value, float) else value
