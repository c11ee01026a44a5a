"""Labelled photographs with their features: what heads are trained and tested on, fold after fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.job import DeviceLease
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import class_names, labels_of
from deconvwidgets.instruments.transfer.compute.feature_store import LayerFeatures
from deconvwidgets.instruments.transfer.compute.folds import TrainedHead
from deconvwidgets.records.images import SkippedImage

_TEST_ROWS = 512


@dataclass(frozen=True)
class TransferData:
    """`labels` (photographs,) int64, -1 where a photograph has no class or cannot be read; `features` of the same photographs."""

    name: str
    labels: NDArray[np.int64]
    categories: tuple[str, ...]
    features: LayerFeatures
    device: torch.device
    skipped: tuple[SkippedImage, ...]

    @classmethod
    def of(cls, images: ImageSet, features: LayerFeatures, device: torch.device) -> TransferData:
        """The labels of an image set whose features are complete; unreadable photographs take no part."""
        labels = labels_of(images)
        labels[list(features.skipped)] = -1
        skipped = (*images.skipped, *features.skipped.values())
        return cls(images.name, labels, class_names(images), features, device, skipped)

    @property
    def kinds(self) -> int:
        """How many kinds of views there are features of: 2 with mirror images, else 1."""
        return int(self.features.values.shape[1])

    def rows(self, sources: NDArray[np.int64], plain: bool = False) -> Tensor:
        """Features (photographs, features) float32 on the device: all kinds of views side by side, or the first alone."""
        values = self.features.values[sources, 0] if plain else self.features.values[sources].reshape(len(sources), -1)
        return torch.from_numpy(values).to(self.device).float()

    def logits(self, sources: NDArray[np.int64], head: TrainedHead, lease: DeviceLease, plain: bool = False) -> Tensor:
        """Logits (photographs, classes) on the CPU, of the same features."""
        parts = []
        for start in range(0, len(sources), _TEST_ROWS):
            with lease():
                rows = self.rows(sources[start : start + _TEST_ROWS], plain)
                parts.append((rows @ head.weight.T + head.bias).cpu())
        return torch.cat(parts)
