"""What the curves of shifts were measured on, in words."""

from __future__ import annotations

from deconvwidgets.instruments.diagnosis.records import ShiftCurves


def probability_text(curves: ShiftCurves) -> str:
    """Return whose probability was measured, on how many photographs."""
    if curves.reference == "predicted":
        return f"probability of the predicted class, {curves.photographs} photographs"
    return f"probability of the label's class, {curves.labelled} labelled photographs"


def filled_text(curves: ShiftCurves) -> str:
    """Return on how many photographs edge pixels were repeated, as the end of a sentence; empty if on none."""
    return f"; on {curves.filled} of them edge pixels are repeated, because the photograph ends there" if curves.filled else ""
