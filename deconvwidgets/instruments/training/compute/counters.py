"""How far a training is: the numbers that belong to its state beside the tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from deconvwidgets.instruments.training.compute.annealing import Plateau


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over images: how many, of their loss, and of the correct predictions."""

    images: float = 0.0
    loss: float = 0.0
    top1: float = 0.0
    top5: float = 0.0

    def plus(self, other: Sums) -> Sums:
        """Return both sums together."""
        return Sums(self.images + other.images, self.loss + other.loss, self.top1 + other.top1, self.top5 + other.top5)

    def mean(self, value: float) -> float | None:
        """Return a sum divided by the number of images; None if there are none."""
        return value / self.images if self.images else None


@dataclass(frozen=True, slots=True)
class Counters:
    """The completed epochs, the completed steps of the current one, and what was measured.

    Attributes
    ----------
    epoch, step : int
        Completed epochs, and completed steps of the current epoch.
    seconds : float
        Seconds of training since the first start, without pauses.
    epoch_seconds : float
        Those of the training steps of the current epoch.
    sums : Sums
        Those of the current epoch's training images.
    plateau : Plateau
        The best validation.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    epoch_seconds: float = 0.0
    sums: Sums = field(default_factory=Sums)
    plateau: Plateau = field(default_factory=Plateau)

    def next_epoch(self, plateau: Plateau) -> Counters:
        """Return the counters at the beginning of the next epoch."""
        return replace(self, epoch=self.epoch + 1, step=0, epoch_seconds=0.0, sums=Sums(), plateau=plateau)

    def to_plain(self) -> dict[str, Any]:
        """Return the values as nested mappings of numbers."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Counters:
        """Return the counters of such mappings."""
        return cls(**{**plain, "sums": Sums(**plain["sums"]), "plateau": Plateau(**plain["plateau"])})
