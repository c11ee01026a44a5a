"""PDF files: text is text, whatever characters it has, at the place and in the width of the layout."""

from __future__ import annotations

import io

import numpy as np
import pypdf
import pytest

from deconvwidgets.figures import pdf_fonts
from deconvwidgets.figures.drawing import Drawing, Raster, Rectangle, Text, text_width
from deconvwidgets.figures.pdf import to_pdf


def page_of(*items: Text | Raster | Rectangle) -> pypdf.PageObject:
    return pypdf.PdfReader(io.BytesIO(to_pdf(Drawing(400, 100, list(items)), "A title"))).pages[0]


@pytest.mark.parametrize(
    "text", ["sunflower 5/9 · 30.0", "Ünï œuvre Ελλάδα Москва → ≤", "漢字太阳", "ひまわり漢字", "해바라기", "a \\ (b) % </script>"]
)
def test_text_can_be_copied_in_any_script(text: str) -> None:
    assert page_of(Text(20, 40, text, 12)).extract_text() == text


def test_a_character_that_no_font_has_is_written_as_its_code_point() -> None:
    assert page_of(Text(20, 40, "cat \N{GRINNING FACE}", 12)).extract_text() == "cat [U+1F600]"


def test_without_a_system_font_no_latin_letter_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_fonts, "system_font_names", lambda: ())
    pdf_fonts._embedded_fonts.cache_clear()
    try:
        assert page_of(Text(20, 40, "a Öl", 12)).extract_text() in ("a Öl", "a [U+00D6]l")
    finally:
        pdf_fonts._embedded_fonts.cache_clear()


def test_text_stands_where_the_layout_says_and_in_its_colour() -> None:
    placed: list[tuple[str, float, float, float]] = []

    def visit(text: str, matrix: list[float], text_matrix: list[float], _font: object, size: float) -> None:
        if text.strip():
            placed.append((text.strip(), text_matrix[4], text_matrix[5], size))

    texts = (Text(30, 40, "left", 12, strong=True), Text(300, 60, "right", 12, "quiet", anchor="end"), Text(30, 80, "after", 10, "quiet"))
    page = page_of(*texts)
    page.extract_text(visitor_text=visit)
    found = {name: (x, y) for name, x, y, _ in placed}
    assert found["left"] == pytest.approx((30, 60))
    assert found["right"] == pytest.approx((300 - text_width("right", 12), 40), abs=2.5)
    content = page.get_contents()
    assert content is not None
    stream = content.get_data().decode("latin-1")
    assert stream.count("2 Tr") == 1, "only the bold text has outlines"
    assert stream.rindex("q") > stream.index("2 Tr"), "the render mode ends with the bold text"


def test_equal_drawings_give_equal_files_with_lossless_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 18, 3), np.uint8)
    items = (Raster(10, 10, 36, 24, pixels, photograph=False), Rectangle(60, 10, 30, 30, "accent", 2.0), Rectangle(100, 10, 30, 30, "soft"))
    images = page_of(*items).images
    assert images[0].image
    np.testing.assert_array_equal(np.asarray(images[0].image.convert("RGB")), pixels)
    assert to_pdf(Drawing(400, 100, list(items))) == to_pdf(Drawing(400, 100, list(items)))
