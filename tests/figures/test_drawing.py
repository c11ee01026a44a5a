"""Text is measured, wrapped and shortened to a width, and lines are drawn."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from deconvwidgets.figures import drawing
from deconvwidgets.figures.drawing import LIGHT, Drawing, Polyline, shorten, text_width, wrap
from deconvwidgets.figures.pdf import to_pdf
from deconvwidgets.figures.raster import to_png
from deconvwidgets.figures.vector import to_svg


def test_wrapped_and_shortened_text_fits_the_width() -> None:
    text = "Weights: " + "x" * 400 + " and then a sentence of ordinary words that needs a second line"
    for line in wrap(text, 14, 200):
        assert text_width(line, 14) <= 200
    assert shorten("short", 14, 200) == "short"
    assert shorten("x" * 400, 14, 200).endswith("…")


def test_a_long_name_is_shortened_in_few_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []
    monkeypatch.setattr(drawing, "text_width", lambda text, size: float(measured.append(text) or len(text)))
    assert shorten("x" * 10_000, 12, 101) == "x" * 100 + "…"
    assert len(measured) < 20
    assert shorten("xy", 12, 0.5) == "…"


def test_a_dashed_line_is_drawn_as_dashes_of_constant_length() -> None:
    line = Polyline(((0, 0), (3, 0), (3, 8)), "accent", dashed=True)
    assert line.segments() == [((0, 0), (3, 0)), ((3, 0), (3, 1)), ((3, 4), (3, 8))]
    assert Polyline(line.points, "accent").segments() == [((0, 0), (3, 0)), ((3, 0), (3, 8))]


def test_a_line_is_drawn_in_every_format() -> None:
    sheet = Drawing(40, 20)
    sheet.add(Polyline(((5, 10), (35, 10)), "accent", stroke=4))
    pixels = np.asarray(Image.open(io.BytesIO(to_png(sheet))))
    accent = tuple(int(LIGHT["accent"][place : place + 2], 16) for place in (1, 3, 5))
    assert tuple(pixels[10, 20]) == accent
    assert tuple(pixels[4, 20]) == tuple(pixels[10, 1]) == (255, 255, 255)
    assert b'points="5.0,10.0 35.0,10.0"' in to_svg(sheet)
    assert to_pdf(sheet).startswith(b"%PDF")
