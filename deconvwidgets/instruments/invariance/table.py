"""The curves as a table: a row per photograph, layer and amount."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from deconvwidgets.errors import InvarianceError
from deconvwidgets.figures.csv_table import csv_table, csv_text

if TYPE_CHECKING:
    import pandas as pd

    from deconvwidgets.instruments.invariance.records import InvarianceCurves

COLUMNS = ("photograph", "transform", "amount", "unit", "layer", "distance", "relative distance", "norm", "class", "class from", "score")


def rows(curves: InvarianceCurves) -> Iterator[tuple[Any, ...]]:
    """Iterate over the rows, in the order of `COLUMNS`; None where there is no class."""
    for one in curves.photographs:
        origin = None if one.target is None else "label" if one.labelled else "predicted"
        relative = one.relative
        for number, layer in enumerate(curves.layers):
            for place, amount in enumerate(curves.amounts.tolist()):
                score = None if one.scores is None else float(one.scores[place])
                values = (float(one.distances[number, place]), float(relative[number, place]), float(one.norms[number]))
                yield (one.name, curves.transform, amount, curves.kind.unit, layer, *values, one.target, origin, score)


def to_dataframe(curves: InvarianceCurves) -> pd.DataFrame:
    """Return the table as a data frame. Raises InvarianceError if pandas is not installed."""
    try:
        pandas = import_module("pandas")
    except ImportError as error:
        raise InvarianceError(
            "A data frame needs pandas: pip install 'deconvwidgets[dataframe]'. Without it, curves.save('curves.csv') writes the table."
        ) from error
    frame: pd.DataFrame = pandas.DataFrame(list(rows(curves)), columns=list(COLUMNS))
    frame.attrs.update(model=curves.model, images=curves.images, fill=curves.fill)
    return frame


def to_csv(curves: InvarianceCurves) -> bytes:
    """Return the table as the bytes of a CSV file."""
    return csv_table(COLUMNS, ([_cell(value) for value in row] for row in rows(curves)))


def _cell(value: Any) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.9g}"
    return "" if value is None else csv_text(value)
