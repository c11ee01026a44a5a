"""The figure of one unit as a standalone HTML page, in light and dark colours, which shows a tile's details under the pointer."""

from __future__ import annotations

from html import escape

from deconvwidgets.figures.html_page import html_page
from deconvwidgets.figures.vector import data_uri
from deconvwidgets.instruments.layers.figures.sheet import FigureSheet, UnitPanel


def unit_page(sheet: FigureSheet) -> bytes:
    """Return the page of one unit, with a list of its strongest activations."""
    panel = sheet.unit
    rows = "\n".join(f"<li>{escape(panel.describe(rank).partition(' · ')[2])}</li>" for rank in range(panel.count))
    body = f'<main class="units">\n{_panel(panel)}\n<ol>{rows}</ol>\n</main>'
    caption = sheet.caption(f"unit {panel.unit} of {sheet.info.channels}")
    return html_page(f"{sheet.title()} · unit {panel.unit}", sheet.geometry(), body, caption, _STYLE, _SCRIPT)


def _panel(panel: UnitPanel) -> str:
    """Return projections beside patches, above a line for the details of the tile under the pointer."""
    if panel.count == 0:
        mosaics = '<div class="mosaic dead"></div><div class="mosaic dead"></div>'
    else:
        mosaics = _mosaic(panel, "projections", data_uri(panel.projections, photograph=False))
        mosaics += _mosaic(panel, "patches", data_uri(panel.patches, photograph=True))
    summary = escape(panel.summary(), quote=True)
    line = f'<figcaption><b>{panel.unit}</b> <span class="tip" data-rest="{summary}">{summary}</span></figcaption>'
    return f'<figure style="--side:{panel.side}px" aria-label="unit {panel.unit}"><div class="pair">{mosaics}</div>{line}</figure>'


def _mosaic(panel: UnitPanel, part: str, source: str) -> str:
    scale = 100.0 / panel.side
    cells = []
    for rank in range(panel.count):
        left, top = panel.cell(rank)
        place = f"left:{left * scale:.3f}%;top:{top * scale:.3f}%;width:{panel.tile * scale:.3f}%"
        tip = escape(panel.describe(rank) or f"#{rank + 1}", quote=True)
        cells.append(f'<i data-rank="{rank}" data-tip="{tip}" style="{place}"></i>')
    return f'<div class="mosaic"><img src="{source}" alt="unit {panel.unit}, {part}">{"".join(cells)}{_gaps(panel, scale)}</div>'


def _gaps(panel: UnitPanel, scale: float) -> str:
    """Return strips in the page's background colour over the mosaic's gaps, which are white in the image."""
    width = f"{panel.gap * scale:.3f}%"
    offsets = [f"{(line * (panel.tile + panel.gap) - panel.gap) * scale:.3f}%" for line in range(1, panel.grid)]
    vertical = (f'<s style="left:{offset};top:0;width:{width};height:100%"></s>' for offset in offsets)
    horizontal = (f'<s style="top:{offset};left:0;height:{width};width:100%"></s>' for offset in offsets)
    return "".join([*vertical, *horizontal])


_STYLE = """
.tip, ol { margin: 0; color: var(--quiet); }
.units { display: grid; gap: 18px 22px; grid-template-columns: minmax(0, 860px) minmax(220px, 1fr); }
@media (max-width: 900px) { .units { grid-template-columns: 1fr; } }
figure { margin: 0; min-width: 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 4px; }
.mosaic { position: relative; aspect-ratio: 1; }
.mosaic.dead { border: 1px solid var(--line); }
.mosaic img { display: block; width: 100%; height: 100%; }
.mosaic i { position: absolute; aspect-ratio: 1; }
.mosaic s { position: absolute; background: var(--paper); }
.mosaic i.on { z-index: 1; outline: 2px solid var(--accent); outline-offset: -1px; }
figcaption { margin-top: 4px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; font-variant-numeric: tabular-nums; }
figcaption b { margin-right: .4em; font-weight: 600; }
ol { padding-left: 1.6em; font-variant-numeric: tabular-nums; }
@media print { .mosaic s { position: absolute; background: var(--paper); }
.mosaic i.on { z-index: 1; outline: none; } }
"""

# The tile under the pointer is outlined in both mosaics, and described in the line below the unit.
_SCRIPT = """
for (const figure of document.querySelectorAll("figure")) {
  const tip = figure.querySelector(".tip");
  const show = (cell) => {
    for (const other of figure.querySelectorAll("i")) other.classList.toggle("on", !!cell && other.dataset.rank === cell.dataset.rank);
    tip.textContent = cell ? cell.dataset.tip : tip.dataset.rest;
  };
  figure.addEventListener("pointerover", (event) => show(event.target.closest("i")));
  figure.addEventListener("pointerleave", () => show(null));
}
"""
