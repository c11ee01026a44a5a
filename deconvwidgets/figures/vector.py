"""Rendering of drawings as SVG, with text as text, embedded images, and no external resources."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deconvwidgets.figures.characters import replace_invalid
from deconvwidgets.figures.drawing import DASH, GAP, LIGHT, Drawing, Item, Polyline, Raster, Text, text_width

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def to_svg(drawing: Drawing) -> bytes:
    """Render a drawing as a standalone SVG file in UTF-8."""
    width, height = round(drawing.width), round(drawing.height)
    body = "\n".join(_element(item) for item in drawing.items)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="{FONTS}">\n'
        f'<rect width="{width}" height="{height}" fill="{LIGHT["paper"]}"/>\n{body}\n</svg>\n'
    ).encode()


def _element(item: Item) -> str:
    if isinstance(item, Raster):
        return _image(item)
    if isinstance(item, Text):
        weight = ' font-weight="600"' if item.strong else ""
        anchor = ' text-anchor="end"' if item.anchor == "end" else ""
        place = f'x="{item.x:.1f}" y="{item.y:.1f}" font-size="{item.size:.1f}" fill="{LIGHT[item.tone]}"'
        return f"<text {place}{weight}{anchor}{_length(item)}>{escape(item.text)}</text>"
    if isinstance(item, Polyline):
        return _line(item)
    paint = f'fill="none" stroke="{LIGHT[item.tone]}" stroke-width="{item.stroke:.1f}"' if item.stroke else f'fill="{LIGHT[item.tone]}"'
    return f'<rect x="{item.x:.1f}" y="{item.y:.1f}" width="{item.width:.1f}" height="{item.height:.1f}" {paint}/>'


def _line(item: Polyline) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in item.points)
    dashes = f' stroke-dasharray="{DASH:g} {GAP:g}"' if item.dashed else ""
    return f'<polyline points="{points}" fill="none" stroke="{LIGHT[item.tone]}" stroke-width="{item.stroke:.1f}"{dashes}/>'


def _length(item: Text) -> str:
    """Return the attributes that fix the length of a text: the font of the reader may be wider than that of the layout."""
    width = text_width(item.text, item.size, strong=item.strong)
    return f' textLength="{width:.1f}" lengthAdjust="spacingAndGlyphs"' if width > 0 else ""


def _image(item: Raster) -> str:
    place = f'x="{item.x:.1f}" y="{item.y:.1f}" width="{item.width:.1f}" height="{item.height:.1f}"'
    source = data_uri(item.pixels, photograph=item.photograph)
    # Old editors (Inkscape before 1.0) only read xlink:href.
    return f'<image {place} preserveAspectRatio="none" xlink:href="{source}"><title>{escape(replace_invalid(item.title))}</title></image>'


def data_uri(pixels: NDArray[np.uint8], *, photograph: bool) -> str:
    """Return pixels (h, w, 3) as a data URI: JPEG for photographs, PNG for projections, whose gray must not change."""
    buffer = io.BytesIO()
    if photograph:
        Image.fromarray(pixels).save(buffer, "JPEG", quality=88, subsampling=0)
        kind = "jpeg"
    else:
        Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
        kind = "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
