"""The units of a comparison as a table: rows, order, CSV and pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import integer
from deconvwidgets.errors import ComparisonError
from deconvwidgets.figures.csv_table import csv_table, csv_text
from deconvwidgets.figures.data_frames import import_pandas

if TYPE_CHECKING:
    import pandas as pd

    from deconvwidgets.instruments.comparison.records import Comparison, LayerComparison, UnitMatch, UnitSide

Row = dict[str, Any]


def changed_most(pairs: Sequence[LayerComparison], count: object, by: str) -> tuple[tuple[str, UnitMatch], ...]:
    """Return the matched units that changed most, as (layer of a, match), the most changed first."""
    limit = integer(count, "count", 1, error=ComparisonError)
    found = [
        (float(value), number, match)
        for number, pair in enumerate(pairs)
        for match, value in zip(pair.matches, changes(pair, by), strict=False)  # `changes` has those of a, which come first
        if np.isfinite(value)
    ]
    found.sort(key=lambda entry: (-entry[0], entry[1], entry[2].unit_a))
    return tuple((pairs[number].info_a.short_name, match) for _, number, match in found[:limit])


def changes(pair: LayerComparison, by: str) -> NDArray[np.float64]:
    """Return how much each unit of a (U,) differs from its match, larger for more; NaN without one."""
    if by == "correlation":
        return 1 - pair.a.correlation
    if by == "strongest":
        return 1 - pair.strongest
    return np.abs(_of_match(pair, pair.b.share_active) - pair.a.share_active)


def rows(pair: LayerComparison) -> list[Row]:
    """Return a row per unit match of a pair of layers; None for what is missing."""
    return [_row(pair, match) for match in pair.matches]


def to_dataframe(comparison: Comparison, pairs: Sequence[LayerComparison]) -> pd.DataFrame:
    """Return a row per unit match as a DataFrame. Its `attrs` say what was compared."""
    pandas = import_pandas("Tables of a comparison", "comparison.to_csv() returns CSV", ComparisonError)
    frame = pandas.DataFrame([row for pair in pairs for row in rows(pair)])
    for name in ("unit_a", "unit_b", "nearest_b", "nearest_a"):
        frame[name] = pandas.array(frame[name].tolist(), "Int64")
    frame.attrs.update(a=comparison.name_a, b=comparison.name_b, images=comparison.image_set, crops=comparison.crops)
    return frame


def to_csv(pairs: Sequence[LayerComparison]) -> bytes:
    """Return a row per unit match as the bytes of a CSV file."""
    table = [row for pair in pairs for row in rows(pair)]
    return csv_table(list(table[0]) if table else [], [[_cell(value) for value in row.values()] for row in table])


def _row(pair: LayerComparison, match: UnitMatch) -> Row:
    row: Row = {
        "layer_a": pair.info_a.short_name,
        "unit_a": match.unit_a,
        "layer_b": pair.info_b.short_name,
        "unit_b": match.unit_b,
        "correlation": _number(match.correlation),
        "status": match.status,
        "status_b": match.status_b,
        "strongest_in_common": None if match.unit_a is None else _number(pair.strongest[match.unit_a]),
    }
    for side, units, other, unit in (("a", pair.a, "b", match.unit_a), ("b", pair.b, "a", match.unit_b)):
        nearest = -1 if unit is None else int(units.nearest[unit])
        row[f"nearest_{other}"] = nearest if nearest >= 0 else None
        row[f"nearest_correlation_{side}"] = None if unit is None else _number(units.nearest_correlation[unit])
        row.update(_statistics(side, units, unit))
    return row


def _statistics(side: str, units: UnitSide, unit: int | None) -> Row:
    names = ("maximum", "mean", "share_active")
    return {f"{name}_{side}": None if unit is None else _number(getattr(units, name)[unit]) for name in names}


def _of_match(pair: LayerComparison, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values (V,) of the units of b at the matches of the units of a (U,); NaN without one."""
    return np.where(pair.a.match >= 0, np.append(values, np.nan)[pair.a.match], np.nan)


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _cell(value: object) -> object:
    return "" if value is None else csv_text(value) if isinstance(value, str) else value


def median(values: NDArray[np.float64]) -> float:
    """Return the median of the values that are finite; NaN without any."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def joined(whole: UnitSide, parts: UnitSide, status: str) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Return the units of one side that several units of the other are the same as, with these: its match, then those of a status."""
    of: dict[int, list[int]] = {}
    for unit in parts.with_status(status):
        of.setdefault(int(parts.copy_of[unit]), []).append(unit)
    return tuple((unit, (int(whole.match[unit]), *of[unit])) for unit in sorted(of))
