"""From a kind of file to a run's results in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from deconvwidgets.errors import ServiceError
from deconvwidgets.figures.raster import to_png
from deconvwidgets.instruments.transfer.figures.html import transfer_page
from deconvwidgets.instruments.transfer.figures.picture import transfer_picture
from deconvwidgets.instruments.transfer.figures.sheet import TransferSheet
from deconvwidgets.instruments.transfer.figures.table import classes_csv, photographs_csv
from deconvwidgets.instruments.transfer.records import TestPhotograph, TransferFile

_WRITERS: dict[TransferFile, Callable[[TransferSheet, Iterable[TestPhotograph]], bytes]] = {
    "photographs.csv": lambda sheet, tests: photographs_csv(tests, sheet.view.categories),
    "classes.csv": lambda sheet, tests: classes_csv(sheet),
    "results.png": lambda sheet, tests: to_png(transfer_picture(sheet), colours=256),
    "results.html": lambda sheet, tests: transfer_page(sheet),
}


def transfer_file(kind: TransferFile, sheet: TransferSheet, tests: Iterable[TestPhotograph]) -> bytes:
    """A run's results as a file's bytes; `tests` are all its test photographs, asked for by "photographs.csv" alone.

    Raises ServiceError for a kind that does not exist.
    """
    writer = _WRITERS.get(kind)
    if writer is None:
        raise ServiceError(f"There is no file {kind!r}; choose one of {', '.join(_WRITERS)}.")
    return writer(sheet, tests)
