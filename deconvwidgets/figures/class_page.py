"""What the HTML pages of classifiers share: a confusion matrix whose cells show photographs, and a list of classes that leads to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.display import decode_image
from deconvwidgets.figures.confusion import confusion_pixels
from deconvwidgets.figures.page_images import Quality, encode_to_fit
from deconvwidgets.figures.vector import data_uri
from deconvwidgets.records.images import EncodedImage, SkippedImage

_FILE = Path(__file__)
_STEPS = tuple({"thumbnails": Quality(quality, side)} for quality, side in ((80, 0), (65, 0), (50, 0), (40, 64), (30, 48)))

CELL = (
    '<div id="cell" aria-live="polite"><h2 id="cell-title"></h2><p class="quiet" id="cell-text"></p><div id="photographs"></div>'
    '<div id="mistakes"></div></div>'
)
CLASSES = """<section class="wide"><h2>Classes</h2><p class="tools"><label>Sort <select id="sort"><option value="worst">worst first</option>
<option value="best">best first</option><option value="name">name</option></select></label>
<label>Class <input id="filter" type="search" placeholder="any class" autocomplete="off"></label><span class="quiet" id="count"></span></p>
<div id="classes"></div></section>"""


class CellPhotograph(Protocol):
    """A photograph of a cell of the matrix: the number and name of it, and the confidence of the prediction."""

    @property
    def source(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def confidence(self) -> float | None: ...


class CellPhotographs(Protocol):
    """Photographs by (true class, predicted class), and thumbnails by the number of the photograph."""

    @property
    def cells(self) -> Mapping[tuple[int, int], Sequence[CellPhotograph]]: ...
    @property
    def thumbnails(self) -> Mapping[int, EncodedImage]: ...


@dataclass(frozen=True, slots=True, eq=False)
class ClassPageData:
    """The data of the page's script.

    Attributes
    ----------
    categories : sequence of str
        The names of the rows and columns of the matrix, (R,).
    tests, accuracy : array (R,)
        The number of photographs and the accuracy of each class; NaN for a class without photographs.
    confusion : array (R, R) int64
    photographs : CellPhotographs or None
    """

    categories: Sequence[str]
    tests: NDArray[np.int64]
    accuracy: NDArray[np.floating]
    confusion: NDArray[np.int64]
    photographs: CellPhotographs | None

    def content(self) -> dict[str, Any]:
        """Return the data for the element with the id "data"."""
        cells, thumbnails = ({}, {}) if self.photographs is None else (self.photographs.cells, self.photographs.thumbnails)
        numbers = {source: number for number, source in enumerate(thumbnails)}
        images = encode_to_fit({"thumbnails": [decode_image(image.data) for image in thumbnails.values()]}, _STEPS)
        return {
            "categories": list(self.categories),
            "tests": self.tests.tolist(),
            "accuracy": [float(share) for share in self.accuracy],
            "counts": {f"{row},{column}": int(self.confusion[row, column]) for row, column in np.argwhere(self.confusion).tolist()},
            "cells": {
                f"{truth},{prediction}": [[numbers[one.source], one.name, one.confidence] for one in cell]
                for (truth, prediction), cell in cells.items()
            },
            **images,
        }


def style_and_script() -> tuple[str, str]:
    """Return the CSS and the JavaScript of the page."""
    return _FILE.with_suffix(".css").read_text("utf-8"), _FILE.with_suffix(".js").read_text("utf-8")


def confusion_section(confusion: NDArray[np.int64], categories: Sequence[str], note: str = "") -> str:
    """Return a confusion matrix (R, R) that the script makes clickable, with a legend and the names of the classes."""
    image = data_uri(confusion_pixels(confusion, 900), photograph=False)
    legend = (
        f"Rows are true classes, columns are predicted classes. Blue: correct. Red: mistakes, on a square-root scale. {note}"
        "Click a cell, or move with the arrow keys, to see its photographs."
    )
    names = "".join(f"<li>{escape(name)}</li>" for name in categories)
    label = f"Confusion matrix of {len(categories)} classes: move with the arrow keys"
    return (
        f'<div id="matrix" tabindex="0" role="group" aria-label="{label}"><img class="matrix" src="{image}" alt="" draggable="false">'
        f'<i id="mark"></i></div><p id="hovered" class="quiet">&nbsp;</p><p class="quiet">{legend}</p>'
        f"<details><summary>Classes in order</summary><ol>{names}</ol></details>"
    )


def bar_row(text: str, percent: float, value: str, kind: str = "ours") -> str:
    """Return a row of a table with a bar of the length of a percentage."""
    bar = f'<i class="{kind}" style="width:{min(max(percent, 0.0), 100.0):.1f}%"></i>'
    return f'<tr><th scope="row">{escape(text)}</th><td class="bar">{bar}</td><td class="number">{escape(value)}</td></tr>'


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Return a list of names and values."""
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs) + "</dl>"


def skipped_files(skipped: Sequence[SkippedImage]) -> str:
    """Return the files that could not be read; "" if there are none."""
    if not skipped:
        return ""
    files = "".join(f"<li>{escape(image.name)}: {escape(image.reason)}</li>" for image in skipped)
    return f"<details><summary>{len(skipped):,} files could not be read</summary><ul>{files}</ul></details>"
