"""The panel's chart: loss and accuracy per step while a head is trained, and accuracy by number of training images.

One figure for both: each plotly figure brings its 5 MB of front end along.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plotly import graph_objects as go

from deconvwidgets.instruments.transfer.records import HeadStep, TransferRunSummary
from deconvwidgets.instruments.transfer.widget.lines import Line, TrainingLines, training_lines
from deconvwidgets.widgets.chart_style import AXIS, LAYOUT

# Of middling lightness: they stand out on white as well as on near black.
_TRIED = ("#8a63d2", "#3d82d6", "#1f9e96", "#6f9e3a", "#c79a21", "#b06a4a")
_FINAL, _EARLIER, _PAPER = "#e0562f", "#8a9097", "#8a9097"
_QUANTITIES = (("loss", "y", "solid"), ("train", "y2", "solid"), ("held_out", "y2", "dot"))
_AXES = ("xaxis", "yaxis", "yaxis2", "xaxis3", "yaxis3")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_HINT = "solid: training images · dotted: held out"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the chart shows of the runs."""

    shown: TransferRunSummary
    compared: TransferRunSummary | None
    steps: Sequence[HeadStep]  # of the shown run
    tab: str  # "training" or "curve"


class TransferChart:
    """A plotly figure with a place for every line that may come, so that drawing only ever moves points."""

    def __init__(self) -> None:
        names = [*(f"tried {at}" for at in range(len(_TRIED))), "final", "earlier"]
        traces = [_training_trace(name, quantity) for name in names for quantity in _QUANTITIES]
        traces += [_curve_trace(name) for name in ("shown", "folds", "compared", "paper")]
        figure = go.FigureWidget(data=traces, layout=_layout())  # at once: what is added later may find no front end yet
        figure._config = {**(figure._config or {}), "responsive": True, "displayModeBar": False, "scrollZoom": False}
        self.figure = figure
        self._tab = "training"
        self._traces = {trace.meta: trace for trace in figure.data}

    def say_again(self) -> None:
        """Send everything that drawing changes to the views: a new one misses what was drawn while its front end was loading, and
        plotly sends only what is not yet as asked."""
        traces, layout = self.figure.data, self.figure.layout
        names = ("x", "y", "name", "showlegend", "visible", "text")
        style = {name: [trace[name] for trace in traces] for name in names}
        style["error_y.array"] = [trace.error_y.array for trace in traces]
        shown = {f"{axis}.visible": layout[axis].visible for axis in _AXES}
        shown |= {"xaxis.title.text": layout.xaxis.title.text, "annotations[0].visible": layout.annotations[0].visible}
        self.figure._send_update_msg(style, shown, list(range(len(traces))))

    def draw(self, drawn: Drawn) -> None:
        """Show the runs as they are now."""
        self._switch(drawn.tab)
        # One message; each property for all of the tab's lines, since plotly takes what a message leaves out of some for a reset.
        with self.figure.batch_update():
            if drawn.tab == "training":
                self._draw_training(training_lines(drawn.steps))
            else:
                self._draw_curve(drawn)

    def _draw_training(self, lines: TrainingLines) -> None:
        for at in range(len(_TRIED)):
            decay, line = lines.tried[at] if at < len(lines.tried) else (0.0, Line())
            self._put(f"tried {at}", line, decay_words(decay) if at else f"weight decay {decay_words(decay)}")
        for _, line in lines.tried[len(_TRIED) :]:
            lines.earlier.extend(line)
        self._put("final", lines.final, "all training images")
        self._put("earlier", lines.earlier, "earlier folds")
        self.figure.layout.xaxis.title.text = "" if lines.fold is None else f"step of fold {lines.fold + 1}"

    def _put(self, name: str, line: Line, words: str) -> None:
        for quantity, _, _ in _QUANTITIES:
            trace = self._traces[f"{name} {quantity}"]
            trace.x, trace.y, trace.name = list(line.steps), list(getattr(line, quantity)), words
            trace.showlegend = quantity == "loss" and bool(line.steps)

    def _draw_curve(self, drawn: Drawn) -> None:
        for name, summary in (("shown", drawn.shown), ("compared", drawn.compared)):
            curve = summary.curve if summary is not None else None
            words = "" if summary is None else run_words(summary)
            points = [] if curve is None else list(zip(curve.images_per_class, curve.means, curve.stds, strict=False))
            self._points(name, [(images, 100 * mean, 100 * std) for images, mean, std in points], words)
        shown, done = drawn.shown, len(drawn.shown.per_fold)
        folds = [] if shown.mean is None else [(shown.images_per_class, 100 * shown.mean, 100 * (shown.std or 0.0))]
        self._points("folds", folds, f"run {shown.run}: {done} fold{'' if done == 1 else 's'}")
        paper = [(row.images_per_class, row.mean, row.std or 0.0) for row in shown.paper if row.images_per_class is not None]
        self._points("paper", paper, "Zeiler & Fergus 2014", [row.words for row in shown.paper if row.images_per_class is not None])

    def _points(self, name: str, points: Sequence[tuple[int, float, float]], words: str, texts: Sequence[str] = ()) -> None:
        trace = self._traces[name]
        trace.x = [images for images, _, _ in points]
        trace.y = [mean for _, mean, _ in points]
        trace.error_y.array = [std for _, _, std in points]
        trace.name, trace.showlegend, trace.text = words, bool(points), list(texts)

    def _switch(self, tab: str) -> None:
        if tab == self._tab:
            return
        self._tab = tab
        training = tab == "training"
        with self.figure.batch_update():
            for trace in self.figure.data:
                trace.visible = (trace.xaxis == "x") == training
            layout = self.figure.layout
            layout.annotations[0].visible = training
            for axis in _AXES:
                layout[axis].visible = axis.endswith("3") != training


def decay_words(decay: float) -> str:
    """A weight decay as people write it: powers of ten as such."""
    exponent = round(math.log10(decay)) if decay > 0 else 0
    if exponent <= -2 and math.isclose(decay, 10.0**exponent, rel_tol=1e-6):
        return "10" + str(exponent).translate(_RAISED)
    return f"{decay:g}"


def run_words(summary: TransferRunSummary) -> str:
    """A run's name in a legend."""
    return f"run {summary.run}: {summary.dataset}, {summary.layer}"


def _training_trace(name: str, quantity: tuple[str, str, str]) -> go.Scatter:
    kind, axis, dash = quantity
    tried = name.startswith("tried")
    colour = _TRIED[int(name.split()[1])] if tried else {"final": _FINAL, "earlier": _EARLIER}[name]
    line = {"color": colour, "width": {"final": 2.5, "earlier": 1}.get(name, 1.75), "dash": dash}
    words = {"loss": "loss %{y:.3f}", "train": "training %{y:.1f} %", "held_out": "held out %{y:.1f} %"}[kind]
    return go.Scatter(
        meta=f"{name} {kind}", x=[], y=[], mode="lines", xaxis="x", yaxis=axis, legendgroup=name, showlegend=False, visible=True, line=line,
        opacity=0.35 if name == "earlier" else 1, connectgaps=False, hovertemplate=words + "<extra>%{fullData.name}</extra>",
    )  # fmt: skip


def _curve_trace(name: str) -> go.Scatter:
    colour = {"shown": _TRIED[1], "folds": _FINAL, "compared": _TRIED[2], "paper": _PAPER}[name]
    mode = "markers" if name in ("folds", "paper") else "lines+markers"
    marker = {"color": colour, "size": 9 if mode == "markers" else 6, "symbol": "diamond" if name == "paper" else "circle"}
    words = "%{text}<br>" if name == "paper" else ""
    return go.Scatter(
        meta=name, x=[], y=[], mode=mode, xaxis="x3", yaxis="y3", visible=False, showlegend=False, marker=marker,
        line={"color": colour, "width": 2}, error_y={"type": "data", "array": [], "thickness": 1.25, "width": 4, "color": colour},
        hovertemplate=words + "%{y:.1f} ± %{error_y.array:.1f} % with %{x} a class<extra>%{fullData.name}</extra>",
    )  # fmt: skip


def _layout() -> Mapping[str, Any]:
    axis = {**AXIS, "title": {"standoff": 6}}
    hidden = {**axis, "visible": False}
    note = {"text": _HINT, "showarrow": False, "xref": "paper", "yref": "paper", "x": 1, "y": 0.62, "xanchor": "right", "yanchor": "bottom"}
    return {
        **LAYOUT,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 10}},
        "hovermode": "closest",
        "xaxis": {**axis, "visible": True, "anchor": "y2", "rangemode": "tozero"},
        "yaxis": {**axis, "visible": True, "domain": [0.68, 1], "rangemode": "tozero", "title": {"text": "loss", "standoff": 6}},
        "yaxis2": {**axis, "visible": True, "domain": [0, 0.61], "title": {"text": "accuracy, %", "standoff": 6}, "anchor": "x"},
        "xaxis3": {**hidden, "anchor": "y3", "rangemode": "tozero", "title": {"text": "training images a class", "standoff": 6}},
        "yaxis3": {**hidden, "anchor": "x3", "title": {"text": "accuracy, %", "standoff": 6}},
        "annotations": [{**note, "font": {"size": 10}, "visible": True}],
    }
