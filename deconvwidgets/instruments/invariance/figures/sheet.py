"""The content of a figure: the charts with their lines, and the text that describes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from deconvwidgets.figures.chart_axes import Axis, linear_axis
from deconvwidgets.instruments.invariance.records import InvarianceCurves, Measure, PhotographCurves

MAX_PHOTOGRAPHS = 12  # with a row and a line each

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ChartContent:
    """A chart: its title, its vertical axis, and the line of each photograph, (amount, value)."""

    title: str
    axis: Axis
    lines: tuple[tuple[Point, ...], ...]


def chart_contents(curves: InvarianceCurves, measure: Measure) -> list[ChartContent]:
    """Return a chart for each layer, and one of the probability if there is a classifier."""
    shown = curves.photographs[:MAX_PHOTOGRAPHS]
    charts = []
    for number, layer in enumerate(curves.layers):
        values = [(one.relative if measure == "relative" else one.distances)[number] for one in shown]
        charts.append(_content(f"{layer}: {measure_name(measure)}", curves, [row.tolist() for row in values]))
    scores = [one.scores.tolist() for one in shown if one.scores is not None]
    if len(scores) == len(shown) and shown:
        charts.append(_content(score_name(curves), curves, scores, probability=is_probability(curves)))
    return charts


def _content(title: str, curves: InvarianceCurves, rows: Sequence[Sequence[float]], probability: bool = False) -> ChartContent:
    lines = [tuple((x, y) for x, y in zip(curves.amounts.tolist(), row, strict=True) if math.isfinite(y)) for row in rows]
    ordered = tuple(tuple(sorted(line)) for line in lines)
    values = [y for line in ordered for _, y in line]
    axis = linear_axis([1.0]) if probability else _axis(values)
    return ChartContent(title, axis, ordered)


def _axis(values: Sequence[float]) -> Axis:
    """Return an axis from 0, or from below the smallest value of a regression."""
    low = min(values, default=0.0)
    if low >= 0:
        return linear_axis(values)
    below, above = linear_axis([-low]), linear_axis([max(0.0, *values)])
    ticks = [(-value, f"-{text}") for value, text in below.ticks if value > 0]
    return Axis(-below.high, above.high, (*reversed(ticks), *above.ticks))


def measure_name(measure: Measure) -> str:
    """Return the name of a measure."""
    return "relative distance" if measure == "relative" else "Euclidean distance"


def is_probability(curves: InvarianceCurves) -> bool:
    """Return whether the scores are probabilities."""
    return curves.quantity is not None and curves.quantity.kind == "probability"


def score_name(curves: InvarianceCurves) -> str:
    """Return what the last chart shows."""
    if is_probability(curves):
        every = all(one.labelled for one in curves.photographs)
        return f"Probability of the {'true' if every else 'true or predicted'} class"
    return curves.quantity.describe(curves.photographs[0].target or "output") if curves.quantity is not None else ""


def x_range(curves: InvarianceCurves) -> tuple[float, float]:
    """Return the ends of the horizontal axis."""
    low, high = float(curves.amounts.min()), float(curves.amounts.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def x_title(curves: InvarianceCurves) -> str:
    """Return the title of the horizontal axis."""
    kind = curves.kind
    unit = {"px": "pixels of the model's input", "x": "factor", "°": "degrees counterclockwise"}.get(kind.unit, "")
    return f"{kind.label}, {unit}" if unit else kind.label


def title(curves: InvarianceCurves) -> str:
    """Return the title."""
    return f"{curves.model} · {curves.kind.label.lower()}"


def subtitle(curves: InvarianceCurves) -> str:
    """Return the image set and the number of photographs."""
    count, every = len(curves.photographs), len(curves.amounts)
    return f"{curves.images} · {count} photograph{'' if count == 1 else 's'} · {every} amount{'' if every == 1 else 's'}"


def describe(photograph: PhotographCurves) -> str:
    """Return the class of a photograph and its score as it is."""
    if photograph.target is None or photograph.unchanged is None:
        return ""
    return f"{photograph.target}{'' if photograph.labelled else ' (predicted)'}"


def caption(curves: InvarianceCurves, measure: Measure) -> str:
    """Return what is shown and how it was measured."""
    divided = " divided by the norm of the features of the photograph as it is" if measure == "relative" else ""
    parts = [
        f"Euclidean distance between a layer's features of the photograph as it is and of the transformed one{divided}, a line for each "
        f"photograph. Photographs are transformed before the crop; what they do not have is {curves.fill}.",
        *curves.notes,
    ]
    if len(curves.photographs) > MAX_PHOTOGRAPHS:
        parts.append(f"The first {MAX_PHOTOGRAPHS} of {len(curves.photographs)} photographs are drawn; the table has all.")
    if curves.skipped:
        parts.append(f"Left out: {'; '.join(f'{one.name} ({one.reason})' for one in curves.skipped)}")
    parts.append("After Zeiler & Fergus 2014, figure 5.")
    return " ".join(part if part.endswith(".") else f"{part}." for part in parts)
