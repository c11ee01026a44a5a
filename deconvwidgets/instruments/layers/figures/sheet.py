"""The content of a figure: units with the projections and patches of their strongest activations, and the text that describes them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.display import decode_image
from deconvwidgets.errors import LayerError
from deconvwidgets.instruments.layers.records import SourceImage, UnitDetail
from deconvwidgets.records.layers import LayerInfo, LayerSummary
from deconvwidgets.records.mosaics import Contrast, Rule, TopActivations
from deconvwidgets.records.overview import Overview
from deconvwidgets.records.quantity import format_percent
from deconvwidgets.records.units import units_sentence

_NAMED_LAYERS = 3  # up to this number of layers are listed in a title
RULE_NAMES: dict[Rule, str] = {
    "deconvnet": "deconvnet",
    "gradient": "gradient",
    "guided": "guided backpropagation",
    "extended": "deconvnet, extended beyond the paper",
}


@dataclass(frozen=True, slots=True, eq=False)
class UnitPanel:
    """One unit, with two mosaics (S, S, 3) uint8 of `grid` x `grid` tiles, `tile` pixels a side with `gap` pixels between them."""

    unit: int
    projections: NDArray[np.uint8]
    patches: NDArray[np.uint8]
    count: int  # number of activations; 0 for a dead unit
    grid: int
    tile: int
    gap: int
    detail: UnitDetail | None = None
    layer: str = ""
    sources: tuple[SourceImage, ...] = ()  # the photographs of the activations, for a page; else empty

    @classmethod
    def from_records(cls, top: TopActivations, detail: UnitDetail | None = None, sources: tuple[SourceImage, ...] = ()) -> UnitPanel:
        """Return a panel from the records of the model service."""
        projections, patches = decode_image(top.projections.data), decode_image(top.patches.data)
        return cls(top.unit, projections, patches, top.count, top.grid, top.tile, top.gap, detail, top.layer, sources)

    @property
    def side(self) -> int:
        """The side of the mosaics in pixels."""
        return int(self.projections.shape[0])

    def cell(self, rank: int) -> tuple[int, int]:
        """Return the left and top edge of the tile of the activation of `rank` (0 is the strongest), in pixels of the mosaic."""
        row, column = divmod(rank, self.grid)
        step = self.tile + self.gap
        return column * step, row * step

    def summary(self) -> str:
        """Return the unit's strongest activation and its most frequent label, such as "30.0 · tabby cat 5/9"."""
        if self.count == 0:
            return "inactive in every crop"
        if self.detail is None:
            return ""
        value = f"{self.detail.maximum:.1f}"
        labels = Counter(entry.label for entry in self.detail.entries if entry.label)
        if not labels:
            return value
        label, times = labels.most_common(1)[0]
        return f"{value} · {label} {times}/{len(self.detail.entries)}" if times > 1 else value

    def describe(self, rank: int) -> str:
        """Return the rank, value, label, predicted class and photograph of an activation; empty if they are not known."""
        if self.detail is None or rank >= len(self.detail.entries):
            return ""
        entry = self.detail.entries[rank]
        parts = [f"#{rank + 1}", f"{entry.value:.2f}"]
        if entry.label:
            parts.append(entry.label)
        if entry.prediction:
            probability = f" {format_percent(entry.probability)}" if entry.probability is not None else ""
            parts.append(f"predicted {entry.prediction}{probability}")
        return " · ".join([*parts, entry.source])


@dataclass(frozen=True, slots=True, eq=False)
class FigureSheet:
    """The content of a figure. `selection` describes how the units were selected ("the 16 strongest of 256 units")."""

    overview: Overview
    layer: str  # "": the panels are of several layers
    rule: Rule
    contrast: Contrast
    panels: tuple[UnitPanel, ...]
    selection: str
    chosen: UnitPanel | None = None
    source: SourceImage | None = None  # the photograph of the chosen unit's strongest activation

    @property
    def layers(self) -> tuple[LayerSummary, ...]:
        """The listed layers, and this one if it is another."""
        return (*self.overview.layers, *(summary for summary in self.overview.opened if summary.has_name(self.layer)))

    @property
    def info(self) -> LayerInfo:
        """The layer."""
        return self.layer_info(self.layer)

    def layer_info(self, layer: str) -> LayerInfo:
        """Return a layer of the model. Raises LayerError for an unknown one."""
        for summary in self.layers:
            if summary.has_name(layer):
                return summary.info
        raise LayerError(f"{self.overview.model} has no layer {layer!r}; choose one of {', '.join(self.layer_names())}.")

    @property
    def unit(self) -> UnitPanel:
        """The unit of a figure of one unit: the chosen one, or else the first."""
        if self.chosen is not None:
            return self.chosen
        if not self.panels:
            raise LayerError(f"There is no unit of {self.layer} to draw; select at least one.")
        return self.panels[0]

    def layer_names(self) -> list[str]:
        """Return the aliases of the model's layers, or their dotted names if they have none."""
        return [summary.short_name for summary in self.layers]

    def rows(self) -> list[tuple[str, list[UnitPanel]]]:
        """Return the panels of each layer, in the order in which the layers occur."""
        rows: dict[str, list[UnitPanel]] = {}
        for panel in self.panels:
            rows.setdefault(panel.layer or self.layer, []).append(panel)
        return list(rows.items())

    def title(self) -> str:
        """Return the model and the layer, or the first and the last of several layers."""
        names = [layer for layer, _ in self.rows()]
        if self.layer or not names:
            return " · ".join(filter(None, (self.overview.label, self.layer)))
        return f"{self.overview.label} · {', '.join(names) if len(names) <= _NAMED_LAYERS else f'{names[0]} to {names[-1]}'}"

    def unit_name(self, panel: UnitPanel) -> str:
        """Return the number of a unit, after its layer if the panels are of several layers."""
        return str(panel.unit) if self.layer else f"{panel.layer} · unit {panel.unit}"

    def geometry(self, layer: str | None = None) -> str:
        """Return the number of units, the size of the feature maps, and the receptive field of the layer; of several, their number."""
        layer = self.layer if layer is None else layer
        if not layer:
            layers, units = len(self.rows()), len(self.panels)
            return f"{layers} layer{'' if layers == 1 else 's'}, {units} unit{'' if units == 1 else 's'}"
        info = self.layer_info(layer)
        size = f"{info.channels} units · {info.height} x {info.width} map"
        field = info.receptive_field
        if not field:
            return f"{size} · receptive field: whole input"
        return f"{size} · receptive field {field[0] if field[0] == field[1] else f'{field[0]} x {field[1]}'} px"

    @property
    def image_unit(self) -> str:
        """What is counted in statistics: "crop", or "photograph" if each has one crop."""
        return "crop" if self.overview.crops > self.overview.photographs else "photograph"

    def caption(self, selection: str | None = None) -> str:
        """Return what is shown, how the units were selected, how the tiles are scaled, and the origin of the weights."""
        overview = self.overview
        content = (
            f"For {self.selection if selection is None else selection}: the strongest {overview.k} activations, each from a different "
            f"photograph, out of {_photographs(overview)}. Left: projected to pixel space ({RULE_NAMES[self.rule]} rule). "
            "Right: the patch of the photograph in the unit's receptive field."
        )
        scale = (
            "each tile is scaled by 2.5 of its own standard deviations"
            if self.contrast == "tile"
            else "the tiles of a unit are scaled together by 2.5 standard deviations"
        )
        contrast = f"Mid-gray is zero, brighter is positive, darker is negative; {scale}."
        weights = f"Weights: {overview.weights.rstrip('.')}."
        units = [units_sentence(overview.units), "The strongest activations are those with all units on."] if overview.units else []
        return " ".join([content, contrast, *units, weights, "After Zeiler & Fergus 2014, figure 2."])


def _photographs(overview: Overview) -> str:
    count = f"{overview.photographs:,} photograph{'' if overview.photographs == 1 else 's'} ({overview.images}"
    return count + (f", {overview.crops:,} crops)" if overview.crops != overview.photographs else ")")
