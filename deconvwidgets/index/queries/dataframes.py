"""Tables of units and of strongest activations as pandas DataFrames."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.figures.data_frames import import_pandas
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.index.queries.columns import class_name, unit_columns
from deconvwidgets.index.queries.places import boxes, checked_k
from deconvwidgets.index.queries.sampled import sampled_layer
from deconvwidgets.records.layers import LayerInfo

if TYPE_CHECKING:
    import pandas as pd

    from deconvwidgets.index.activation_index import ActivationIndex

Table = dict[str, NDArray[Any]]
_TEXTS = ("layer", "alias", "top_class", "file", "label")  # columns of texts, "" for a missing one
_UNITS = ("nearest_unit",)  # columns of numbers of units, -1 for a missing one


def to_dataframe(index: ActivationIndex, layer: str | None) -> pd.DataFrame:
    """Return a row per unit, of one layer or of all."""
    pandas, layers = _pandas(), _layers(index, layer)
    tables = [{**_named(info, info.channels), **unit_columns(index, info.name).columns} for info in layers]
    frame = _frame(pandas, index, tables)
    frame.attrs["samples"] = len(sampled_layer(index, layers[0].name).crops)
    return frame


def top_dataframe(index: ActivationIndex, layer: str | None, k: int | None, images: ImageSet | None) -> pd.DataFrame:
    """Return a row per strongest activation, of the units of one layer or of all."""
    pandas, k = _pandas(), checked_k(k, index.k, "k")
    if images is not None:
        require_images(images)
        if images.digest != index.identity.images:
            built = index.identity.image_set
            raise ActivationIndexError(f"The index was built from the image set {built!r}, not from these images: open that set again.")
    return _frame(pandas, index, [_places(index, info, k, images) for info in _layers(index, layer)])


def _places(index: ActivationIndex, info: LayerInfo, k: int, images: ImageSet | None) -> Table:
    ranking, labels = index.tallies[info.name].ranking, index.labels(info.name)
    at = unit, rank = np.nonzero(ranking.crops[:, :k] >= 0)
    sources, rows, columns = ranking.sources[at], ranking.rows[at], ranking.columns[at]
    left, top, right, bottom = boxes(index.identity.input_size, info, rows, columns).T
    files = {} if images is None else {"file": np.array([images.source_name(int(source)) for source in sources], object)}
    return {
        **_named(info, len(unit)),
        "unit": unit,
        "rank": rank,
        "crop": ranking.crops[at],
        "source": sources,
        **files,
        "label": np.array([class_name(index.categories, int(label)) if label >= 0 else "" for label in labels[at]], object),
        "value": ranking.values[at].astype(np.float32),
        "row": rows,
        "column": columns,
        "left": left,
        "top": top,
        "right": right,
        "bottom": bottom,
    }


def _layers(index: ActivationIndex, layer: str | None) -> Sequence[LayerInfo]:
    return index.layers if layer is None else [index.layer(layer)]


def _named(info: LayerInfo, rows: int) -> Table:
    return {"layer": np.full(rows, info.name, object), "alias": np.full(rows, info.alias or "", object)}


def _frame(pandas: ModuleType, index: ActivationIndex, tables: Sequence[Table]) -> pd.DataFrame:
    """Return tables, one below the other, as a DataFrame. Its `attrs`, which Parquet files keep, say what it was made from."""
    columns: dict[str, Any] = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    for name in columns.keys() & _TEXTS:
        columns[name] = pandas.array([text or None for text in columns[name].tolist()], "string")
    for name in columns.keys() & _UNITS:
        columns[name] = pandas.array([None if unit < 0 else unit for unit in columns[name].tolist()], "Int64")
    frame = pandas.DataFrame(columns)
    frame.attrs.update(model=index.identity.model, images=index.identity.image_set, crops=index.crops)
    return frame


def _pandas() -> ModuleType:
    return import_pandas("Tables of an index", "index.unit_columns() returns arrays", ActivationIndexError)
