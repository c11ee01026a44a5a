"""What was evaluated, in words."""

from __future__ import annotations

from deconvwidgets.models.bundle import ModelBundle


def describe_classifier(bundle: ModelBundle) -> str:
    """Return what a bundle predicts, and how many of its units are changed: "..., 3 units off"."""
    factors = list(bundle.units.values())
    off = factors.count(0.0)
    counts = ((off, "off"), (len(factors) - off, "changed"))
    units = "".join(f", {number} unit{'s' if number > 1 else ''} {what}" for number, what in counts if number)
    return f"{bundle.classifier or ''}{units}"
