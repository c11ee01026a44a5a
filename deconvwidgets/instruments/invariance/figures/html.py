"""The curves as a standalone HTML page in light and dark colours: every point says what it is."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from deconvwidgets.figures.chart_axes import Axis
from deconvwidgets.figures.html_page import html_page
from deconvwidgets.figures.vector import data_uri
from deconvwidgets.instruments.invariance.figures.drawing import STYLES
from deconvwidgets.instruments.invariance.figures.sheet import (
    MAX_PHOTOGRAPHS,
    ChartContent,
    caption,
    chart_contents,
    describe,
    is_probability,
    subtitle,
    title,
    x_range,
    x_title,
)
from deconvwidgets.instruments.invariance.records import InvarianceCurves, Measure, PhotographCurves

_LEFT, _WIDTH, _HEIGHT = 46, 380, 220

_STYLE = """
main { display: grid; gap: 24px; }
.charts { display: flex; flex-wrap: wrap; gap: 24px; }
figure { margin: 0; }
figcaption { font-weight: 600; }
svg { display: block; width: 400px; max-width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--quiet); font-size: 11px; }
svg line { stroke: var(--line); }
polyline { fill: none; stroke-width: 2; }
.dashed { stroke-dasharray: 4 3; }
table { border-collapse: collapse; }
td, th { padding: 4px 12px 4px 0; text-align: left; vertical-align: top; font-weight: normal; }
td img { display: block; width: 96px; }
td span, th span { color: var(--quiet); font-size: 12px; }
"""


def invariance_page(curves: InvarianceCurves, measure: Measure = "relative") -> bytes:
    """Return the page."""
    charts = "".join(_chart(curves, content) for content in chart_contents(curves, measure))
    rows = "".join(_photograph(curves, one, number) for number, one in enumerate(curves.photographs[:MAX_PHOTOGRAPHS]))
    body = f'<main><div class="charts">{charts}</div><table><tbody>{rows}</tbody></table></main>'
    return html_page(title(curves), subtitle(curves), body, caption(curves, measure), _STYLE)


@dataclass(frozen=True, slots=True)
class _Scales:
    """The places of amounts and values in a chart."""

    low: float
    high: float
    axis: Axis

    def x(self, amount: float) -> float:
        return _LEFT + (_WIDTH - _LEFT) * (amount - self.low) / (self.high - self.low)

    def y(self, value: float) -> float:
        return _HEIGHT * (1 - self.axis.height(value))


def _chart(curves: InvarianceCurves, content: ChartContent) -> str:
    scales = _Scales(*x_range(curves), content.axis)
    grid = "".join(
        f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{scales.y(value):.1f}" y2="{scales.y(value):.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{scales.y(value) + 4:.1f}" text-anchor="end">{escape(text)}</text>'
        for value, text in content.axis.ticks
    )
    ends = "".join(
        f'<text x="{scales.x(value):.1f}" y="{_HEIGHT + 18}" text-anchor="middle">{escape(curves.kind.format(round(value, 4)))}</text>'
        for value in (scales.low, (scales.low + scales.high) / 2, scales.high)
    )
    lines = "".join(_line(curves, content, number, scales) for number in range(len(content.lines)))
    below = f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT + 38}" text-anchor="middle">{escape(x_title(curves))}</text>'
    drawn = f'<svg viewBox="0 -6 {_WIDTH + 8} {_HEIGHT + 50}" role="img" aria-label="{escape(content.title, quote=True)}">'
    return f"<figure><figcaption>{escape(content.title)}</figcaption>{drawn}{grid}{ends}{below}{lines}</svg></figure>"


def _line(curves: InvarianceCurves, content: ChartContent, number: int, scales: _Scales) -> str:
    points, name = content.lines[number], curves.photographs[number].name
    path = " ".join(f"{scales.x(amount):.1f},{scales.y(value):.1f}" for amount, value in points)
    places = "".join(
        f'<circle cx="{scales.x(amount):.1f}" cy="{scales.y(value):.1f}" r="5" fill="currentColor" fill-opacity="0.01">'
        f"<title>{escape(f'{name}, {curves.kind.format(amount)}: {_value(curves, content, value)}')}</title></circle>"
        for amount, value in points
    )
    return f'<polyline points="{path}" {_stroke(number)}/>{places}'


def _stroke(number: int) -> str:
    """Return the attributes of a photograph's line."""
    tone, dashed = STYLES[number % len(STYLES)]
    kind = "dashed" if dashed else "solid"
    return f'stroke="var(--{tone})" class="{kind}"'


def _value(curves: InvarianceCurves, content: ChartContent, value: float) -> str:
    is_score = not content.title.endswith("distance")
    return curves.quantity.format(value) if is_score and curves.quantity is not None and is_probability(curves) else f"{value:.4g}"


def _photograph(curves: InvarianceCurves, photograph: PhotographCurves, number: int) -> str:
    key = f'<svg viewBox="0 0 40 8" style="width:40px"><polyline points="0,4 40,4" {_stroke(number)}/></svg>'
    head = f'<th scope="row">{key}<b>{escape(photograph.name)}</b><br><span>{escape(describe(photograph))}</span></th>'
    cells = "".join(
        f'<td><img src="{data_uri(pixels, photograph=True)}" alt="{escape(f"{photograph.name}, {text}", quote=True)}">'
        f"<span>{escape(text)}</span></td>"
        for text, pixels in zip(map(curves.kind.format, photograph.example_amounts), photograph.examples, strict=True)
    )
    return f"<tr>{head}{cells}</tr>"
