"""Layers of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """One layer of a model.

    `receptive_field`, `stride` and `offset` are (rows, columns) in input pixels: the receptive field at position (row, column) of a
    feature map starts at row `offset[0] + row * stride[0]` and has `receptive_field[0]` rows. They are None if the receptive field is
    the whole input (fully connected layers) or if the model could not be traced.
    """

    name: str
    alias: str | None
    kind: str  # "conv", "pool", "fc" or the name of the operation
    channels: int
    height: int
    width: int
    receptive_field: tuple[int, int] | None
    stride: tuple[int, int] | None
    offset: tuple[int, int] | None

    @property
    def short_name(self) -> str:
        """The alias ("conv5") if there is one, otherwise the name."""
        return self.alias or self.name


def map_extent(info: LayerInfo, shape: Sequence[int], input_size: Sequence[int]) -> tuple[float, float, float, float]:
    """Return the area of the input that a feature map covers: left, top, right, bottom as shares of the input's width and height.

    Each value covers one stride, around the centre of its receptive field. A map whose receptive fields are the whole input covers all
    of it.

    Examples
    --------
    >>> conv1 = LayerInfo("0", "conv1", "conv", 64, 55, 55, (11, 11), (4, 4), (-2, -2))
    >>> map_extent(conv1, (55, 55), (224, 224))[:2]  # the first value is centred at 3.5 pixels, and covers 1.5 to 5.5
    (0.0066964285714285..., 0.0066964285714285...)
    """
    if info.receptive_field is None or info.stride is None or info.offset is None:
        return (0.0, 0.0, 1.0, 1.0)
    first = [offset + (field - stride) / 2 for offset, field, stride in zip(info.offset, info.receptive_field, info.stride, strict=True)]
    last = [start + stride * count for start, stride, count in zip(first, info.stride, shape, strict=True)]
    height, width = input_size
    return (first[1] / width, first[0] / height, last[1] / width, last[0] / height)


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """A layer in the list of an explorer."""

    info: LayerInfo
    dead: int | None  # units that are 0 in every crop; None while there is no index of the layer
    names: tuple[str, ...] = ()  # all dotted names; the first one names the layer if it has no alias
    convolution: str | None = None  # the dotted name of the convolution whose map it is
    changed: bool = False  # whether a unit of the layer or below it is switched off or scaled

    @property
    def short_name(self) -> str:
        """The name in lists and in states: the alias ("conv5") if there is one, otherwise the first name."""
        return self.info.alias or (self.names or (self.info.name,))[0]

    def has_name(self, name: object) -> bool:
        """Return whether a name or alias is one of the layer's."""
        return name is not None and name in (self.info.alias, self.info.name, *self.names)
