"""The strongest activation of every unit of a layer at each checkpoint (Zeiler & Fergus 2014, figure 4)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.evolution.records import StrongestActivations


def strongest_activations(indexes: Mapping[int, ActivationIndex], layer: str) -> StrongestActivations:
    """Return the strongest activations of a layer's units.

    Parameters
    ----------
    indexes : mapping of int to ActivationIndex
        By epoch, ascending; at least one.
    layer : str
        The layer's dotted name.
    """
    rankings = [index.tallies[layer].ranking for index in indexes.values()]
    crops = np.stack([ranking.crops[:, 0] for ranking in rankings], axis=1)
    active = crops >= 0
    contents = np.stack(
        [_contents(index, ranking.sources[:, 0]) for index, ranking in zip(indexes.values(), rankings, strict=True)], axis=1
    )  # fmt: skip
    values = np.stack([ranking.values[:, 0] for ranking in rankings], axis=1)
    positions = np.stack([np.stack([ranking.rows[:, 0], ranking.columns[:, 0]], axis=1) for ranking in rankings], axis=1)
    changed = np.zeros(crops.shape, np.bool_)
    changed[:, 1:] = contents[:, 1:] != contents[:, :-1]
    return StrongestActivations(
        layer=layer,
        epochs=tuple(indexes),
        values=np.where(active, values, 0).astype(np.float32),
        contents=contents,
        images=crops.astype(np.int64),
        positions=positions.astype(np.int64),
        changed=changed,
    )


def top_contents(index: ActivationIndex, layer: str, unit: int) -> set[int]:
    """Return the content ids of a unit's strongest photographs: nine, or fewer."""
    sources = index.tallies[layer].ranking.sources[unit]
    return {int(content) for content in index.contents[sources[sources >= 0]]}


def _contents(index: ActivationIndex, sources: np.ndarray) -> np.ndarray:
    return np.where(sources >= 0, index.contents[np.maximum(sources, 0)], np.uint64(0))
