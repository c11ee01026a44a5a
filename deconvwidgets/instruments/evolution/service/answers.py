"""Rows, curves and histories, from the indexes that are ready."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe, instance, integer, one_of
from deconvwidgets.errors import LayerError, ServiceError
from deconvwidgets.images.image_set import ImageSet, label_name
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.evolution.compute.describe import sample_note
from deconvwidgets.instruments.evolution.compute.epochs import IndexedEpochs
from deconvwidgets.instruments.evolution.compute.strongest import top_contents
from deconvwidgets.instruments.evolution.records import (
    Choose,
    ClassCount,
    ConvergenceCurve,
    ConvergenceCurves,
    EvolutionCell,
    EvolutionRow,
    LayerConvergence,
    Measure,
    StrongestActivations,
    UnitChoice,
    UnitHistory,
)
from deconvwidgets.records.layers import LayerInfo

MAX_COUNT = 256  # units per layer
_NOTES = {
    "correlation": "Median over the units of the correlation of a unit's activations with those at epoch {last}.",
    "same_strongest": "Share of the units whose strongest photograph is that at epoch {last}, by content.",
    "cka": "Linear CKA of the layer's activations with those at epoch {last}.",
}


def rows(epochs: IndexedEpochs, images: ImageSet, choice: UnitChoice) -> list[EvolutionRow]:
    """Return the chosen units, grouped by layer in the order of execution. Raises LayerError or ServiceError for an invalid choice."""
    one_of(instance(choice, UnitChoice, "choice").choose, "choice of units", get_args(Choose))
    if not epochs.indexes:
        return []
    names = [epochs.layer(layer).name for layer in _listed(choice.layers, "layers")]
    infos = [info for info in epochs.layers if not names or info.name in names]
    return [_row(epochs, images, info, unit) for info in infos for unit in _units_of(epochs, info, choice)]


def curves(epochs: IndexedEpochs, measure: Measure) -> ConvergenceCurves:
    """Return a measure of every layer, by epoch."""
    one_of(measure, "measure", get_args(Measure))
    if not epochs.indexes:
        return ConvergenceCurves(measure=measure, epochs=(), against=None, curves=(), samples=0)
    converged = [(info, epochs.convergence(info.name)) for info in epochs.layers]
    last, note = epochs.epochs[-1], _NOTES[measure]
    over = "" if measure == "same_strongest" else f" {sample_note(epochs.last)}"
    return ConvergenceCurves(
        measure=measure,
        epochs=epochs.epochs,
        against=last,
        curves=tuple(_curve(info, one, measure) for info, one in converged),
        samples=converged[0][1].samples,
        note=note.format(last=last) + over,
    )


def history(epochs: IndexedEpochs, layer: str, unit: int) -> UnitHistory:
    """Return one unit at every epoch. Raises LayerError for an unknown layer or unit."""
    info = epochs.layer(layer)
    number = integer(unit, "unit", error=LayerError)
    epochs.last.top(info.name, number)  # refuses an unknown unit
    found, converged, indexes = epochs.strongest(info.name), epochs.convergence(info.name), list(epochs.indexes.values())
    final = top_contents(epochs.last, info.name, number)
    return UnitHistory(
        layer=info.short_name,
        unit=number,
        epochs=epochs.epochs,
        values=tuple(map(float, found.values[number])),
        changed=tuple(map(bool, found.changed[number])),
        final=tuple(len(final & top_contents(index, info.name, number)) for index in indexes),
        final_of=len(final),
        correlation=_optional(converged.unit_correlation[:, number]),
        activation_rate=tuple(float(index.stats(info.name).activation_rate[number]) for index in indexes),
        classes=tuple(_classes(index, info.name, number) for index in indexes),
    )


def _units_of(epochs: IndexedEpochs, info: LayerInfo, choice: UnitChoice) -> Sequence[int]:
    count = integer(choice.count, "count", 1, MAX_COUNT)
    if choice.choose != "chosen":
        return epochs.units(info.name, choice.choose, count, choice.seed)
    pairs = [_pair(epochs, pair) for pair in _listed(choice.units, "units")]
    chosen = [unit for layer, unit in pairs if layer == info.name]
    return epochs.units(info.name, chosen) if chosen else ()


def _pair(epochs: IndexedEpochs, pair: Any) -> tuple[str, int]:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ServiceError(f"units must be pairs of a layer and a unit, such as ('conv2', 13), not {describe(pair)}.")
    return epochs.layer(pair[0]).name, integer(pair[1], "unit", error=LayerError)


def _listed(value: Any, name: str) -> Sequence[Any]:
    if not isinstance(value, tuple | list):
        raise ServiceError(f"{name} must be a list, not {describe(value)}.")
    return value


def _row(epochs: IndexedEpochs, images: ImageSet, info: LayerInfo, unit: int) -> EvolutionRow:
    found = epochs.strongest(info.name)
    cells = [
        _cell(index, images, info, found, unit, column)
        for column, index in enumerate(epochs.indexes.values())
    ]  # fmt: skip
    return EvolutionRow(layer=info.short_name, unit=unit, cells=tuple(cells))


def _cell(
    index: ActivationIndex, images: ImageSet, info: LayerInfo, found: StrongestActivations, unit: int, column: int
) -> EvolutionCell:  # fmt: skip
    top = next(iter(index.top(info.name, unit, 1)), None)
    source = None if top is None else images.crop(top.image).source
    return EvolutionCell(
        epoch=found.epochs[column],
        value=0.0 if top is None else top.value,
        image=None if top is None else top.image,
        source="" if source is None else images.source_name(source),
        label=None if source is None else label_name(images, source),
        row=-1 if top is None else top.row,
        column=-1 if top is None else top.column,
        box=None if top is None else top.box,
        changed=bool(found.changed[unit, column]),
    )


def _curve(info: LayerInfo, converged: LayerConvergence, measure: Measure) -> ConvergenceCurve:
    reached = converged.reached(measure)
    left_out = converged.constant.sum(axis=1).tolist()
    if measure == "same_strongest":
        left_out = [converged.without_strongest] * len(converged.epochs)
    return ConvergenceCurve(
        layer=info.short_name,
        values=_optional(getattr(converged, measure)),
        left_out=tuple(map(int, left_out)),
        reached=None if reached == converged.epochs[-1] else reached,
        units=converged.units,
    )


def _optional(values: NDArray[np.float64]) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else float(value) for value in values)


def _classes(index: ActivationIndex, layer: str, unit: int) -> tuple[ClassCount, ...]:
    return tuple(ClassCount(name=name, count=count) for name, count in index.class_counts(layer, unit).items())
