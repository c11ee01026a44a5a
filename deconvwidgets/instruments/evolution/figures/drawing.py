"""The rows as a drawing: a unit in each row, an epoch in each column, and the numbers of each layer above its rows."""

from __future__ import annotations

from dataclasses import dataclass

from deconvwidgets.figures.drawing import Drawing, Raster, Rectangle, Text, shorten
from deconvwidgets.figures.drawing_frame import EDGE, add_caption, add_title
from deconvwidgets.instruments.evolution.figures.sheet import (
    LayerRows,
    caption,
    describe,
    heading,
    jumps,
    layer_rows,
    pictures_of,
    ready_columns,
    subtitle,
    title,
)
from deconvwidgets.instruments.evolution.records import EvolutionCell, EvolutionFigure, EvolutionRow

TILE = 72
_GAP, _LABEL, _BLOCK_GAP = 3.0, 62.0, 30.0
_TOP, _HEAD, _LAYER_HEAD, _LAYER_GAP = 62.0, 18.0, 20.0, 8.0
_INSET = 0.42  # side of a patch over a projection, as a share of the tile
_WIDTH = 1320.0  # of two blocks at most
_SIZE = 12.0
_MIN_WIDTH = 720.0


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the columns of a block are."""

    left: float
    count: int

    def x(self, column: int) -> float:
        return self.left + _LABEL + column * (TILE + _GAP)

    @property
    def width(self) -> float:
        return _LABEL + self.count * (TILE + _GAP) - _GAP


def evolution_drawing(figure: EvolutionFigure) -> Drawing:
    """Return the figure as a drawing: layers below each other, in two blocks side by side if they fit."""
    layers, count = layer_rows(figure), len(ready_columns(figure))
    width = _Columns(0, count).width
    blocks = _blocks(layers, 2 if 2 * width + _BLOCK_GAP + 2 * EDGE <= _WIDTH else 1)
    drawing = Drawing(max(_MIN_WIDTH, len(blocks) * (width + _BLOCK_GAP) - _BLOCK_GAP + 2 * EDGE))
    add_title(drawing, title(figure), subtitle(figure))
    bottoms = [
        _add_block(drawing, figure, block, _Columns(EDGE + number * (width + _BLOCK_GAP), count)) for number, block in enumerate(blocks)
    ]
    add_caption(drawing, max(bottoms, default=_TOP), caption(figure), 1.1)
    return drawing


def _blocks(layers: list[LayerRows], count: int) -> list[list[LayerRows]]:
    """Return the layers of each block, in their order; of two blocks, such that the higher one is as low as possible."""
    heights = [len(layer.rows) * (TILE + _GAP) + _LAYER_HEAD + _LAYER_GAP for layer in layers]
    if count == 1 or len(layers) < 2:
        return [layers] if layers else []
    first = min(range(1, len(layers)), key=lambda split: max(sum(heights[:split]), sum(heights[split:])))
    return [layers[:first], layers[first:]]


def _add_block(drawing: Drawing, figure: EvolutionFigure, layers: list[LayerRows], columns: _Columns) -> float:
    """Add the headings and the layers of a block, and return where it ends."""
    drawing.add(Text(columns.left, _TOP + 12, figure.overview.unit, _SIZE, "quiet"))
    for number, column in enumerate(ready_columns(figure)):
        drawing.add(Text(columns.x(number), _TOP + 12, heading(column), _SIZE, "quiet"))
    y = _TOP + _HEAD
    for layer in layers:
        _add_numbers(drawing, layer, columns, y)
        y += _LAYER_HEAD
        for row in layer.rows:
            _add_row(drawing, figure, row, columns, y)
            y += TILE + _GAP
        y += _LAYER_GAP
    return y


def _add_numbers(drawing: Drawing, layer: LayerRows, columns: _Columns, y: float) -> None:
    """Add the name of a layer, and how far it has converged at each epoch."""
    drawing.add(Text(columns.left, y + 14, shorten(layer.layer, _SIZE, _LABEL - 4), _SIZE, strong=True))
    if layer.curve is None or columns.count < 2:
        return
    for number, value in enumerate(layer.curve.values[: columns.count]):
        drawing.add(Text(columns.x(number), y + 14, "–" if value is None else f"{value:.2f}", 11, "quiet"))


def _add_row(drawing: Drawing, figure: EvolutionFigure, row: EvolutionRow, columns: _Columns, y: float) -> None:
    drawing.add(Text(columns.left, y + TILE / 2, str(row.unit), _SIZE, strong=True))
    drawing.add(Text(columns.left, y + TILE / 2 + 15, jumps(row), 11, "quiet"))
    for number, cell in enumerate(row.cells[: columns.count]):
        _add_cell(drawing, figure, row, cell, columns.x(number), y)


def _add_cell(drawing: Drawing, figure: EvolutionFigure, row: EvolutionRow, cell: EvolutionCell, x: float, y: float) -> None:
    pictures = pictures_of(figure, row, cell)
    if not pictures:
        drawing.add(Rectangle(x, y, TILE, TILE, "line", 1), Rectangle(x + TILE / 2 - 5, y + TILE / 2, 10, 1, "quiet"))
    for number, (part, pixels) in enumerate(pictures):
        side = TILE if number == 0 else round(_INSET * TILE)
        left, top = x + TILE - side - (2 if number else 0), y + TILE - side - (2 if number else 0)
        if number:
            drawing.add(Rectangle(left - 1, top - 1, side + 2, side + 2, "paper"))
        drawing.add(Raster(left, top, side, side, pixels, part == "patch", describe(figure, row, cell)))
    if cell.changed:
        drawing.add(Rectangle(x, y, TILE, TILE, "accent", 2))
