"""Labelled photographs with their features, for training and testing heads."""

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
    """The labels and features of a dataset."""

    name: str
    labels: NDArray[np.int64]  # (photographs,); -1 for photographs without a class and for unreadable ones
    categories: tuple[str, ...]
    features: LayerFeatures
    device: torch.device
    skipped: tuple[SkippedImage, ...]
    muted: tuple[int, ...] = ()  # channels whose features count as zero
    channels: int = 1  # of the features

    @classmethod
    def of(cls, images: ImageSet, features: LayerFeatures, device: torch.device) -> TransferData:
        """Return the data of an image set, given its complete features."""
        labels = labels_of(images)
        labels[list(features.skipped)] = -1
        skipped = (*images.skipped, *features.skipped.values())
        return cls(images.name, labels, class_names(images), features, device, skipped)

    @property
    def orientations(self) -> int:
        """Number of orientations: 2 with mirror images, else 1."""
        return int(self.features.values.shape[1])

    def rows(self, sources: NDArray[np.int64], unmirrored: bool = False) -> Tensor:
        """Return features (sources, features) float32 on the device: of all orientations side by side, or of the first only."""
        values = np.array(self.features.values[sources, :1] if unmirrored else self.features.values[sources])
        if self.muted:
            values.reshape(*values.shape[:2], self.channels, -1)[:, :, list(self.muted)] = 0
        return torch.from_numpy(values.reshape(len(sources), -1)).to(self.device).float()

    def logits(self, sources: NDArray[np.int64], head: TrainedHead, lease: DeviceLease, unmirrored: bool = False) -> Tensor:
        """Return the logits (sources, classes) of a head on the CPU."""
        parts = []
        for start in range(0, len(sources), _TEST_ROWS):
            with lease():
                rows = self.rows(sources[start : start + _TEST_ROWS], unmirrored)
                parts.append((rows @ head.weight.T + head.bias).cpu())
        return torch.cat(parts)
