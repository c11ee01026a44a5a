"""Fonts are chosen by the characters of a text."""

from __future__ import annotations

import pytest

from deconvwidgets.figures import lettering


def test_a_font_with_all_characters_is_chosen_or_accents_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    font, text = lettering.choose_font("Übergröße", 12)
    assert lettering._count_missing(text, font) == 0
    assert lettering.choose_font("plain ± … ·", 12) == (lettering.choose_font("", 12)[0], "plain ± … ·")
    monkeypatch.setattr(lettering, "_system_font", lambda size: None)
    font, text = lettering.choose_font("Übergröße, señor, Œuvre", 12)
    assert text == "Ubergrosse, senor, Oeuvre"
    assert lettering._count_missing(text, font) == 0
