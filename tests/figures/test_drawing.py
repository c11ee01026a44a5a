"""Text is measured, wrapped and shortened to a width."""

from __future__ import annotations

import pytest

from deconvwidgets.figures import drawing
from deconvwidgets.figures.drawing import shorten, text_width, wrap


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
