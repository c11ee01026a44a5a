"""The characters that text in figures may contain.

Names of classes and files may contain any character, such as control characters, or surrogates that stand for undecodable bytes. XML 1.0
does not allow most of them, UTF-8 cannot encode surrogates, and fonts have no glyphs for them. Characters that set the direction of the
text after them would also turn the numbers beside a name round: 12 would be read as 21.
"""

from __future__ import annotations

import re

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# But not tab and line breaks.
_INVALID = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_LINE_BREAKS = re.compile("[\t\n\r\x85\u2028\u2029]+")


def replace_invalid(text: str) -> str:
    """Return `text` with U+FFFD in place of control and direction characters, surrogates, U+FFFE and U+FFFF. Line breaks are kept."""
    return _INVALID.sub(_REPLACEMENT, text)


def single_line(text: str) -> str:
    """Return `text` with U+FFFD in place of invalid characters, and with a space in place of each run of tabs and line breaks."""
    return _LINE_BREAKS.sub(" ", replace_invalid(text))
