"""Records of a diagnosis as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from deconvwidgets.instruments.diagnosis.input_records import InputCheck
from deconvwidgets.instruments.diagnosis.map_aliasing import MapAliasing
from deconvwidgets.instruments.diagnosis.panel_records import ArmSummary, DiagnosisStatus
from deconvwidgets.instruments.diagnosis.records import Diagnosis, Finding, FirstLayer, ShiftCurves
from deconvwidgets.widgets.messages import Content

_DIGITS = 5  # of numbers that are drawn
_MAX_UNITS = 64  # of a finding
_MAX_NORMS = 8  # that diverge most
_ARM = ("arm", "label", "parent", "kept", "cut", "new", "phase", "problem", "no_accuracy", "no_aliasing")


def status_content(status: DiagnosisStatus) -> Content:
    """Return a status for a message."""
    return {
        "version": status.version,
        "phase": status.phase,
        "progress": None if status.progress is None else asdict(status.progress),
        "problem": status.problem,
        "current": status.current,
        "arms": [_arm(arm) for arm in status.arms],
        "ablation": None if status.ablation is None else asdict(status.ablation),
        "uploads": list(status.uploads),
    }


def _arm(arm: ArmSummary) -> Content:
    plain = {name: getattr(arm, name) for name in _ARM}
    return {
        **plain,
        "steps": list(arm.steps),
        "progress": None if arm.progress is None else asdict(arm.progress),
        "curves": None if arm.curves is None else curves_content(arm.curves),
        "accuracy": None if arm.accuracy is None else asdict(arm.accuracy),
        "aliasing": None if arm.aliasing is None else _aliasing(arm.aliasing),
    }


def _aliasing(found: MapAliasing) -> Content:
    """Return what is aliased of a map, as means over its units."""
    return {
        "layer": found.layer,
        "stride": list(found.stride),
        "blurred": found.blurred,
        "mean": _short(found.mean),
        "unblurred_mean": _short(found.unblurred_mean),
        "photographs": found.photographs,
    }


def curves_content(curves: ShiftCurves) -> Content:
    """Return curves for a message: shares from 0 to 1."""
    return {
        "layers": list(curves.layers),
        "strides": list(curves.strides),
        "deepest": curves.layers[-1] if curves.units is None else curves.units.layer,
        "shifts": list(curves.shifts),
        "direction": curves.direction,
        "changes": _short(curves.changes),
        "probability": _short(curves.probability),
        "reference": curves.reference,
        "photographs": curves.photographs,
        "labelled": curves.labelled,
        "filled": curves.filled,
    }


def diagnosis_content(diagnosis: Diagnosis) -> Content:
    """Return a diagnosis for a message."""
    shift = diagnosis.shift
    return {
        "model": diagnosis.model,
        "images": diagnosis.image_set,
        "photographs": diagnosis.photographs,
        "shift_photographs": 0 if shift is None else shift.photographs,
        "units": diagnosis.units,
        "findings": [_finding(finding) for finding in diagnosis.findings],
        "first_layer": None if diagnosis.first_layer is None else _first_layer(diagnosis.first_layer),
        "input": _input(diagnosis.input),
        "notes": list(diagnosis.notes),
    }


def _finding(finding: Finding) -> Content:
    plain = {name: getattr(finding, name) for name in ("check", "level", "title", "count_text", "summary", "evidence", "paper")}
    return {
        **plain,
        "units": [asdict(unit) for unit in finding.units[:_MAX_UNITS]],
        "surgeries": [{"label": one.label, "function": one.function, "arguments": _plain(one.arguments)} for one in finding.surgeries],
    }


def _input(check: InputCheck) -> Content:
    """Return the batch norms that diverge most, with their places in the order of execution, and the ways, the best first."""
    worst = np.argsort(-check.divergences, kind="stable")[:_MAX_NORMS]
    return {
        "photographs": check.photographs,
        "norms": [
            {"name": check.layers[place], "place": int(place) + 1, "divergence": _short(check.divergences[place])} for place in worst
        ],
        "norm_count": len(check.layers),
        "labelled": check.labelled,
        "ways": [{**asdict(variant), "given": variant.kind == "given"} for variant in check.variants],
    }


def _first_layer(first: FirstLayer) -> Content:
    """Return the first layer. After a blur, what is aliased of each unit is that of its map, not of its filter's responses."""
    measured = first.map_aliasing
    return {
        "name": first.name,
        "alias": first.alias,
        "kernel_size": list(first.kernel_size),
        "stride": list(first.stride),
        "bands": list(first.bands),
        "mean_shares": _short(first.mean_shares),
        "noise_shares": _short(first.noise_shares),
        "histogram": _short(first.histogram),
        "histogram_above": _short(first.histogram_above),
        "edges": _short(first.edges),
        "carried": first.carried,
        "aliased_mean": first.aliased_mean,
        "photographs": first.photographs,
        "aliased": _short(first.aliased if measured is None or not measured.blurred else measured.shares),
        "map_aliasing": None if measured is None else _aliasing(measured),
        **{name: _short(getattr(first, name)) for name in ("centre", "shares", "rms_ratio")},
    }


def _short(values: Any) -> Any:
    """Return an array as lists of numbers with few digits."""
    if isinstance(values, np.ndarray | list | tuple):
        return [_short(value) for value in values]
    return float(f"{float(values):.{_DIGITS}g}")


def _plain(value: Any) -> Any:
    """Return arguments of a surgery as JSON."""
    if hasattr(value, "items"):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value
