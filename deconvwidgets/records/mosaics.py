"""A unit's strongest activations as mosaics of projections and patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deconvwidgets.records.images import EncodedImage

# "extended" is "deconvnet" with our extension to operations that the paper does not have: `beyond_paper=True` of `dw.project`.
Rule = Literal["deconvnet", "gradient", "guided", "extended"]
Contrast = Literal["tile", "shared"]
Part = Literal["projections", "patches"]


@dataclass(frozen=True, slots=True)
class MosaicRequest:
    """A request for mosaics of a unit's strongest activations. Only `parts` are computed."""

    layer: str
    unit: int
    rule: Rule = "deconvnet"
    contrast: Contrast = "tile"
    tile: int = 54  # pixels a side
    parts: tuple[Part, ...] = ("projections", "patches")
    partial: bool = False  # while the index is built, those of the crops so far
    refresh: bool = False  # the request is not an action of the user


@dataclass(frozen=True, slots=True)
class TopActivations:
    """A unit's strongest activations as two mosaics of `grid` x `grid` tiles, `tile` pixels a side with `gap` pixels between them."""

    layer: str
    unit: int
    rule: str
    count: int  # number of activations; a dead unit has none
    grid: int
    tile: int
    gap: int
    projections: EncodedImage
    patches: EncodedImage
