"""The energy of first-layer filters by spatial frequency, drawn and as HTML: what the stride aliases is in another tone."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

from deconvwidgets.figures.drawing import Drawing, Polyline, Rectangle, Text, Tone
from deconvwidgets.instruments.diagnosis.records import FirstLayer

_TICKS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)  # cycles per pixel
_LABELS = 26.0  # the height of the labels below the bars


@dataclass(frozen=True, slots=True)
class Box:
    """Where the bars are drawn."""

    x: float
    top: float
    width: float
    height: float


def largest_share(layer: FirstLayer) -> float:
    """Return the largest share of the energy in one bin; 1 if there is none."""
    return float(layer.histogram.max(initial=0)) or 1.0


def frequency_order(layer: FirstLayer) -> list[int]:
    """Return the filters from low to high mean frequencies."""
    return [int(unit) for unit in np.argsort(np.nan_to_num(layer.centre), kind="stable")]


def shares_text(layer: FirstLayer) -> str:
    """Return the shares of low, middle and high frequencies: "low 6, middle 40, high 54%"."""
    low, middle, high = (f"{100 * share:.0f}" for share in layer.mean_shares)
    return f"low {low}, middle {middle}, high {high}%"


def carried_text(layer: FirstLayer) -> str:
    """Return the highest frequency that the stride carries: "stride 4 carries to 0.125 along an axis"."""
    return f"stride {max(layer.stride)} carries to {layer.carried:.3g} along an axis"


def draw_energy(drawing: Drawing, layer: FirstLayer, box: Box, largest: float) -> float:
    """Draw the bars, those of `largest` as high as the box, and return the end of the labels below them."""
    step, end = box.width / len(layer.histogram), box.top + box.height
    for number, share in enumerate(layer.histogram.tolist()):
        bars: tuple[tuple[float, Tone], ...] = ((share, "soft"), (float(layer.histogram_above[number]), "accent"))
        for part, tone in bars:
            if part:
                bar = box.height * part / largest
                drawing.add(Rectangle(box.x + number * step + 1, end - bar, step - 2, bar, tone))
    for value in _TICKS:
        at = box.x + box.width * value / _TICKS[-1]
        drawing.add(Text(at, end + 16, f"{value:g}", 11, "quiet", anchor="end" if value == _TICKS[-1] else "start"))
    if layer.carried < _TICKS[-1]:
        x = box.x + box.width * layer.carried / _TICKS[-1]
        drawing.add(Polyline(((x, box.top), (x, end)), "ink", 1.0, dashed=True))
        drawing.add(Text(x + 5, box.top + 10, carried_text(layer), 11, "quiet"))
    return end + _LABELS


def energy_html(layer: FirstLayer, largest: float, label: str) -> str:
    """Return the bars as HTML; `label` is their accessible name."""
    bars = "".join(
        f'<i style="height:{100 * share / largest:.1f}%" title="{low:.2f} to {high:.2f}: {share:.1%}, of which {above:.1%} aliased">'
        f'<b style="height:{100 * above / (share or 1.0):.1f}%"></b></i>'
        for share, above, low, high in zip(layer.histogram, layer.histogram_above, layer.edges, layer.edges[1:], strict=False)
    )
    return f'<div class="bars" role="img" aria-label="{escape(label)}">{bars}</div>'
