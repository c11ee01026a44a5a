"""The panel's charts: loss and accuracy per step while a head is trained, and accuracy by number of training images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from plotly import graph_objects as go

from deconvwidgets.instruments.transfer.records import TransferRunSummary
from deconvwidgets.instruments.transfer.widget.lines import Line, TrainingLines, training_lines
from deconvwidgets.records.layers import HeadStep
from deconvwidgets.widgets.charts import AXIS, LAYOUT

# Of middling lightness: they stand out on white as well as on near black.
_TRIED = ("#8a63d2", "#3d82d6", "#1f9e96", "#6f9e3a", "#c79a21", "#b06a4a")
_FINAL, _EARLIER, _PAPER = "#e0562f", "#8a9097", "#8a9097"
_QUANTITIES = (
    ("loss", "y", "solid", "loss %{y:.3f}"),
    ("train", "y2", "solid", "training %{y:.1f}%"),
    ("held_out", "y2", "dot", "held out %{y:.1f}%"),
)
_SHARED: Mapping[str, Any] = {
    "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
    "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 11}},
    "hovermode": "closest",
}
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_HINT = "solid: training images · dotted: held out"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the chart shows of the runs."""

    shown: TransferRunSummary
    compared: TransferRunSummary | None
    steps: Sequence[HeadStep]  # of the shown run
    tab: str  # "training" or "curve"


def run_chart(drawn: Drawn) -> go.Figure:
    """Return the chart of a run: its training, or its learning curve."""
    traces = _training(training_lines(drawn.steps)) if drawn.tab == "training" else _learning_curve(drawn)
    layout = _training_layout(drawn.steps) if drawn.tab == "training" else _curve_layout()
    return go.Figure(data=traces, layout={**LAYOUT, **layout})


def _training(lines: TrainingLines) -> list[go.Scatter]:
    earlier = Line()
    for line in (lines.earlier, *(line for _, line in lines.tried[len(_TRIED) :])):
        earlier.extend(line)
    traces: list[go.Scatter] = []
    for at, (decay, line) in enumerate(lines.tried[: len(_TRIED)]):
        words = decay_words(decay) if at else f"weight decay {decay_words(decay)}"
        traces += _training_traces(words, line, _TRIED[at], 1.75)
    traces += _training_traces("all training images", lines.final, _FINAL, 2.5)
    traces += _training_traces("earlier folds", earlier, _EARLIER, 1, opacity=0.35)
    return traces


def _training_traces(name: str, line: Line, colour: str, width: float, opacity: float = 1) -> list[go.Scatter]:
    """A line's loss and accuracies; none where it has no point."""
    return [
        go.Scatter(
            meta=f"{name} {quantity}", x=np.asarray(line.steps, float), y=np.asarray(getattr(line, quantity), float), mode="lines",
            xaxis="x", yaxis=axis, name=name,
            legendgroup=name, showlegend=quantity == "loss", line={"color": colour, "width": width, "dash": dash}, opacity=opacity,
            connectgaps=False, hovertemplate=f"{words}<extra>%{{fullData.name}}</extra>",
        )
        for quantity, axis, dash, words in _QUANTITIES
        if line.steps
    ]  # fmt: skip


def _learning_curve(drawn: Drawn) -> list[go.Scatter]:
    shown, done = drawn.shown, len(drawn.shown.per_fold)
    traces = [_curve_trace("shown", shown, _TRIED[1])]
    if shown.mean is not None:
        folds = [(shown.images_per_class, 100 * shown.mean, 100 * (shown.std or 0.0))]
        traces.append(_points("folds", folds, f"run {shown.run}: {done} fold{'' if done == 1 else 's'}", _FINAL, 9))
    if drawn.compared is not None:
        traces.append(_curve_trace("compared", drawn.compared, _TRIED[2]))
    rows = [row for row in shown.paper if row.images_per_class is not None]
    paper = [(row.images_per_class, row.mean, row.std or 0.0) for row in rows if row.images_per_class is not None]
    traces.append(_points("paper", paper, "Zeiler & Fergus 2014", _PAPER, 9, symbol="diamond", texts=[row.words for row in rows]))
    return [trace for trace in traces if trace.x]


def _curve_trace(meta: str, summary: TransferRunSummary, colour: str) -> go.Scatter:
    curve = summary.curve
    points = [] if curve is None else list(zip(curve.images_per_class, curve.means, curve.stds, strict=False))
    percents = [(images, 100 * mean, 100 * std) for images, mean, std in points]
    return _points(meta, percents, f"run {summary.run}: {summary.dataset}, {summary.layer}", colour, 6, mode="lines+markers")


def _points(
    meta: str,
    points: Sequence[tuple[int, float, float]],
    name: str,
    colour: str,
    size: int,
    mode: str = "markers",
    symbol: str = "circle",
    texts: Sequence[str] = (),
) -> go.Scatter:
    """Accuracies with their standard deviations, by number of training images."""
    images, means, stds = ([point[at] for point in points] for at in range(3))
    words = "%{text}<br>" if texts else ""
    return go.Scatter(
        meta=meta, x=images, y=means, mode=mode, name=name, text=list(texts), showlegend=True,
        marker={"color": colour, "size": size, "symbol": symbol}, line={"color": colour, "width": 2},
        error_y={"type": "data", "array": stds, "thickness": 1.25, "width": 4, "color": colour},
        hovertemplate=words + "%{y:.1f} ± %{error_y.array:.1f}% with %{x} per class<extra>%{fullData.name}</extra>",
    )  # fmt: skip


def decay_words(decay: float) -> str:
    """Return a weight decay as text: powers of ten as such."""
    exponent = round(math.log10(decay)) if decay > 0 else 0
    if exponent <= -2 and math.isclose(decay, 10.0**exponent, rel_tol=1e-6):
        return "10" + str(exponent).translate(_RAISED)
    return f"{decay:g}"


def _axis(title: str, **more: Any) -> dict[str, Any]:
    return {**AXIS, "title": {"text": title, "standoff": 6}, **more}


def _training_layout(steps: Sequence[HeadStep]) -> dict[str, Any]:
    step = f"step of fold {steps[-1].fold + 1}" if steps else ""
    note = {"text": _HINT, "showarrow": False, "xref": "paper", "yref": "paper", "x": 1, "y": 0.62, "xanchor": "right", "yanchor": "bottom"}
    return {
        **_SHARED,
        "xaxis": _axis(step, anchor="y2", rangemode="tozero"),
        "yaxis": _axis("loss", domain=[0.68, 1], rangemode="tozero"),
        "yaxis2": _axis("accuracy, %", domain=[0, 0.61], anchor="x"),
        "annotations": [{**note, "font": {"size": 11}}],
    }


def _curve_layout() -> dict[str, Any]:
    return {**_SHARED, "xaxis": _axis("training images per class", rangemode="tozero"), "yaxis": _axis("accuracy, %")}
