"""How a layer's map becomes one vector of features: averaged down to a square grid where it is large, then flattened."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import torch.nn.functional as F
from torch import Tensor

from deconvwidgets.engine import Network
from deconvwidgets.errors import LayerError
from deconvwidgets.records.layers import LayerInfo

MOST_FEATURES = 10_000  # AlexNet's conv1 to conv5 as they are would be 8.9 GB for one view of Caltech-101


@dataclass(frozen=True, slots=True)
class FeatureShape:
    """The features of a layer: its map (channels, height, width), averaged down to `pool` (rows, columns; None: as it is)."""

    channels: int
    height: int
    width: int
    pool: tuple[int, int] | None

    @classmethod
    def of(cls, info: LayerInfo, most: int = MOST_FEATURES) -> FeatureShape:
        """The layer's own map where it has at most `most` values, else the largest square grid that keeps to it (at least 1 x 1)."""
        if info.channels * info.height * info.width <= most:
            return cls(info.channels, info.height, info.width, None)
        side = max(1, isqrt(most // info.channels))
        return cls(info.channels, info.height, info.width, (min(side, info.height), min(side, info.width)))

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the features."""
        return self.pool or (self.height, self.width)

    @property
    def count(self) -> int:
        """Number of features."""
        return self.channels * self.grid[0] * self.grid[1]

    def flatten(self, maps: Tensor) -> Tensor:
        """Maps (N, C, H, W), or (N, C) of a fully connected layer, to features (N, count) in the order (channel, row, column)."""
        if maps.dim() == 4 and self.pool is not None:
            maps = F.adaptive_avg_pool2d(maps, self.pool)
        features = maps.flatten(1)
        if features.shape[1] != self.count:
            raise LayerError(f"The layer gave {features.shape[1]} values where {self.count} were expected: follow the model again")
        return features

    def in_words(self, layer: str) -> str:
        """ "256 x 6 x 6 = 9,216 of conv5, average-pooled from 13 x 13"."""
        if self.grid == (1, 1) and self.pool is None:
            return f"{self.count:,} of {layer}"
        pooled = f", average-pooled from {self.height} x {self.width}" if self.pool is not None else ""
        return f"{self.channels} x {self.grid[0]} x {self.grid[1]} = {self.count:,} of {layer}{pooled}"


def default_layer(network: Network) -> LayerInfo:
    """The deepest layer that still has maps: the pooled map of the last convolution where that is a layer (AlexNet: pool5), else the
    last layer below the fully connected ones. Raises LayerError for a model without maps."""
    maps = network.explorer_layers
    if not maps:
        raise LayerError("The model has no layer of feature maps to train a head on: name a layer, dw.engine.describe_layers lists them")
    pooled = (maps[-1].alias or "").replace("conv", "pool")
    for info in network.layers:
        if info.alias == pooled and pooled.startswith("pool"):
            return info
    followed = [info for info in network.layers if info.receptive_field is not None]
    return followed[-1] if followed else maps[-1]
