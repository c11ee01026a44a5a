"""Characters that XML does not allow or UTF-8 cannot encode are replaced."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET

import pytest

from deconvwidgets.figures.characters import replace_invalid, single_line
from deconvwidgets.figures.drawing import Drawing, Text, shorten, text_width, wrap
from deconvwidgets.figures.html_page import html_page
from deconvwidgets.figures.vector import to_svg


@pytest.mark.parametrize("number", [*range(0x00, 0x20), *range(0x7F, 0xA0), 0xD800, 0xDC80, 0xDFFF, 0xFFFE, 0xFFFF])
def test_a_single_line_has_no_control_characters_surrogates_and_noncharacters(number: int) -> None:
    line = single_line(f"a{chr(number)}b")
    assert line in ("a\ufffdb", "a b")
    drawing = Drawing(100, 20)
    drawing.add(Text(0, 10, f"a{chr(number)}b", 12, strong=True))
    texts = [node.text for node in ET.fromstring(to_svg(drawing)).iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [line]


def test_other_characters_and_line_breaks_are_kept() -> None:
    text = "Ünï 漢 😀 \\ufffd\t\n\r"
    assert replace_invalid(text) == text
    assert single_line("a\r\n\tb\u2028c") == "a b c"


def test_undecodable_file_names_can_be_measured_and_wrapped() -> None:
    name = os.fsdecode(b"caf\xe9\n.jpg")
    assert text_width(name, 12) == text_width("caf\ufffd .jpg", 12)
    assert shorten(name * 20, 12, 50).endswith("…")
    assert wrap(name, 12, 500) == ["caf\udce9 .jpg"]


def test_pages_are_valid_utf_8() -> None:
    page = html_page("\udce9", "\x00", "<p>\x1b</p>", "\ud83d", "", "const x = 1;").decode()
    assert page.count("\ufffd") == 5  # the title is there twice


def test_a_name_does_not_turn_the_numbers_after_it_round() -> None:
    assert replace_invalid("\u202etac\u202c 12 \u2067cat\u2069") == "\ufffdtac\ufffd 12 \ufffdcat\ufffd"
    arabic = "\u0639\u0631 12"
    assert replace_invalid(arabic) == arabic
