"""The content of a figure: units by layer, the numbers of the layers, and the text that describes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.display import decode_image
from deconvwidgets.instruments.evolution.records import (
    CellKey,
    ConvergenceCurve,
    EpochColumn,
    EvolutionCell,
    EvolutionFigure,
    EvolutionRow,
)
from deconvwidgets.records.images import EncodedImage

_MEASURES = {
    "correlation": "correlation with {unit} {last}",
    "same_strongest": "units with the strongest image of {unit} {last}",
    "cka": "linear CKA with {unit} {last}",
}


@dataclass(frozen=True, slots=True)
class LayerRows:
    """The rows of a layer, and how far it has converged at each epoch that is ready."""

    layer: str
    rows: tuple[EvolutionRow, ...]
    curve: ConvergenceCurve | None


def layer_rows(figure: EvolutionFigure) -> list[LayerRows]:
    """Return the rows of each layer, in their order."""
    names = dict.fromkeys(row.layer for row in figure.rows)
    curves = {curve.layer: curve for curve in figure.curves.curves}
    return [LayerRows(name, tuple(row for row in figure.rows if row.layer == name), curves.get(name)) for name in names]


def ready_columns(figure: EvolutionFigure) -> list[EpochColumn]:
    """Return the columns of the epochs that are ready."""
    return [column for column in figure.overview.epochs if column.state == "ready"]


def heading(column: EpochColumn) -> str:
    """Return the heading of a column."""
    return f"{column.epoch}" if column.trained else f"{column.epoch} (random)"


def pictures_of(figure: EvolutionFigure, row: EvolutionRow, cell: EvolutionCell) -> list[tuple[str, NDArray[np.uint8]]]:
    """Return the pictures of a cell that the state shows: the part and the pixels (h, w, 3); a patch alone, or after a projection."""
    picture = figure.pictures.get(CellKey(cell.epoch, row.layer, row.unit))
    if picture is None:
        return []
    show = figure.state["show"]
    shown: list[tuple[str, EncodedImage | None]] = [
        ("projection", picture.projection if show != "patches" else None),
        ("patch", picture.patch if show != "projections" else None),
    ]
    return [(part, decode_image(image.data)) for part, image in shown if image is not None]


def jumps(row: EvolutionRow) -> str:
    """Return how often the strongest image of a unit changed."""
    if all(cell.image is None for cell in row.cells):
        return "inactive"
    count = len(row.jumps)
    return f"{count} jump{'' if count == 1 else 's'}" if len(row.cells) > 1 else ""


def describe(figure: EvolutionFigure, row: EvolutionRow, cell: EvolutionCell) -> str:
    """Return what a cell shows, in words."""
    name = f"{row.layer} unit {row.unit}, {figure.overview.unit} {cell.epoch}"
    if cell.image is None:
        return f"{name}: no activation in these images"
    changed = " · another image became the strongest" if cell.changed else ""
    return f"{name}: {cell.value:.3g} · {cell.label or cell.source}{changed}"


def measure_name(figure: EvolutionFigure) -> str:
    """Return what the numbers of the layers are; empty before two epochs are ready."""
    curves = figure.curves
    return (
        ""
        if curves.against is None or len(curves.epochs) < 2
        else _MEASURES[curves.measure].format(last=curves.against, unit=figure.overview.unit)
    )


def title(figure: EvolutionFigure) -> str:
    """Return the title."""
    return f"{figure.overview.name} · features by {figure.overview.unit}"


def subtitle(figure: EvolutionFigure) -> str:
    """Return the image set and which units are shown."""
    overview, state = figure.overview, figure.state
    units = {"random": f"units at random (seed {state['seed']})", "changed": "the units that changed most", "chosen": "chosen units"}
    return f"{overview.images} · strongest of {overview.photographs:,} images · {units[state['choose']]}"


def caption(figure: EvolutionFigure) -> str:
    """Return what is shown, and how the tiles are scaled."""
    overview, show = figure.overview, figure.state["show"]
    content = {
        "projections": "projected to pixel space (deconvnet rule)",
        "patches": "the patch of the image in the unit's receptive field",
        "both": "projected to pixel space (deconvnet rule), with the patch of the image in the corner",
    }[show]
    parts = [
        f"The strongest activation of each unit over the images at each {overview.unit}, {content}. "
        "A frame marks where another image became the strongest: that is a change of image, not always of what the unit looks for."
    ]
    if show != "patches":
        parts.append("Mid-gray is zero; each tile is scaled by 2.5 of its own standard deviations.")
    if measure_name(figure):
        parts.append(f"The number above a column is the layer's {measure_name(figure)}. {figure.curves.note}".rstrip())
    random = [str(column.epoch) for column in overview.epochs if not column.trained]
    if random:
        parts.append(f"The weights of {overview.unit} {', '.join(random)} are random.")
    failed = [f"{overview.unit} {column.epoch}: {column.message}" for column in overview.epochs if column.state == "failed"]
    if failed:
        parts.append(f"Left out: {'; '.join(failed)}")
    parts.append(f"Weights: {overview.weights.rstrip('.')}. After Zeiler & Fergus 2014, figure 4.")
    return " ".join(parts)
