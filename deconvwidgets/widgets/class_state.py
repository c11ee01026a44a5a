"""Keys of a state that every widget with the results of a classifier has: the data set, the run, and the view of the classes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from deconvwidgets.arguments import integer
from deconvwidgets.errors import DeconvWidgetsError, ServiceError

SORTS = ("worst", "best", "name", "size")  # of the list of classes
ORDERS = ("name", "accuracy")  # of the confusion matrix


def checked_data(data: object, choices: Collection[str], available: Collection[str]) -> str:
    """Return the name or path of a data set; None becomes the first available one. Raises ServiceError for anything but text."""
    if data is None:
        return next(iter((*available, *choices)), "images")
    if isinstance(data, Path):
        data = str(data)
    if not isinstance(data, str) or not data.strip():
        names = ", ".join(map(repr, choices))
        raise ServiceError(f"The data set is a name ({names}) or the path of a folder or zip, not {data!r}.")
    return data.strip()


def checked_root(root: object) -> str | None:
    """Return the folder of the Caltech data sets; None if it is not given. Raises ServiceError for anything but a path."""
    if isinstance(root, Path):
        root = str(root)
    if root is not None and not isinstance(root, str):
        raise ServiceError(f"'root' is the folder of the Caltech data sets, as a string, not {root!r}; None: DECONVWIDGETS_DATA.")
    return root.strip() or None if root else None


def checked_run(run: object, runs: Collection[int], is_new: bool, error: type[DeconvWidgetsError] = ServiceError) -> int | None:
    """Return the number of a run; None, for the newest one, also in a new widget whose state names a run of another kernel.

    Raises
    ------
    ServiceError
        If it is no integer.
    DeconvWidgetsError
        The given `error`, if there is no such run.
    """
    if run is None:
        return None
    number = integer(run, "run")
    if number in runs:
        return number
    if is_new:
        return None
    newest = f"the last one is {max(runs)}" if runs else "none was started yet"
    raise error(f"There is no run {number}: {newest}.")


def checked_cell(cell: object) -> list[int] | None:
    """Return the true and the predicted class of a cell of the confusion matrix, or None. Raises ServiceError for anything else."""
    if cell is None:
        return None
    if not isinstance(cell, list | tuple) or len(cell) != 2:
        raise ServiceError(f"A cell of the confusion matrix is written [truth, prediction], as the numbers of two classes, not {cell!r}.")
    truth, prediction = (integer(number, "class of a cell") for number in cell)
    if truth < 0 or prediction < 0:
        raise ServiceError(f"Classes are counted from 0: there is no cell {cell!r}.")
    return [truth, prediction]
