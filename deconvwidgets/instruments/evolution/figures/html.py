"""The rows as a standalone HTML page, in light and dark colours: every tile says what it is, and the epochs can be played."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.figures.html_page import html_page
from deconvwidgets.figures.vector import data_uri
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


def evolution_page(figure: EvolutionFigure) -> bytes:
    """Return the page."""
    layers = "\n".join(_layer(figure, layer) for layer in layer_rows(figure))
    last = max(0, len(ready_columns(figure)) - 1)
    slider = f'<input type="range" min="0" max="{last}" value="{last}" aria-label="Checkpoint">'
    play = f'<p class="play"><button type="button">▶ Play</button> {slider} <output></output></p>'
    body = f'<main class="{escape(figure.state["show"])}">{play if last else ""}{layers}</main>'
    style, script = (Path(__file__).with_name(f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return html_page(title(figure), subtitle(figure), body, caption(figure), style, script)


def _layer(figure: EvolutionFigure, layer: LayerRows) -> str:
    columns = ready_columns(figure)
    names = "".join(
        f'<th scope="col">{escape((f"{figure.overview.unit} " if not number else "") + heading(column))}</th>'
        for number, column in enumerate(columns)
    )
    values = () if layer.curve is None or len(columns) < 2 else layer.curve.values
    numbers = "".join(f"<td>{'–' if value is None else f'{value:.2f}'}</td>" for value in values)
    rows = "".join(_row(figure, row) for row in layer.rows)
    converged = f'<tr class="numbers"><th></th>{numbers}</tr>' if numbers else ""
    head = f'<tr><th scope="row">{escape(layer.layer)}</th>{names}</tr>{converged}'
    return f"<section><table><thead>{head}</thead><tbody>{rows}</tbody></table></section>"


def _row(figure: EvolutionFigure, row: EvolutionRow) -> str:
    cells = "".join(_cell(figure, row, cell) for cell in row.cells)
    return f'<tr><th scope="row"><b>{row.unit}</b> <span>{escape(jumps(row))}</span></th>{cells}</tr>'


def _cell(figure: EvolutionFigure, row: EvolutionRow, cell: EvolutionCell) -> str:
    text = escape(describe(figure, row, cell), quote=True)
    images = "".join(_image(part, pixels, text) for part, pixels in pictures_of(figure, row, cell))
    changed = ' class="changed"' if cell.changed else ""
    return f'<td{changed} title="{text}">{images or "–"}</td>'


def _image(part: str, pixels: NDArray[np.uint8], text: str) -> str:
    return f'<img class="{part}" src="{data_uri(pixels, photograph=part == "patch")}" alt="{part}: {text}">'
