"""A diagnosis, or several beside each other, as a file: an HTML page, JSON, a table or a picture."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from deconvwidgets.arguments import describe, flag, instance, one_of
from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.errors import DiagnosisError
from deconvwidgets.figures.characters import replace_invalid
from deconvwidgets.figures.csv_table import csv_table, csv_text
from deconvwidgets.figures.raster import to_png
from deconvwidgets.instruments.diagnosis.figures.beside_page import beside_page
from deconvwidgets.instruments.diagnosis.figures.beside_picture import beside_drawing
from deconvwidgets.instruments.diagnosis.figures.page import diagnosis_page
from deconvwidgets.instruments.diagnosis.figures.picture import diagnosis_drawing
from deconvwidgets.instruments.diagnosis.records import Diagnosis
from deconvwidgets.paths import as_path, kind_of, parent_of

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("html", "json", "csv", "png")
MOST = 6  # diagnoses beside each other: a picture would be too wide to be read
_COLUMNS = ("check", "level", "title", "count", "layer", "unit", "value", "text", "summary", "evidence")


def diagnosis_file(diagnosis: Diagnosis | Sequence[Diagnosis], kind: str = "html") -> bytes:
    """Return a diagnosis, or several beside each other, as the bytes of a file.

    Parameters
    ----------
    diagnosis : Diagnosis, or sequence of Diagnosis
        What `dw.diagnose` returned; or 2 to 6 of these, of different models: first-layer filters by frequency, their energy with what the
        stride carries, the aliased share, and the findings' counts, in a column for each model.
    kind : {"html", "json", "csv", "png"}
        A page that loads nothing; all numbers; a table with a row per finding and unit that it names; or a picture. Of several diagnoses,
        the numbers are {"diagnoses": [...]}, and the table has a first column "model".

    Raises
    ------
    DiagnosisError
        For an unknown kind, and for anything but a diagnosis, or 2 to 6 different ones.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> found = dw.diagnose(dw.load_model("alexnet"), dw.open_images("photos", limit=3), layers=["conv1", "conv2"], shift_photographs=1)
    >>> dw.diagnosis_file(found, "csv").decode().splitlines()[0]
    'check,level,title,count,layer,unit,value,text,summary,evidence'
    """
    one_of(kind, "kind", KINDS, DiagnosisError)
    if isinstance(diagnosis, list | tuple):
        return _several(_checked(diagnosis), kind)
    found = instance(diagnosis, Diagnosis, "diagnosis", DiagnosisError)
    if kind == "html":
        return diagnosis_page(found)
    if kind == "png":
        return to_png(diagnosis_drawing(found))
    return _json(_plain(found)) if kind == "json" else _table(_COLUMNS, _rows(found))


def _checked(diagnoses: Sequence[object]) -> list[Diagnosis]:
    """Return several diagnoses. Raises DiagnosisError for others than 2 to 6 different ones."""
    if not 2 <= len(diagnoses) <= MOST:
        raise DiagnosisError(f"diagnosis must be a Diagnosis, or 2 to {MOST} of them in a list, not {len(diagnoses)} in a list.")
    found = [instance(one, Diagnosis, f"diagnosis[{place}]", DiagnosisError) for place, one in enumerate(diagnoses)]
    for place, one in enumerate(found):
        if any(one is other for other in found[:place]):
            raise DiagnosisError(f"diagnosis[{place}], of {one.model}, is given twice: give each diagnosis once.")
    return found


def _several(diagnoses: Sequence[Diagnosis], kind: str) -> bytes:
    if kind == "html":
        return beside_page(diagnoses)
    if kind == "png":
        return to_png(beside_drawing(diagnoses))
    if kind == "json":
        return _json({"diagnoses": [_plain(one) for one in diagnoses]})
    return _table(("model", *_COLUMNS), [(one.model, *row) for one in diagnoses for row in _rows(one)])


def save(diagnosis: Diagnosis, path: str | os.PathLike[str], overwrite: bool) -> None:
    """Write a diagnosis to a file, of the kind that its ending says."""
    target, replace = as_path(path, "path", DiagnosisError), flag(overwrite, "overwrite", DiagnosisError)
    kind = target.suffix.lower().removeprefix(".")
    if kind not in KINDS:
        raise DiagnosisError(f"path must end with .html, .json, .csv or .png, not {describe(target.name)}.")
    if not parent_of(target).is_dir():
        raise DiagnosisError(f"The folder of {target} does not exist; create it first.")
    if kind_of(target) not in (None, "file") or (kind_of(target) == "file" and not replace):
        raise DiagnosisError(f"{target} exists. Replace a file with overwrite=True, or choose another name.")
    try:
        write_atomic(target, diagnosis_file(diagnosis, kind))
    except OSError as error:
        hint = way_on(error, "Choose a folder with write permission")
        raise DiagnosisError(f"{target} cannot be written ({error.strerror}). {hint}.") from error


def to_dataframe(diagnosis: Diagnosis) -> pd.DataFrame:
    """Return a row per finding and unit that it names as a DataFrame. Its `attrs` say what was diagnosed."""
    try:
        pandas = import_module("pandas")
    except ImportError as error:
        raise DiagnosisError(
            "Tables of a diagnosis need pandas: pip install 'deconvwidgets[dataframe]'. Without it, dw.diagnosis_file(found, 'csv') is CSV."
        ) from error
    frame = pandas.DataFrame(_rows(diagnosis), columns=list(_COLUMNS))
    frame["unit"] = pandas.array(frame["unit"].tolist(), "Int64")
    frame.attrs.update(model=diagnosis.model, images=diagnosis.image_set, photographs=diagnosis.photographs)
    return frame


def _rows(diagnosis: Diagnosis) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for finding in diagnosis.findings:
        start = (finding.check, finding.level, finding.title, finding.count_text)
        end = (finding.summary, finding.evidence)
        for unit in finding.units:
            rows.append((*start, unit.layer, unit.unit, unit.value, unit.text, *end))
        if not finding.units:
            rows.append((*start, None, None, None, None, *end))
    return rows


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    return csv_table(columns, ([_cell(value) for value in row] for row in rows))


def _cell(value: object) -> object:
    return "" if value is None else csv_text(value) if isinstance(value, str) else value


def _json(plain: Mapping[str, Any]) -> bytes:
    content = {"format": "deconvwidgets diagnosis", "version": 1, **plain}
    return (json.dumps(content, ensure_ascii=True, allow_nan=False, indent=1) + "\n").encode()


def _plain(value: Any) -> Any:
    """Return a record as dicts, lists, numbers and texts; what is not finite as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return replace_invalid(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
