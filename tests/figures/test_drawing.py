"""Text is measured, wrapped and shortened to a width."""

from __future__ import annotations

from deconvwidgets.figures.drawing import shorten, text_width, wrap


def test_wrapped_and_shortened_text_fits_the_width() -> None:
    text = "Weights: " + "x" * 400 + " and then a sentence of ordinary words that needs a second line"
    for line in wrap(text, 14, 200):
        assert text_width(line, 14) <= 200
    assert shorten("short", 14, 200) == "short"
    assert shorten("x" * 400, 14, 200).endswith("…")
