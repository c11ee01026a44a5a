"""What was evaluated, in words."""

from __future__ import annotations

from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.units import describe_units


def describe_classifier(bundle: ModelBundle) -> str:
    """Return what a bundle predicts, and how many of its units are changed: "..., 3 units off"."""
    return ", ".join(filter(None, [bundle.classifier, describe_units(bundle.units.values())]))
