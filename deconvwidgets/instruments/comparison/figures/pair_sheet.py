"""The picture of two models side by side: pairs of units, each with projections and patches of both."""

from __future__ import annotations

import math
from dataclasses import dataclass

from deconvwidgets.figures.drawing import Drawing, Rectangle, Text, shorten, text_width
from deconvwidgets.figures.raster import to_png
from deconvwidgets.instruments.comparison.pair_records import LayerPairs
from deconvwidgets.instruments.layers.figures.layout import MARGIN, PAIR_GAP, draw_caption, draw_heading, draw_mosaics
from deconvwidgets.instruments.layers.figures.sheet import RULE_NAMES, UnitPanel
from deconvwidgets.records.mosaics import Rule
from deconvwidgets.records.overview import Overview

_SIDE = 150.0  # of a mosaic
_SIZE = 13.0  # of text
_COLUMN_GAP, _ROW_GAP = 34.0, 44.0
_SIDE_GAP = 16.0  # between A and B


@dataclass(frozen=True, slots=True, eq=False)
class ShownPair:
    """A pair of units; None where a unit has no partner."""

    a: UnitPanel | None
    b: UnitPanel | None
    correlation: float
    status: str


@dataclass(frozen=True, slots=True, eq=False)
class PairSheet:
    """The content of the picture. `selected`: the first pair is the one that is selected."""

    names: tuple[str, str]
    overviews: tuple[Overview, Overview]
    pairs: LayerPairs
    shown: tuple[ShownPair, ...]
    rule: Rule
    selected: bool

    def title(self) -> str:
        """Return the two models and the layers."""
        first, second = self.pairs.layer_a, self.pairs.layer_b
        layers = first if first == second else f"{first} beside {second}"
        return f"{self.names[0]} beside {self.names[1]} · {layers}"

    def subtitle(self) -> str:
        """Return what is untrained, and how the units are paired."""
        random = [f"{name}: random weights" for name, overview in zip(self.names, self.overviews, strict=True) if not overview.trained]
        by = "matched by the correlation of their activations" if self.pairs.paired_by == "match" else "of the same number"
        return " · ".join([*random, f"units {by} in {self.pairs.crops:,} images"])

    def caption(self) -> str:
        """Return what is shown."""
        return (
            "Each block is a pair of units: on the left that of A, on the right that of B. Of each, the strongest "
            f"{self.overviews[0].k} activations, each from a different photograph, projected to pixel space ({RULE_NAMES[self.rule]} "
            "rule), and the patches in the receptive field. r is the correlation of the activations of the two units."
        )


def draw_pairs(sheet: PairSheet) -> bytes:
    """Return the picture as a PNG."""
    columns = 1 if len(sheet.shown) < 2 else 2
    half = 2 * _SIDE + PAIR_GAP
    width = 2 * half + _SIDE_GAP
    drawing = Drawing(2 * MARGIN + columns * width + (columns - 1) * _COLUMN_GAP)
    top = draw_heading(drawing, sheet.title(), sheet.subtitle(), _SIZE) + 10
    for position, pair in enumerate(sheet.shown):
        row, column = divmod(position, columns)
        x, y = MARGIN + column * (width + _COLUMN_GAP), top + row * (_SIDE + _ROW_GAP)
        _draw_pair(drawing, pair, x, y + 18, half, width)
        if position == 0 and sheet.selected:
            drawing.add(Rectangle(x - 8, y - 2, width + 16, _SIDE + 28, "accent", 2.0))
    draw_caption(drawing, sheet.caption(), top + math.ceil(len(sheet.shown) / columns) * (_SIDE + _ROW_GAP), _SIZE)
    return to_png(drawing, colours=256)


def _draw_pair(drawing: Drawing, pair: ShownPair, x: float, y: float, half: float, width: float) -> None:
    right = x + half + _SIDE_GAP
    value = "" if math.isnan(pair.correlation) else f"r {pair.correlation:.2f} · "
    words = f"{value}{pair.status}"
    drawing.add(Text(x + width, y - 6, words, _SIZE, "quiet", anchor="end"))
    room = text_width(words, _SIZE) + 12
    for panel, left, name, space in ((pair.a, x, "A", half), (pair.b, right, "B", half - room)):
        if panel is None:
            drawing.add(Rectangle(left, y, half, _SIDE, "line", 1.0), Text(left, y - 6, f"{name}: no partner", _SIZE, "quiet"))
            continue
        label = f"{name} {panel.unit}"
        after = left + text_width(label, _SIZE, strong=True) + 8
        drawing.add(Text(left, y - 6, label, _SIZE, strong=True))
        drawing.add(Text(after, y - 6, shorten(panel.summary(), _SIZE, max(0.0, left + space - after)), _SIZE, "quiet"))
        draw_mosaics(drawing, panel, left, y, _SIDE)
