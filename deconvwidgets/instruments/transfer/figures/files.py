"""Render the results of a run as a file of any kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from deconvwidgets.errors import ServiceError
from deconvwidgets.figures.pdf import to_pdf
from deconvwidgets.figures.raster import to_png
from deconvwidgets.figures.vector import to_svg
from deconvwidgets.instruments.transfer.figures.html import transfer_page
from deconvwidgets.instruments.transfer.figures.picture import transfer_drawing
from deconvwidgets.instruments.transfer.figures.sheet import TransferSheet
from deconvwidgets.instruments.transfer.figures.table import calibration_csv, classes_csv, photographs_csv
from deconvwidgets.instruments.transfer.records import TestPhotograph, TransferFile

_RENDERERS: dict[TransferFile, Callable[[TransferSheet, Iterable[TestPhotograph]], bytes]] = {
    "photographs.csv": lambda sheet, tests: photographs_csv(tests, sheet.results.categories),
    "classes.csv": lambda sheet, tests: classes_csv(sheet),
    "calibration.csv": lambda sheet, tests: calibration_csv(sheet.results.summary.calibration),
    "results.png": lambda sheet, tests: to_png(transfer_drawing(sheet), colours=256),
    "results.svg": lambda sheet, tests: to_svg(transfer_drawing(sheet)),
    "results.pdf": lambda sheet, tests: to_pdf(transfer_drawing(sheet), sheet.title()),
    "results.html": lambda sheet, tests: transfer_page(sheet),
}


def transfer_file(kind: TransferFile, sheet: TransferSheet, tests: Iterable[TestPhotograph]) -> bytes:
    """Return the results of a run as the bytes of a file.

    Parameters
    ----------
    kind : str
        "photographs.csv", "classes.csv", "calibration.csv", "results.png", "results.svg", "results.pdf" or "results.html".
    sheet : TransferSheet
        The results.
    tests : iterable of TestPhotograph
        All test photographs; iterated over for "photographs.csv" only.

    Raises
    ------
    ServiceError
        For an unknown kind.
    """
    renderer = _RENDERERS.get(kind)
    if renderer is None:
        raise ServiceError(f"There is no file {kind!r}; choose one of {', '.join(_RENDERERS)}.")
    return renderer(sheet, tests)
