"""The files of a DiagnosisPanel."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deconvwidgets.instruments.diagnosis.panel_records import ArmSummary
from deconvwidgets.instruments.diagnosis.records import Diagnosis


def report_bytes(diagnosis: Diagnosis, kind: str) -> bytes:
    """Return the report "report.html", "report.json", "report.csv" or "report.png" as bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / kind
        diagnosis.save(path)
        return path.read_bytes()


def curves_csv(arms: Sequence[ArmSummary]) -> bytes:
    """Return the curves of all arms as a table: a row per arm, layer and shift. The probability is that of the photographs' class."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["arm", "layer", "shift", "median_change", "probability_change", "top1", "photographs"])
    for arm in arms:
        if arm.curves is None:
            continue
        curves, top1 = arm.curves, "" if arm.accuracy is None else arm.accuracy.top1
        for layer, changes in zip(curves.layers, curves.changes.tolist(), strict=True):
            for shift, change, probability in zip(curves.shifts, changes, curves.probability.tolist(), strict=True):
                table.writerow([arm.label, layer, shift, change, probability, top1, curves.photographs])
    return text.getvalue().encode()
