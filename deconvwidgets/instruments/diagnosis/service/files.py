"""The curves of a DiagnosisPanel's arms as a file. The report is that of `dw.diagnosis_file`."""

from __future__ import annotations

from collections.abc import Sequence

from deconvwidgets.figures.csv_table import csv_share, csv_table, csv_text
from deconvwidgets.instruments.diagnosis.panel_records import ArmSummary

_COLUMNS = ("arm", "layer", "shift", "median_change", "probability_change", "top1", "photographs")


def curves_csv(arms: Sequence[ArmSummary]) -> bytes:
    """Return the curves of all arms as a table: a row per arm, layer and shift. The probability is that of the photographs' class."""
    rows: list[tuple[object, ...]] = []
    for arm in arms:
        if arm.curves is None:
            continue
        curves, top1 = arm.curves, "" if arm.accuracy is None else csv_share(arm.accuracy.top1)
        for layer, changes in zip(curves.layers, curves.changes.tolist(), strict=True):
            for shift, change, probability in zip(curves.shifts, changes, curves.probability.tolist(), strict=True):
                values = (csv_share(change), csv_share(probability), top1, curves.photographs)
                rows.append((csv_text(arm.label), csv_text(layer), shift, *values))
    return csv_table(_COLUMNS, rows)
