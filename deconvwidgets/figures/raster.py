"""Rendering of drawings as PNG with Pillow."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw

from deconvwidgets.figures.drawing import LIGHT, Drawing, Polyline, Raster, Rectangle, Text, Tone
from deconvwidgets.figures.lettering import choose_font

_OVERSAMPLING = 3  # of lines


def to_png(drawing: Drawing, palette: dict[Tone, str] = LIGHT, colours: int | None = None) -> bytes:
    """Render a drawing as PNG.

    Parameters
    ----------
    drawing : Drawing
        The drawing. One unit is one pixel.
    palette : dict
        The colours.
    colours : int, optional
        Quantise to this number of colours (256 at most), which makes files about three times smaller.

    Returns
    -------
    bytes
        The PNG file.
    """
    image = Image.new("RGB", (round(drawing.width), round(drawing.height)), palette["paper"])
    draw = ImageDraw.Draw(image)
    lines: list[Polyline] = []
    for item in drawing.items:
        if isinstance(item, Raster):
            _paste(image, item)
        elif isinstance(item, Text):
            font, text = choose_font(item.text, item.size)
            anchor = "ls" if item.anchor == "start" else "rs"
            draw.text(
                (item.x, item.y),
                text,
                fill=palette[item.tone],
                font=font,
                anchor=anchor,
                stroke_width=0.35 if item.strong else 0,
            )
        elif isinstance(item, Polyline):
            lines.append(item)
        else:
            _draw_rectangle(draw, item, palette)
    if lines:
        _draw_lines(image, lines, palette)
    buffer = io.BytesIO()
    (image if colours is None else image.quantize(colours)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _paste(image: Image.Image, item: Raster) -> None:
    pasted = Image.fromarray(item.pixels)
    size = (round(item.width), round(item.height))
    if pasted.size != size:
        pasted = pasted.resize(size, Image.Resampling.LANCZOS)
    image.paste(pasted, (round(item.x), round(item.y)))


def _draw_lines(image: Image.Image, lines: list[Polyline], palette: dict[Tone, str]) -> None:
    """Draw lines with smooth edges on top of everything else: Pillow's own have steps."""
    for tone in dict.fromkeys(line.tone for line in lines):
        mask = Image.new("L", (image.width * _OVERSAMPLING, image.height * _OVERSAMPLING))
        draw = ImageDraw.Draw(mask)
        for line in lines:
            if line.tone == tone:
                for segment in line.segments():
                    places = [(x * _OVERSAMPLING, y * _OVERSAMPLING) for x, y in segment]
                    draw.line(places, fill=255, width=round(line.stroke * _OVERSAMPLING))
        image.paste(palette[tone], (0, 0), mask.resize(image.size, Image.Resampling.BOX))


def _draw_rectangle(draw: ImageDraw.ImageDraw, item: Rectangle, palette: dict[Tone, str]) -> None:
    corners = (item.x, item.y, item.x + item.width - 1, item.y + max(item.height, 1.0) - 1)
    if item.stroke:
        draw.rectangle(corners, outline=palette[item.tone], width=round(item.stroke))
    else:
        draw.rectangle(corners, fill=palette[item.tone])
