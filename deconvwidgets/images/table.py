"""Image sets of tables: data frames of pandas, polars and others, with a column of paths and columns of labels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from deconvwidgets.arguments import as_integer, describe, texts
from deconvwidgets.errors import PictureError
from deconvwidgets.images.files import FileImages
from deconvwidgets.images.image_set import digest_of
from deconvwidgets.images.targets import plain_target, targets_digest
from deconvwidgets.paths import as_path

Columns = tuple[str, str | Sequence[str]]
DEFAULT_COLUMNS: Columns = ("path", "label")


class TableImages(FileImages):
    """Image files that a data frame lists, with their labels.

    A string is the name of a class, an integer its number, a list several labels of one photograph. Several columns are the values of a
    regression or the 0 and 1 of several labels; the columns' names are then those of the classes. The digest covers the labels.

    Parameters
    ----------
    table : data frame
        Anything with `columns`, whose columns are read by their names: a DataFrame of pandas or polars.
    root : Path or None
        The folder that relative paths start from; None for the current one.
    columns : (str, str or sequence of str)
        The name of the column of paths, and those of the labels.

    Raises
    ------
    PictureError
        If there is no such column, or if no file is an image.
    """

    def __init__(self, table: Any, root: Path | None = None, columns: Columns = DEFAULT_COLUMNS) -> None:
        path_column, label_columns = _checked_columns(table, columns)
        paths = [_path(value, row) for row, value in enumerate(_column(table, path_column))]
        parts = [[plain_target(value) for value in _column(table, name)] for name in label_columns]
        targets: list[object] = parts[0] if len(parts) == 1 else [None if None in row else row for row in zip(*parts, strict=True)]
        super().__init__("table", root or Path("."), paths, range(len(paths)))
        self._targets = [targets[row] for row in self._labels]  # of the readable files
        names = sorted({name for target in self._targets for name in _names(target)})
        numbers = {name: number for number, name in enumerate(names)}
        self._set_labels(numbers.get(target) if isinstance(target, str) else as_integer(target) for target in self._targets)
        self.categories = tuple(names) if names else tuple(label_columns) if len(label_columns) > 1 else None
        self.digest = digest_of([self.digest, targets_digest(self._targets)])

    def target(self, source: int) -> object:
        """Return what the table has for a photograph: a name, a number, a tuple of them; None if nothing."""
        return self._targets[source]


def is_table(value: object) -> bool:
    """Return whether a value is a data frame, by its columns with names."""
    columns = getattr(value, "columns", None)
    return columns is not None and not isinstance(columns, str) and hasattr(value, "__getitem__") and hasattr(value, "__len__")


def _checked_columns(table: Any, columns: object) -> tuple[str, list[str]]:
    if not isinstance(columns, tuple | list) or len(columns) != 2 or not isinstance(columns[0], str):
        raise PictureError(
            f"columns must be the name of the column of paths and that of the labels, ('path', 'label'), not {describe(columns)}."
        )
    labels = texts(columns[1], "columns, the name or names of the label columns,", "one or more names", PictureError)
    known = [str(name) for name in table.columns]
    missing = [name for name in (columns[0], *labels) if name not in known]
    if missing:
        raise PictureError(
            f"The table has no column {missing[0]!r}; it has {', '.join(map(repr, known[:20]))}. Name the column of paths and that of the "
            "labels: dw.open_images(table, columns=('path', 'label'))."
        )
    return columns[0], labels


def _column(table: Any, name: str) -> Iterable[Any]:
    values: Iterable[Any] = table[name]
    return values


def _path(value: object, row: int) -> str:
    return os.fspath(as_path(value, f"The path in row {row} of the table", PictureError))


def _names(target: object) -> list[str]:
    parts = target if isinstance(target, tuple | frozenset) else (target,)
    return [part for part in parts if isinstance(part, str)]
