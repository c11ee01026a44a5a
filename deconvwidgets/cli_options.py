"""The values of the command line's options, and the errors of usage."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deconvwidgets.errors import DeconvWidgetsError

EXIT_CODES = """exit codes:
  0    the command did what was asked
  1    it failed: a file is missing, a download failed, a model was refused, a disk is full, ...
  2    the command line is wrong: an unknown option, or a value that an option cannot have
  130  stopped by Ctrl-C
  143  stopped by SIGTERM"""
_SUFFIXES = (".png", ".svg", ".pdf", ".html")


class UsageError(DeconvWidgetsError):
    """An option has a value that it cannot have, which is known only after the model or PyTorch was asked."""


@contextmanager
def refused_as_usage(*errors: type[DeconvWidgetsError]) -> Iterator[None]:
    """Turn these errors into errors of usage, where nothing but the value of an option can cause them."""
    try:
        yield
    except errors as error:
        raise UsageError(str(error)) from error


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return the type of an option that is an integer from `least` to `most`."""

    def parse(value: str) -> int:
        number = int(value)
        if number < least or (most is not None and number > most):
            limits = f"at least {least}" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"{number} is not {limits}")
        return number

    parse.__name__ = "int"  # argparse: "invalid int value: 'x'"
    return parse


def auto_or(least: int) -> Callable[[str], int | str]:
    """Return the type of an option that is "auto" or an integer from `least` on."""
    number = whole_number(least)

    def parse(value: str) -> int | str:
        return value if value == "auto" else number(value)

    parse.__name__ = "int"
    return parse


def names_of_layers(value: str) -> list[str]:
    """Return a list of layers, as in conv1,conv5."""
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError(f"{value!r} names no layers; give a list such as conv1,conv5")
    return names


def figure_file(value: str) -> Path:
    """Return the path of a figure. Its ending is the format of the file."""
    if Path(value).suffix.lower() not in _SUFFIXES:
        raise argparse.ArgumentTypeError(f"{value} must end in .png, .svg, .pdf or .html, which is the format of the file")
    return Path(value)


def unit_numbers(value: str) -> int | list[int]:
    """Return a number of units, or a list of the numbers of units."""
    try:
        numbers = [int(number) for number in value.split(",") if number.strip()]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 0 or ("," not in value and numbers[0] < 1):
        raise argparse.ArgumentTypeError(f"{value!r} is no number of units from 1 on, and no list such as 3,17,133")
    return numbers if "," in value else numbers[0]


def tile_size(value: str) -> str | int:
    """Return the size of a tile. It is checked at once: the index may take minutes."""
    from deconvwidgets.instruments.layers.figures.size import tile_pixels

    size = int(value) if value.isdecimal() else value
    try:
        tile_pixels(size)
    except DeconvWidgetsError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return size
