"""The charts of a run: loss and accuracy by training step, and accuracy by number of training images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from plotly import graph_objects as go

from deconvwidgets.instruments.transfer.records import HeadStep, TransferRunSummary
from deconvwidgets.instruments.transfer.widget.lines import Line, TrainingLines, training_lines
from deconvwidgets.widgets.charts import AXIS, LAYOUT

# Of medium lightness: they contrast with white as well as with near black.
_CANDIDATES = ("#8a63d2", "#3d82d6", "#1f9e96", "#6f9e3a", "#c79a21", "#b06a4a")
_FINAL, _EARLIER, _PAPER = "#e0562f", "#8a9097", "#8a9097"
_RUN, _OTHER_RUN = _CANDIDATES[1], _CANDIDATES[2]
_QUANTITIES = (
    ("loss", "y", "solid", "loss %{y:.3f}"),
    ("train", "y2", "solid", "training %{y:.1f}%"),
    ("held_out", "y2", "dot", "held out %{y:.1f}%"),
)
_LINE_STYLES = "solid: training images · dotted: held out"
_COMMON_LAYOUT: Mapping[str, Any] = {
    **LAYOUT,
    "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
    "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 11}},
    "hovermode": "closest",
}
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Point = tuple[int, float, float]  # number of training images per class; mean and standard deviation of the accuracy, in percent


def training_chart(steps: Sequence[HeadStep]) -> go.Figure:
    """Return loss and accuracy by training step: the newest fold by weight decay, and earlier folds in gray."""
    return go.Figure(data=_training_traces(training_lines(steps)), layout=_training_layout(steps))


def curve_chart(run: TransferRunSummary, other: TransferRunSummary | None = None) -> go.Figure:
    """Return accuracy by number of training images per class: of a run, of another one to compare it with, and of the paper."""
    layout = {"xaxis": _axis("training images per class", rangemode="tozero"), "yaxis": _axis("accuracy, %")}
    return go.Figure(data=_curve_traces(run, other), layout={**_COMMON_LAYOUT, **layout})


def format_weight_decay(decay: float) -> str:
    """Return a weight decay as text: "10⁻³", and any other than a power of ten as a decimal number."""
    exponent = round(math.log10(decay)) if decay > 0 else 0
    if exponent <= -2 and math.isclose(decay, 10.0**exponent, rel_tol=1e-6):
        return "10" + str(exponent).translate(_SUPERSCRIPTS)
    return f"{decay:g}"


def _training_traces(lines: TrainingLines) -> list[go.Scatter]:
    shown, others = lines.candidates[: len(_CANDIDATES)], lines.candidates[len(_CANDIDATES) :]
    earlier = Line()
    for line in (lines.earlier, *(line for _, line in others)):
        earlier.extend(line)
    traces: list[go.Scatter] = []
    for number, (decay, line) in enumerate(shown):
        name = format_weight_decay(decay) if number else f"weight decay {format_weight_decay(decay)}"
        traces += _line_traces(name, line, _CANDIDATES[number], 1.75)
    traces += _line_traces("all training images", lines.final, _FINAL, 2.5)
    traces += _line_traces("earlier folds", earlier, _EARLIER, 1, opacity=0.35)
    return traces


def _line_traces(name: str, line: Line, colour: str, width: float, opacity: float = 1) -> list[go.Scatter]:
    """Return the loss and the accuracies of a line; nothing if it has no points."""
    return [
        go.Scatter(
            meta=f"{name} {quantity}", x=np.asarray(line.steps, float), y=np.asarray(getattr(line, quantity), float), mode="lines",
            xaxis="x", yaxis=axis, name=name,
            legendgroup=name, showlegend=quantity == "loss", line={"color": colour, "width": width, "dash": dash}, opacity=opacity,
            connectgaps=False, hovertemplate=f"{text}<extra>%{{fullData.name}}</extra>",
        )
        for quantity, axis, dash, text in _QUANTITIES
        if line.steps
    ]  # fmt: skip


def _training_layout(steps: Sequence[HeadStep]) -> dict[str, Any]:
    step = f"step of fold {steps[-1].fold + 1}" if steps else ""
    note = {"text": _LINE_STYLES, "showarrow": False, "x": 1, "y": 0.62, "xanchor": "right", "yanchor": "bottom", "font": {"size": 11}}
    return {
        **_COMMON_LAYOUT,
        "xaxis": _axis(step, anchor="y2", rangemode="tozero"),
        "yaxis": _axis("loss", domain=[0.68, 1], rangemode="tozero"),
        "yaxis2": _axis("accuracy, %", domain=[0, 0.61], anchor="x"),
        "annotations": [{**note, "xref": "paper", "yref": "paper"}],
    }


def _curve_traces(run: TransferRunSummary, other: TransferRunSummary | None) -> list[go.Scatter]:
    traces = [_curve_trace("run", run, _RUN)]
    if run.mean is not None:
        done = len(run.per_fold)
        folds = [(run.images_per_class, 100 * run.mean, 100 * (run.std or 0.0))]
        traces.append(_point_trace("folds", folds, f"run {run.run}: {done} fold{'' if done == 1 else 's'}", _FINAL, 9))
    if other is not None:
        traces.append(_curve_trace("other run", other, _OTHER_RUN))
    rows = [(row, row.images_per_class) for row in run.paper if row.images_per_class is not None]
    points = [(images, row.mean, row.std or 0.0) for row, images in rows]
    paper = _point_trace("paper", points, "Zeiler & Fergus 2014", _PAPER, 9, symbol="diamond", texts=[row.description for row, _ in rows])
    return [trace for trace in (*traces, paper) if trace.x]


def _curve_trace(meta: str, run: TransferRunSummary, colour: str) -> go.Scatter:
    curve = run.curve
    points = [] if curve is None else list(zip(curve.images_per_class, curve.means, curve.stds, strict=False))
    percents = [(images, 100 * mean, 100 * std) for images, mean, std in points]
    return _point_trace(meta, percents, f"run {run.run}: {run.dataset}, {run.layer}", colour, 6, mode="lines+markers")


def _point_trace(
    meta: str,
    points: Sequence[Point],
    name: str,
    colour: str,
    size: int,
    mode: str = "markers",
    symbol: str = "circle",
    texts: Sequence[str] = (),
) -> go.Scatter:
    images, means, stds = ([point[column] for point in points] for column in range(3))
    text = "%{text}<br>" if texts else ""
    return go.Scatter(
        meta=meta, x=images, y=means, mode=mode, name=name, text=list(texts), showlegend=True,
        marker={"color": colour, "size": size, "symbol": symbol}, line={"color": colour, "width": 2},
        error_y={"type": "data", "array": stds, "thickness": 1.25, "width": 4, "color": colour},
        hovertemplate=text + "%{y:.1f} ± %{error_y.array:.1f}% with %{x} per class<extra>%{fullData.name}</extra>",
    )  # fmt: skip


def _axis(title: str, **options: Any) -> dict[str, Any]:
    return {**AXIS, "title": {"text": title, "standoff": 6}, **options}
