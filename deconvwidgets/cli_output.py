"""Text that the command line prints."""

from __future__ import annotations

import io
import sys


def print_any_character() -> None:
    """Print an escape sequence in place of a character that the terminal's encoding lacks: names of files may have undecodable bytes."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def printable(text: str) -> str:
    """Return a text that others wrote, quoted and escaped if it has characters that control a terminal."""
    return text if text.isprintable() else ascii(text)
