"""What a figure shows: units with their nine projections and patches, and the words that say how they came about."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.display import decode_image
from deconvwidgets.errors import LayerError
from deconvwidgets.instruments.layers.records import Contrast, Rule, SourceImage, TopActivations, UnitDetail, UnitTable
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.overview import Overview

Sort = Literal["strongest", "random", "index"]
RULE_WORDS: dict[Rule, str] = {"deconvnet": "deconvnet", "gradient": "gradient", "guided": "guided backpropagation"}


@dataclass(frozen=True, slots=True, eq=False)
class UnitPanel:
    """One unit: two mosaics (S, S, 3) uint8 of `grid` x `grid` tiles, `tile` pixels a side with `gap` between them."""

    unit: int
    projections: NDArray[np.uint8]
    patches: NDArray[np.uint8]
    count: int  # tiles that are filled; 0 for a unit that fired on no photograph
    grid: int
    tile: int
    gap: int
    detail: UnitDetail | None = None

    @classmethod
    def from_records(cls, top: TopActivations, detail: UnitDetail | None = None) -> UnitPanel:
        """A panel from the records that the model service answers with."""
        return cls(
            top.unit, decode_image(top.projections.data), decode_image(top.patches.data), top.count, top.grid, top.tile, top.gap, detail
        )

    @property
    def side(self) -> int:
        """The mosaics' side in pixels."""
        return int(self.projections.shape[0])

    def cell(self, rank: int) -> tuple[int, int]:
        """Left and top of the tile of member `rank`, in mosaic pixels."""
        row, column = divmod(rank, self.grid)
        step = self.tile + self.gap
        return column * step, row * step

    def summary(self) -> str:
        """The unit's strongest value and its commonest label, in a few words."""
        if self.count == 0:
            return "fires on no photograph"
        if self.detail is None:
            return ""
        value = f"{self.detail.maximum:.1f}"
        labels = Counter(entry.label for entry in self.detail.entries if entry.label)
        if not labels:
            return value
        label, times = labels.most_common(1)[0]
        return f"{value} · {label} {times}/{len(self.detail.entries)}" if times > 1 else value

    def describe(self, rank: int) -> str:
        """Member `rank` in words: value, label, photograph."""
        if self.detail is None or rank >= len(self.detail.entries):
            return ""
        entry = self.detail.entries[rank]
        words = [f"#{rank + 1}", f"{entry.value:.2f}"]
        if entry.label:
            words.append(entry.label)
        if entry.prediction:
            share = f" {entry.probability:.0%}" if entry.probability is not None else ""
            words.append(f"seen as {entry.prediction}{share}")
        return " · ".join([*words, entry.source])


@dataclass(frozen=True, slots=True, eq=False)
class FigureSheet:
    """Everything a figure says. `selection` is how the units were chosen, in words ("the 16 strongest of 256 units")."""

    overview: Overview
    layer: str
    rule: Rule
    contrast: Contrast
    panels: tuple[UnitPanel, ...]
    selection: str
    chosen: UnitPanel | None = None
    source: SourceImage | None = None  # the chosen unit's strongest photograph

    @property
    def info(self) -> LayerInfo:
        """The layer that is shown."""
        for summary in self.overview.layers:
            if self.layer in (summary.info.alias, summary.info.name):
                return summary.info
        raise LayerError(f"{self.overview.model} has no layer {self.layer!r}; choose one of {', '.join(self.layer_names())}.")

    @property
    def unit(self) -> UnitPanel:
        """The unit that a figure of one unit shows: the chosen one, else the first."""
        if self.chosen is not None:
            return self.chosen
        if not self.panels:
            raise LayerError(f"There is no unit to draw for {self.layer}; ask for at least one.")
        return self.panels[0]

    def layer_names(self) -> list[str]:
        """The layers as people call them."""
        return [summary.info.alias or summary.info.name for summary in self.overview.layers]

    def title(self) -> str:
        """Model and layer."""
        return f"{self.overview.model} · {self.layer}"

    def geometry(self) -> str:
        """The layer's shape in words."""
        info = self.info
        words = f"{info.channels} units · {info.height} x {info.width}"
        return f"{words} · each sees {info.receptive_field[0]} x {info.receptive_field[1]} px" if info.receptive_field else words

    def caption(self, selection: str | None = None) -> str:
        """What is shown, of what, chosen how, how it was scaled, and whose weights."""
        view = self.overview
        chosen = selection if selection is not None else self.selection
        shown = (
            f"For {chosen}: the strongest {view.k} activations, each from a different photograph, out of {_photographs(view)}. "
            f"Left: projected to pixels ({RULE_WORDS[self.rule]} rule). Right: the patch of the photograph that the unit saw."
        )
        spread = (
            "each tile is scaled by 2.5 of its own" if self.contrast == "tile" else "the nine of a unit are scaled together by 2.5 of their"
        )
        scale = (
            f"Mid-grey is zero; {spread} standard deviations. Positive and negative values are both real: they add to or take from a pixel."
        )
        weights = f"Weights: {view.weights.rstrip('.')}." + ("" if view.trained else " Untrained: the filters are random.")
        return " ".join([shown, scale, weights, "After Zeiler & Fergus 2014, figure 2."])


def _photographs(view: Overview) -> str:
    pictures = f"{view.photographs:,} photograph{'' if view.photographs == 1 else 's'} ({view.images}"
    return pictures + (f", {view.views:,} views)" if view.views != view.photographs else ")")


def choose_units(table: UnitTable, count: int, sort: Sort = "strongest", seed: int = 0) -> tuple[list[int], str]:
    """Units for a figure, and the words that say how they were chosen.

    "strongest": highest activation first. "random": the paper's way, a subset drawn with `seed` among the units that fire,
    in order of their number. "index": the first ones.
    """
    total = len(table.maximum)
    alive = np.flatnonzero(table.fires > 0)
    if count < 1:
        raise LayerError(f"A figure needs at least one unit, not {count}.")
    if sort == "strongest":
        units = np.argsort(-table.maximum, kind="stable")[:count]
        words = f"the {len(units)} strongest of {total} units"
    elif sort == "random":
        units = np.sort(np.random.default_rng(seed).permutation(alive)[:count])
        words = f"{len(units)} of {total} units, drawn at random (seed {seed})"
    elif sort == "index":
        units = np.arange(min(count, total))
        words = f"the first {len(units)} of {total} units"
    else:
        raise LayerError(f"Units cannot be sorted by {sort!r}; choose strongest, random or index.")
    return [int(unit) for unit in units], words
