"""What a page shows of the positions of the maps: the values and the most probable classes with a window at each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from deconvwidgets.instruments.occlusion.figures.pixels import map_edges
from deconvwidgets.instruments.occlusion.figures.sheet import OcclusionSheet, format_activity
from deconvwidgets.instruments.occlusion.records import OcclusionMaps
from deconvwidgets.records.quantity import format_percent

Entry = tuple[int, float, str]  # a class, its probability or value, and the same as text


def has_positions(sheet: OcclusionSheet) -> bool:
    """Return whether any position of the maps has been computed."""
    return sheet.maps is not None and sheet.maps.done > 0


def position_data(sheet: OcclusionSheet) -> dict[str, Any] | None:
    """Return the data of the page's script; None without maps. Positions that have not been computed have empty texts and lists."""
    maps = sheet.maps
    if maps is None or not maps.done:
        return None
    scores = [[_scores(sheet, maps, row, column) for column in range(maps.activity.shape[1])] for row in range(maps.activity.shape[0])]
    listed = sorted({label for row in scores for entries in row for label, *_ in entries})
    before = {share.label: share.before for share in sheet.scene.classes}
    if sheet.top_classes is not None:
        before |= {label: float(sheet.top_classes.before[label]) for label in listed}
    return {
        "size": list(sheet.size),
        "edges": [float(edge) for edge in map_edges(maps)],
        "stride": list(maps.stride),
        "window": list(maps.window),
        "bars": sheet.has_classes,
        "target": maps.target,
        "values": _value_texts(sheet, maps),
        "scores": scores,
        "names": {label: maps.name(label) for label in listed},
        "before": {label: [before[label], sheet.quantity.format(before[label])] for label in listed if label in before},
        "start": _start(sheet, maps),
    }


def _scores(sheet: OcclusionSheet, maps: OcclusionMaps, row: int, column: int) -> list[Entry]:
    """Return the most probable classes with a window at a position, and the target; of a regression the target."""
    entries: dict[int, float] = {}
    if sheet.top_classes is not None:
        labels, probabilities = sheet.top_classes.labels[row, column], sheet.top_classes.probabilities[row, column]
        entries = {int(label): float(share) for label, share in zip(labels, probabilities, strict=True) if label >= 0}
    elif maps.label is not None and maps.label_probability is not None and maps.label[row, column] >= 0:
        entries = {int(maps.label[row, column]): float(maps.label_probability[row, column])}
    target = None if maps.scores is None else float(maps.scores[row, column])
    if maps.target is not None and target is not None and np.isfinite(target):
        entries.setdefault(maps.target, target)
    ordered = sorted(entries.items(), key=lambda item: -item[1])
    return [(label, score, sheet.quantity.format(score)) for label, score in ordered]


def _value_texts(sheet: OcclusionSheet, maps: OcclusionMaps) -> dict[str, list[list[str]]]:
    values = {"activity": _texts(maps.activity, format_activity)}
    if maps.scores is not None:
        values[sheet.target_map] = _texts(maps.scores, sheet.quantity.format)
    for name, compared in (("against", maps.against_scores), ("difference", maps.difference)):
        if compared is not None:
            values[name] = _texts(compared, sheet.quantity.format)
    if maps.label is not None and maps.label_probability is not None:
        shares = _texts(maps.label_probability, format_percent)
        values["label"] = [
            [f"{maps.name(int(label))}, {share}" if label >= 0 else "" for label, share in zip(labels, row, strict=True)]
            for labels, row in zip(maps.label.tolist(), shares, strict=True)
        ]
    return values


def _texts(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]], text: Callable[[float], str]) -> list[list[str]]:
    return [[text(value) if np.isfinite(value) else "" for value in row] for row in values.tolist()]


def _start(sheet: OcclusionSheet, maps: OcclusionMaps) -> list[int]:
    """Return the first position of the patch: the nearest to the sheet's first patch, or the one with the smallest target or activity."""
    known = np.isfinite(maps.activity)
    if sheet.boxes:
        left, top, right, bottom = sheet.boxes[0]
        distance = np.square(maps.centres - [(top + bottom) / 2, (left + right) / 2]).sum(axis=-1)
    else:
        distance = maps.activity if maps.scores is None else maps.scores
    index = int(np.argmin(np.where(known, distance, np.inf)))
    return [index // maps.activity.shape[1], index % maps.activity.shape[1]]
