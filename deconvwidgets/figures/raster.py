"""A drawing as PNG, by Pillow."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw

from deconvwidgets.figures.drawing import LIGHT, Block, Drawing, Raster, Tone, Words
from deconvwidgets.figures.lettering import lettered


def to_png(drawing: Drawing, palette: dict[Tone, str] = LIGHT, colours: int | None = None) -> bytes:
    """PNG bytes, one pixel a unit. With `colours` (at most 256) of them only: a third of the bytes, for pictures kept in notebooks."""
    sheet = Image.new("RGB", (round(drawing.width), round(drawing.height)), palette["paper"])
    pen = ImageDraw.Draw(sheet)
    for item in drawing.items:
        if isinstance(item, Raster):
            _paste(sheet, item)
        elif isinstance(item, Words):
            face, text = lettered(item.text, item.size)
            anchor = "ls" if item.anchor == "start" else "rs"
            pen.text(
                (item.x, item.y),
                text,
                fill=palette[item.tone],
                font=face,
                anchor=anchor,
                stroke_width=0.35 if item.strong else 0,
            )
        else:
            _block(pen, item, palette)
    buffer = io.BytesIO()
    (sheet if colours is None else sheet.quantize(colours)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _paste(sheet: Image.Image, item: Raster) -> None:
    picture = Image.fromarray(item.pixels)
    size = (round(item.width), round(item.height))
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    sheet.paste(picture, (round(item.x), round(item.y)))


def _block(pen: ImageDraw.ImageDraw, item: Block, palette: dict[Tone, str]) -> None:
    corners = (item.x, item.y, item.x + item.width - 1, item.y + max(item.height, 1.0) - 1)
    if item.stroke:
        pen.rectangle(corners, outline=palette[item.tone], width=round(item.stroke))
    else:
        pen.rectangle(corners, fill=palette[item.tone])
