"""The finding about the input, in words."""

from __future__ import annotations

from deconvwidgets.instruments.diagnosis.input_records import InputCheck, InputVariant
from deconvwidgets.instruments.diagnosis.limits import INPUT_FOUND, SWEEP_LEVEL
from deconvwidgets.instruments.diagnosis.records import LEVELS, Finding, Level

_SHORT = {
    "channels reversed (BGR for RGB)": "BGR",
    "channels reversed": "BGR",
    "photographs resized": "resized",
    " before the crop": "",
    "minus ImageNet's mean": "minus mean",
    "mean and deviation": "mean",
}


def input_finding(check: InputCheck) -> Finding:
    """Return the finding of the check of the input."""
    level: Level = next(level for level in LEVELS if level == check.level)
    limitations = f"Not detected: {'; '.join(check.limitations)}."
    return Finding(
        check="input",
        level=level,
        title="Input as in training?",
        count_text=_count_text(check),
        summary=check.summary,
        evidence=" ".join(part for part in (_statistics_text(check), _sweep_text(check), limitations) if part),
    )


def _count_text(check: InputCheck) -> str:
    """Return "BGR: 84% against 61%" if another way is better; otherwise the divergence, or the accuracy."""
    given = next((variant for variant in check.variants if variant.kind == "given"), None)
    best = next((variant for variant in check.variants if variant.better), None)
    if given is not None and best is not None:
        return f"{_short_name(best)}: {best.top1:.0%} against {given.top1:.0%}"
    if len(check.divergences):
        return f"{check.divergences[0]:.2g}"
    return "not checked" if given is None or check.level == "not_checked" else f"{given.top1:.0%} as given"


def _short_name(variant: InputVariant) -> str:
    """Return the label of a way, short enough for the line of a title."""
    name = variant.label
    for long, short in _SHORT.items():
        name = name.replace(long, short)
    return name


def _statistics_text(check: InputCheck) -> str:
    return f"Measured on {check.photographs:,} photographs; found: {INPUT_FOUND:g}." if len(check.divergences) else ""


def _sweep_text(check: InputCheck) -> str:
    """Return how the sweep is judged, and what it does not see."""
    if not check.variants:
        return ""
    return (
        f"{len(check.variants)} ways to prepare {check.labelled:,} labelled photographs; found: one is better than as given by an exact "
        f"McNemar test at {SWEEP_LEVEL:g} divided by the number of other ways, so small differences are not found."
    )
