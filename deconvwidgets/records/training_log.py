"""What is measured in a training: after each epoch, and while it runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

TrainingState = Literal["running", "finished", "cancelled", "failed", "interrupted"]
_STEP = 0.8  # a change of the learning rate by a smaller factor belongs to a schedule that changes it all the time
_MANY_STEPS = 12  # more than these are a schedule's habit
MEASURES = (  # the numbers of an EpochLog, in the order of tables
    "train_loss",
    "train_top1",
    "train_top5",
    "validation_loss",
    "validation_top1",
    "validation_top5",
    "learning_rate",
    "seconds",
    "images_per_second",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochLog:
    """What was measured after an epoch. None: not measured.

    Attributes
    ----------
    epoch : int
        The completed epochs; 0 before training.
    train_loss, validation_loss : float or None
        The mean loss of an image.
    train_top1, train_top5, validation_top1, validation_top5 : float or None
        The share of images, from 0 to 1, whose class is the first prediction, or among the first five.
    learning_rate : float or None
        The learning rate of the epoch.
    seconds : float or None
        Seconds of training since its first start, without pauses.
    images_per_second : float or None
        Training images per second of the epoch.
    weight_rms, update_rms : mapping of str to float
        The root mean square of a layer's weights, and of their change in the epoch's last step, by dotted name of the layer.
    metrics : mapping of str to float
        Anything else that a training loop measures.
    """

    epoch: int
    train_loss: float | None = None
    train_top1: float | None = None
    train_top5: float | None = None
    validation_loss: float | None = None
    validation_top1: float | None = None
    validation_top5: float | None = None
    learning_rate: float | None = None
    seconds: float | None = None
    images_per_second: float | None = None
    weight_rms: Mapping[str, float] = field(default_factory=dict)
    update_rms: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingProgress:
    """How far a training is.

    Attributes
    ----------
    state : {"running", "finished", "cancelled", "failed", "interrupted"}
        "interrupted": its process ended without writing how.
    epoch, epochs : int
        The completed epochs, and those of the whole training.
    step, steps : int
        The completed steps of the current epoch, and all of its steps.
    loss, top1 : float or None
        The mean loss and the share of correct predictions in the current epoch so far.
    learning_rate, images_per_second, seconds_left : float or None
        The current learning rate, the images per second, and the estimated seconds to the end of the training.
    message : str
        What happened, in words; why the training failed.
    process, host : int and str
        The process id and the host of the training.
    """

    state: TrainingState
    epoch: int
    epochs: int
    step: int = 0
    steps: int = 0
    loss: float | None = None
    top1: float | None = None
    learning_rate: float | None = None
    images_per_second: float | None = None
    seconds_left: float | None = None
    message: str = ""
    process: int = 0
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLog:
    """The log of a training: its epochs in order, and its progress if it is known."""

    epochs: tuple[EpochLog, ...] = ()
    progress: TrainingProgress | None = None


@dataclass(frozen=True, slots=True)
class RateStep:
    """An epoch whose learning rate is clearly another than that of the epoch before, and by which factor."""

    epoch: int
    factor: float


def learning_rate_steps(log: TrainingLog) -> tuple[RateStep, ...]:
    """Return the epochs whose learning rate is lower or higher by a fifth or more; none of a schedule that changes it at many epochs.

    Examples
    --------
    >>> rates = enumerate([None, 0.5, 0.5, 0.25])
    >>> learning_rate_steps(TrainingLog(epochs=tuple(EpochLog(epoch=epoch, learning_rate=rate) for epoch, rate in rates)))
    (RateStep(epoch=3, factor=0.5),)
    """
    rated = [(entry.epoch, rate) for entry in log.epochs if (rate := entry.learning_rate) is not None and 0 < rate < math.inf]
    steps = tuple(RateStep(epoch, rate / before) for (_, before), (epoch, rate) in pairwise(rated) if not _STEP < rate / before < 1 / _STEP)
    return steps if len(steps) <= _MANY_STEPS else ()
