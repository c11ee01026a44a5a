"""What is measured in a training: after each epoch, and while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

TrainingState = Literal["running", "finished", "cancelled", "failed", "interrupted"]
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
