"""Render contributions as a file of any kind."""

from __future__ import annotations

from collections.abc import Callable

from deconvwidgets.figures.csv_table import csv_table
from deconvwidgets.figures.drawing import Drawing
from deconvwidgets.figures.pdf import to_pdf
from deconvwidgets.figures.raster import to_png
from deconvwidgets.figures.vector import to_svg
from deconvwidgets.instruments.contributions.unit_contributions import UnitContributions

DRAWINGS: dict[str, Callable[[Drawing, str], bytes]] = {
    "tree.png": lambda drawing, title: to_png(drawing),
    "tree.svg": lambda drawing, title: to_svg(drawing),
    "tree.pdf": to_pdf,
}


def contributions_csv(found: UnitContributions) -> bytes:
    """Return a table of all units, those with the largest mean contributions first (RFC 4180, UTF-8).

    The columns are unit, contribution, for the target, for the other class (empty without one), and activation: means over the photographs.
    """
    header = ("unit", "contribution", "for target", "for other class", "activation")
    parts = [None if part is None else part.mean(axis=0) for part in (found.for_target, found.for_against)]
    mean, activations = found.mean, found.activations.mean(axis=0)
    rows = (
        (
            unit,
            f"{mean[unit]:.9g}",
            *("" if part is None else f"{part[unit]:.9g}" for part in parts),
            f"{activations[unit]:.9g}",
        )
        for unit in found.ranking.tolist()
    )
    return csv_table(header, rows)
