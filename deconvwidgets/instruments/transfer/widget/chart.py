"""The charts of a run: accuracy by training step, and accuracy by number of training images."""

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
_FINAL, _TESTS, _EARLIER, _PAPER = "#e0562f", "#3d82d6", "#8a9097", "#8a9097"
_RUN, _OTHER_RUN = _CANDIDATES[1], _CANDIDATES[2]
_QUANTITIES = (("train", "solid", "training images"), ("held_out", "dot", "held-out images"))
_COMMON_LAYOUT: Mapping[str, Any] = {
    **LAYOUT,
    "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
    "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 11}},
    "hovermode": "closest",
}
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Point = tuple[int, float, float]  # number of training images per class; mean and standard deviation of the accuracy, in percent


def training_chart(steps: Sequence[HeadStep], run: TransferRunSummary | None = None) -> go.Figure:
    """Return the accuracy by training step: of the final head of the newest fold, of earlier folds in gray, and of the tests.

    The search for the weight decay is hidden, once there is a final head, until it is selected in the legend.
    """
    lines = training_lines(steps)
    tests = () if run is None else run.per_fold
    return go.Figure(data=_training_traces(lines, tests), layout=_training_layout())


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


def _training_traces(lines: TrainingLines, tests: Sequence[float]) -> list[go.Scatter]:
    traces: list[go.Scatter] = []
    has_final = lines.final_fold is not None
    for number, (decay, line) in enumerate(lines.candidates[: len(_CANDIDATES)]):
        name = f"search: weight decay {format_weight_decay(decay)}"
        traces += _line_traces(name, line, _CANDIDATES[number], 1.5, visible="legendonly" if has_final else True)
    earlier = Line()
    for line in lines.earlier:
        earlier.extend(line)
    traces += _line_traces("training images, earlier folds", earlier, _EARLIER, 1, opacity=0.5)
    if lines.final_fold is not None:
        traces += _line_traces(f"training images, fold {lines.final_fold + 1}", lines.final, _FINAL, 2.5)
    if has_final and tests:
        accuracies = [100 * accuracy for accuracy in tests]
        traces.append(
            go.Scatter(
                meta="tests", x=[len(lines.final.steps) - 1] * len(tests), y=accuracies, mode="markers", name="test images, by fold",
                marker={"color": _TESTS, "size": 9}, showlegend=True, hovertemplate="%{y:.1f}%<extra>test images</extra>",
            )
        )  # fmt: skip
    return traces


def _line_traces(name: str, line: Line, colour: str, width: float, **options: Any) -> list[go.Scatter]:
    """Return the accuracies of a line on training images and on held-out images, if there are any."""
    return [
        go.Scatter(
            meta=f"{name} {quantity}", x=np.asarray(line.steps, float), y=np.asarray(getattr(line, quantity), float), mode="lines",
            name=name, legendgroup=name, showlegend=quantity == "train", line={"color": colour, "width": width, "dash": dash},
            connectgaps=False, text=line.loss, hovertemplate=f"{text} %{{y:.1f}}%, loss %{{text:.3f}}<extra>%{{fullData.name}}</extra>",
            **options,
        )
        for quantity, dash, text in _QUANTITIES
        if any(value is not None for value in getattr(line, quantity))
    ]  # fmt: skip


def _training_layout() -> dict[str, Any]:
    return {
        **_COMMON_LAYOUT,
        "xaxis": _axis("training step", rangemode="tozero"),
        "yaxis": _axis("accuracy, %", range=[0, 102]),
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
