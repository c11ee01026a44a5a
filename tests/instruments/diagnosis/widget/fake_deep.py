"""A fake service of a network with 52 layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from deconvwidgets.instruments.diagnosis.panel_records import CURVE_SHIFTS
from deconvwidgets.instruments.diagnosis.records import ShiftCurves
from deconvwidgets.instruments.diagnosis.unit_changes import UnitChanges
from tests.instruments.diagnosis.widget.fake_api import FakeDiagnosisService, shift_curves

DEEP = (*(f"conv{number}" for number in range(1, 51)), "fc51", "fc52")


def deepen(service: FakeDiagnosisService) -> None:
    """Let a service be that of the deep network."""
    api = service.diagnosis
    api.layers = DEEP
    api.arms[0] = replace(api.arms[0], curves=deep_curves())


def deep_curves() -> ShiftCurves:
    """A line for each of 52 layers, the deeper the steeper; conv50 is the deepest feature map."""
    shifts = np.array(CURVE_SHIFTS)
    return replace(
        shift_curves(),
        layers=DEEP,
        strides=tuple(0 if layer.startswith("fc") else 8 for layer in DEEP),
        changes=np.outer(np.linspace(0.001, 0.02, len(DEEP)), shifts),
        units=UnitChanges(layer="conv50", shifts=(1,), changes=np.zeros((1, 4)), photographs=np.full(4, 20)),
    )
