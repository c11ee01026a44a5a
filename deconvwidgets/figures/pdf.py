"""Rendering of drawings as PDF, with text as text in embedded fonts, and embedded images."""

from __future__ import annotations

from deconvwidgets.errors import PictureError
from deconvwidgets.figures.drawing import Drawing


def to_pdf(drawing: Drawing, title: str = "") -> bytes:
    """Render a drawing as a PDF file of one page. One unit is one pixel of 1/96 inch. Equal drawings give equal files.

    Parameters
    ----------
    drawing : Drawing
        The drawing.
    title : str
        The title of the document.

    Raises
    ------
    PictureError
        If reportlab is not installed.
    """
    try:
        from deconvwidgets.figures.pdf_canvas import draw_pdf  # reportlab takes a while to import
    except ModuleNotFoundError as error:
        raise PictureError("PDF files are drawn with reportlab, which is not installed; run: pip install reportlab") from error
    return draw_pdf(drawing, title)
