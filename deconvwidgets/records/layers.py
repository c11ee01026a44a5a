"""Layers of a model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """One layer of a model.

    `receptive_field`, `stride` and `offset` are (rows, columns) in input pixels: the unit at position (r, c) sees the
    rows from `offset[0] + r * stride[0]` on, `receptive_field[0]` of them. They are None where a unit sees the
    whole input (fully connected layers) or where the graph could not be followed.
    """

    name: str
    alias: str | None
    kind: str  # "conv", "pool", "fc" or the operation's own name
    channels: int
    height: int
    width: int
    receptive_field: tuple[int, int] | None
    stride: tuple[int, int] | None
    offset: tuple[int, int] | None

    @property
    def short_name(self) -> str:
        """The alias ("conv5") if there is one, else the name."""
        return self.alias or self.name


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """A layer as the explorers list it."""

    info: LayerInfo
    dead: int | None  # units that fire on no photograph; None before the index stands
