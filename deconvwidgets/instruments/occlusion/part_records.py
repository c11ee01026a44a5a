"""Records of the experiments with occluded parts: faithfulness of projections, and correspondence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """The loss of a unit's activation when the region that its projection highlights is occluded, and when random regions are.

    All arrays are (images, ...).
    """

    layer: str
    units: NDArray[np.int64]  # the unit in each image
    activity: NDArray[np.float32]  # the unit's maximum over space without a window
    drop: NDArray[np.float32]  # share of it that is lost with the highlighted region occluded; NaN if the unit is inactive
    elsewhere: NDArray[np.float32]  # the same, mean over random regions of the same size
    boxes: NDArray[np.int64]  # (images, 4): the highlighted regions

    @property
    def share(self) -> float:
        """Share of the images in which `drop` is larger than `elsewhere`, among those in which the unit is active; NaN if there is none."""
        active = np.isfinite(self.drop)
        return float((self.drop > self.elsewhere)[active].mean()) if active.any() else float("nan")

    def __repr__(self) -> str:
        return f"Faithfulness({self.layer}, {len(self.units)} images, active in {np.isfinite(self.drop).sum()}; share {self.share:.3g})"


@dataclass(frozen=True, slots=True)
class Correspondence:
    """How consistently occluding the same part changes the features of several images (Zeiler & Fergus 2014, section 4.3, table 1).

    `distances[layer][part]` is Delta: the mean over ordered pairs of images of the normalised Hamming distance between the signs of the
    changes; lower is more consistent. sign(0) is a value of its own: a component that changes in only one of two images differs.
    """

    layers: tuple[str, ...]
    parts: tuple[str, ...]
    distances: Mapping[str, Mapping[str, float]]
    images: int

    def __repr__(self) -> str:
        by_layer = {layer: [f"{part} {delta:.3f}" for part, delta in self.distances[layer].items()] for layer in self.layers}
        rows = [f"{layer}: {_abbreviated(parts)}" for layer, parts in by_layer.items()]
        return f"Correspondence({self.images} images; {_abbreviated(rows, '; ')})"


def _abbreviated(items: list[str], separator: str = ", ") -> str:
    return separator.join(items if len(items) <= 6 else [*items[:6], "…"])
