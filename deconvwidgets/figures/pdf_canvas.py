"""The drawing of PDF files with reportlab."""

from __future__ import annotations

import io

from PIL import Image
from reportlab.lib.colors import HexColor
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from deconvwidgets.figures.characters import single_line
from deconvwidgets.figures.drawing import LIGHT, Drawing, Polyline, Raster, Rectangle, Text, text_width
from deconvwidgets.figures.pdf_fonts import font_runs

_POINTS = 0.75  # per pixel, of which an inch has 96
_BOLD_STROKE = 0.35  # pixels around the letters, as in PNG files
_FILL, _FILL_AND_STROKE = 0, 2  # text render modes


def draw_pdf(drawing: Drawing, title: str) -> bytes:
    """Return a drawing as the bytes of a PDF file."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(drawing.width * _POINTS, drawing.height * _POINTS), invariant=1, pageCompression=1)
    canvas.setTitle(single_line(title))
    canvas.setCreator("deconvwidgets")
    canvas.scale(_POINTS, _POINTS)
    for item in drawing.items:
        if isinstance(item, Raster):
            _draw_image(canvas, item, drawing.height)
        elif isinstance(item, Text):
            _draw_text(canvas, item, drawing.height)
        elif isinstance(item, Polyline):
            _draw_line(canvas, item, drawing.height)
        else:
            _draw_rectangle(canvas, item, drawing.height)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _draw_image(canvas: Canvas, item: Raster, height: float) -> None:
    """Embed JPEG for photographs, and lossless pixels for everything else, whose gray must not change."""
    image = Image.fromarray(item.pixels)
    if item.photograph:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=92, subsampling=0)
        source = ImageReader(io.BytesIO(file.getvalue()))
    else:
        source = ImageReader(image)
    canvas.drawImage(source, item.x, height - item.y - item.height, item.width, item.height)


def _draw_text(canvas: Canvas, item: Text, height: float) -> None:
    """Write a line. It is condensed if it would be wider than the layout has measured."""
    runs = font_runs(item.text)
    width = sum(run.width(item.size) for run in runs)
    allowed = text_width(item.text, item.size, strong=item.strong)
    scale = min(1.0, allowed / width) if width > 0 else 1.0
    canvas.saveState()
    line = canvas.beginText(item.x if item.anchor == "start" else item.x - width * scale, height - item.y)
    line.setFillColor(HexColor(LIGHT[item.tone]))
    line.setHorizScale(100 * scale)
    line.setTextRenderMode(_FILL_AND_STROKE if item.strong else _FILL)
    if item.strong:
        canvas.setLineWidth(_BOLD_STROKE)
        line.setStrokeColor(HexColor(LIGHT[item.tone]))
    for run in runs:
        line.setFont(run.font, item.size)
        line.textOut(run.text)
    canvas.drawText(line)
    canvas.restoreState()  # the scale and the render mode would also be those of the next text


def _draw_line(canvas: Canvas, item: Polyline, height: float) -> None:
    canvas.setLineWidth(item.stroke)
    canvas.setStrokeColor(HexColor(LIGHT[item.tone]))
    canvas.lines([(x0, height - y0, x1, height - y1) for (x0, y0), (x1, y1) in item.segments()])


def _draw_rectangle(canvas: Canvas, item: Rectangle, height: float) -> None:
    bottom = height - item.y - item.height
    if item.stroke:  # inside the rectangle, as in PNG files
        inset = item.stroke / 2
        canvas.setLineWidth(item.stroke)
        canvas.setStrokeColor(HexColor(LIGHT[item.tone]))
        canvas.rect(item.x + inset, bottom + inset, item.width - item.stroke, item.height - item.stroke, stroke=1, fill=0)
    else:
        canvas.setFillColor(HexColor(LIGHT[item.tone]))
        canvas.rect(item.x, bottom, item.width, item.height, stroke=0, fill=1)
