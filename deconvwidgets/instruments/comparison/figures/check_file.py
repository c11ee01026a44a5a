"""A check as a file: an HTML page, JSON, a table, a JUnit report, or lines for GitHub's log."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from deconvwidgets.arguments import instance, one_of
from deconvwidgets.errors import ComparisonError
from deconvwidgets.figures.characters import replace_invalid
from deconvwidgets.figures.csv_table import csv_table, csv_text
from deconvwidgets.instruments.comparison.check_records import STATUSES, LayerCheck, UnitCheck
from deconvwidgets.instruments.comparison.figures.check_page import check_page

KINDS = ("html", "json", "csv", "xml")
_COLUMNS = (
    "layer", "alias", "unit", "status", "match", "correlation", "same_photographs", "projections_correlation", "mean_before", "mean_after",
    "maximum_before", "maximum_after", "share_active_before", "share_active_after", "reason",
)  # fmt: skip


def check_file(check: UnitCheck, kind: str = "html") -> bytes:
    """Return a check as the bytes of a file.

    Parameters
    ----------
    check : UnitCheck
        What `dw.check` returned.
    kind : {"html", "json", "csv", "xml"}
        A page with the changed units before and after, which loads nothing; all numbers; a table with a row per unit; or a JUnit report,
        with a test per layer, that CI systems show.

    Raises
    ------
    ComparisonError
        For an unknown kind, and for anything but a check.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> bundle, images = dw.load_model("alexnet"), dw.open_images("photos", limit=2)
    >>> frozen = dw.freeze(bundle, images, "units.json", layers=["conv1"], projections=0, progress=False)
    >>> found = dw.check("units.json", bundle, images, progress=False)
    >>> dw.check_file(found, "csv").decode().splitlines()[1][:26]
    'features.1,conv1,0,kept,0,'
    """
    found = instance(check, UnitCheck, "check", ComparisonError)
    one_of(kind, "kind", KINDS, ComparisonError)
    writers = {"html": check_page, "json": check_json, "csv": check_csv, "xml": check_junit}
    return writers[kind](found)


def check_json(check: UnitCheck) -> bytes:
    """Return all numbers as JSON; what is not known is null."""
    content = {
        "format": "deconvwidgets unit check",
        "version": 1,
        "passed": check.passed,
        "frozen": {"model": check.frozen_model, "weights": check.frozen_weights, "trained": check.frozen_trained},
        "model": {"model": check.model, "weights": check.weights, "trained": check.trained},
        "images": {"name": check.image_set, "crops": check.crops},
        "limits": {name: getattr(check.limits, name) for name in ("correlation", "overlap", "likeness", "scale")},
        "verdicts": [
            {"kind": one.kind, "found": one.found, "allowed": one.allowed, "limit": str(one.limit), "passed": one.passed}
            for one in check.verdicts
        ],
        "notes": list(check.notes),
        "layers": [_layer_content(layer) for layer in check.layers],
    }
    return (json.dumps(_plain(content), ensure_ascii=True, allow_nan=False, indent=1) + "\n").encode()


def check_csv(check: UnitCheck) -> bytes:
    """Return a table with a row per frozen unit."""
    rows = ([_cell(row[name]) for name in _COLUMNS] for layer in check.layers for row in _rows(layer))
    return csv_table(_COLUMNS, rows)


def check_junit(check: UnitCheck) -> bytes:
    """Return a JUnit report: a test per layer and limit, which fails for a layer with such units if the limit is exceeded."""
    tests = list(_tests(check))
    failures = sum(bool(message) for _, _, message in tests)
    cases = "".join(
        f"  <testcase classname={quoteattr(layer)} name={quoteattr(name)}>{f'<failure message={quoteattr(message)}/>' if message else ''}"
        "</testcase>\n"
        for layer, name, message in tests
    )
    suite = f'<testsuite name={quoteattr(f"units of {check.model}")} tests="{len(tests)}" failures="{failures}" errors="0">'
    return replace_invalid(f'<?xml version="1.0" encoding="UTF-8"?>\n{suite}\n{cases}</testsuite>\n').encode()


def github_lines(check: UnitCheck) -> Iterator[str]:
    """Iterate over workflow commands of GitHub Actions: an error per exceeded limit and layer."""
    for layer, name, message in _tests(check):
        if message:
            yield f"::error title={_github(f'{layer}: {name}', ':,')}::{_github(message)}"


def summary_lines(check: UnitCheck) -> Iterator[str]:
    """Iterate over the lines of a summary: a table of the layers, the limits, the notes, and the verdict."""
    header = ("layer", "units", *STATUSES[:6], "split", "median r")
    table = [header, *map(_summary_cells, check.layers)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        yield "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))])
    yield from check.notes
    for one in check.verdicts:
        if one.limit.count is not None or one.limit.percent is not None:
            yield f"{one.kind}: {one.found:,} of {check.units:,} units, {one.allowed:,} allowed{'' if one.passed else ' - EXCEEDED'}"
    yield f"{'Passed' if check.passed else 'Failed'}: {check.model} against {check.frozen_model}"


def _summary_cells(layer: LayerCheck) -> tuple[str, ...]:
    counts = [len(layer.status), *(len(layer.units(status)) for status in STATUSES[:6]), len(layer.copies)]
    values = layer.correlation[np.isfinite(layer.correlation)]
    return (layer.info.short_name, *(f"{count:,}" for count in counts), f"{np.median(values):.3f}" if len(values) else "")


def _tests(check: UnitCheck) -> Iterator[tuple[str, str, str]]:
    """Iterate over (layer, name of the test, message of its failure or "")."""
    for verdict in check.verdicts:
        for layer in check.layers:
            units = _of_kind(layer, verdict.kind)
            message = ""
            if units and not verdict.passed:
                message = (
                    f"{len(units)} of {layer.active} units {verdict.kind}: {_listed(units)}. {verdict.found} in all layers, "
                    f"{verdict.allowed} allowed ({verdict.limit})"
                )
            yield layer.info.short_name, f"units {verdict.kind}", message


def _of_kind(layer: LayerCheck, kind: str) -> tuple[int, ...]:
    if kind == "split":
        return tuple(unit for unit, _ in layer.copies)
    return layer.units("changed", "lost", "merged") if kind == "changed" else layer.units(kind)


def _listed(units: tuple[int, ...], limit: int = 20) -> str:
    return ", ".join(map(str, units[:limit])) + (f" and {len(units) - limit} more" if len(units) > limit else "")


def _layer_content(layer: LayerCheck) -> dict[str, Any]:
    return {
        "name": layer.info.name,
        "alias": layer.info.alias,
        "new_name": layer.info_new.name,
        "same_weights": layer.same_weights,
        "counts": {status: len(layer.units(status)) for status in STATUSES},
        "split": {str(unit): [int(layer.match[unit]), *others] for unit, others in layer.copies},
        "new": list(layer.new),
        "units": [{name: value for name, value in row.items() if name not in ("layer", "alias")} for row in _rows(layer)],
    }


def _rows(layer: LayerCheck) -> Iterator[dict[str, Any]]:
    before, after = layer.before, layer.after
    for unit, (status, match) in enumerate(zip(layer.status.tolist(), layer.match.tolist(), strict=True)):
        row: dict[str, Any] = {
            "layer": layer.info.name,
            "alias": layer.info.alias or "",
            "unit": unit,
            "status": status,
            "match": match if match >= 0 else None,
            "correlation": float(layer.correlation[unit]),
            "same_photographs": float(layer.overlap[unit]),
            "projections_correlation": float(layer.likeness[unit]),
        }
        for name in ("mean", "maximum", "share_active"):
            row[f"{name}_before"] = float(getattr(before, name)[unit])
            row[f"{name}_after"] = float(getattr(after, name)[match]) if match >= 0 else None
        yield {**row, "reason": layer.reasons[unit]}


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return csv_text(value) if isinstance(value, str) else "" if value is None else value


def _plain(value: Any) -> Any:
    """Return a value with None in place of NaN and infinity, and with six significant digits."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return replace_invalid(value) if isinstance(value, str) else value


def _github(text: str, also: str = "") -> str:
    """Return a text escaped for a workflow command."""
    return "".join(f"%{ord(character):02X}" if character in f"%\r\n{also}" else character for character in text)
