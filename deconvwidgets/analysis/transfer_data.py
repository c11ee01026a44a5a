"""Labelled photographs with their features: what heads are trained and tested on, fold after fold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.analysis.feature_store import LayerFeatures
from deconvwidgets.analysis.index_pass import Turn
from deconvwidgets.data.class_folders import class_names, labels_of
from deconvwidgets.data.image_set import ImageSet
from deconvwidgets.records import SkippedPicture

_TEST_ROWS = 512


@dataclass(frozen=True)
class TransferData:
    """`labels` (photographs,) int64, -1 where a photograph has no class or cannot be read; `features` of the same photographs."""

    name: str
    labels: NDArray[np.int64]
    categories: tuple[str, ...]
    features: LayerFeatures
    device: torch.device
    skipped: tuple[SkippedPicture, ...]

    @classmethod
    def of(cls, images: ImageSet, features: LayerFeatures, device: torch.device) -> TransferData:
        """The labels of an image set whose features are complete; unreadable photographs take no part."""
        labels = labels_of(images)
        labels[list(features.skipped)] = -1
        skipped = (*images.skipped, *features.skipped.values())
        return cls(images.name, labels, class_names(images), features, device, skipped)

    def rows(self, sources: NDArray[np.int64]) -> Tensor:
        """Features (photographs, rows, features) float32 on the device."""
        return torch.from_numpy(self.features.values[sources]).to(self.device).float()

    def logits(self, sources: NDArray[np.int64], weight: Tensor, bias: Tensor, turn: Turn) -> Tensor:
        """Logits (photographs, classes) on the CPU, of the mean of a photograph's rows (the same as the mean of their logits)."""
        return torch.cat([self._logits(part, weight, bias, turn) for part in _chunks(sources)])

    def _logits(self, sources: NDArray[np.int64], weight: Tensor, bias: Tensor, turn: Turn) -> Tensor:
        values = torch.from_numpy(self.features.values[sources])
        with turn():
            return (values.to(self.device).float().mean(1) @ weight.T + bias).cpu()


def _chunks(sources: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(sources), _TEST_ROWS):
        yield sources[start : start + _TEST_ROWS]
