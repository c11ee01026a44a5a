"""Tables: the strongest activation of each unit at each epoch, and how far each layer has converged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from deconvwidgets.figures.csv_table import csv_share, csv_table, csv_text
from deconvwidgets.instruments.evolution.records import ConvergenceCurves, EvolutionRow


def cells_csv(rows: Iterable[EvolutionRow]) -> bytes:
    """Return a line for each unit and epoch. The columns of the image are empty where the unit has no activation."""
    header = ("layer", "unit", "epoch", "activation", "image", "label", "row", "column", "changed")
    lines = (
        (
            csv_text(row.layer), row.unit, cell.epoch, f"{cell.value:.9g}", csv_text(cell.source), csv_text(cell.label or ""),
            *(("", "") if cell.image is None else (cell.row, cell.column)), int(cell.changed),
        )
        for row in rows
        for cell in row.cells
    )  # fmt: skip
    return csv_table(header, lines)


def convergence_csv(measures: Sequence[ConvergenceCurves]) -> bytes:
    """Return a line for each layer, epoch and measure; the value is empty where it is undefined."""
    lines = (
        (
            csv_text(curve.layer),
            epoch,
            curves.measure,
            csv_share(value),
            left_out,
            curve.units,
            "" if curves.against is None else curves.against,
        )
        for curves in measures
        for curve in curves.curves
        for epoch, value, left_out in zip(curves.epochs, curve.values, curve.left_out, strict=True)
    )
    return csv_table(("layer", "epoch", "measure", "value", "units left out", "units", "compared with epoch"), lines)
