"""What is known of a training: what is trained on what, by which recipe, and how far it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from deconvwidgets.records.progress import Progress
from deconvwidgets.records.training_log import EpochLog, TrainingLog, TrainingProgress

Phase = Literal["new", "running", "stopping", "finished", "cancelled", "failed", "interrupted", "recorded"]
TrainingFile = Literal["training.csv", "training.png", "training.svg", "training.pdf"]


@dataclass(frozen=True, slots=True)
class RecipePart:
    """One part of a recipe.

    Attributes
    ----------
    name, value : str
        The part, and its value in words.
    on : bool
        Whether it is used.
    source : {"paper", "changed", "ours"}
        "paper": as in Zeiler & Fergus 2014. "changed": the paper has another value, which `paper` gives. "ours": the paper says nothing.
    paper : str
        The paper's value in words; empty if it says nothing.
    """

    name: str
    value: str
    on: bool
    source: Literal["paper", "changed", "ours"]
    paper: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """What is trained on what. None, or 0 epochs: not known.

    Attributes
    ----------
    model : str
        The name of the model.
    images : str or None
        The name of the image set.
    training, validation : int or None
        Numbers of photographs.
    classes : tuple of str
        The names of the classes.
    parameters : int or None
        The number of parameters.
    input_size : tuple of (int, int, int) or None
        (channels, height, width).
    pretrained : bool
        Whether the weights before the first epoch are trained.
    epochs : int
        All epochs of the recipe.
    recipe : tuple of RecipePart
        Its parts.
    """

    model: str
    images: str | None = None
    training: int | None = None
    validation: int | None = None
    classes: tuple[str, ...] = ()
    parameters: int | None = None
    input_size: tuple[int, int, int] | None = None
    pretrained: bool = False
    epochs: int = 0
    recipe: tuple[RecipePart, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStatus:
    """The state of a training.

    Attributes
    ----------
    folder : str
        Its folder.
    phase : str
        "new": there is nothing in the folder. "stopping": it was asked to stop. "interrupted": its process ended without writing how.
        "recorded": there are checkpoints and a log, but nothing says whether the training goes on.
    plan : TrainingPlan or None
        What is trained on what; None as long as nothing is known.
    progress : TrainingProgress or None
        How far it is.
    epochs : int
        The number of epochs in the log.
    version : int
        Changes with the log.
    checkpoints : tuple of int
        The epochs of the checkpoints in the folder.
    message : str
        What is wrong, or what to know, in words; empty if all is well.
    can_start, can_cancel : bool
        Whether `start` (which also resumes) and `cancel` are possible.
    resumes : bool
        Whether `start` goes on with what is in the folder.
    code : tuple of (str, str)
        Lines of Python that open the checkpoints, by what they are for. They run as they are.
    preparation : Progress or None
        How far the photographs are decoded, before the first step of a training of this service.
    layer_names : tuple of (str, str)
        The aliases of layers by their dotted names, such as ("features.0", "conv1"); empty until they are known.
    """

    folder: str
    phase: Phase
    plan: TrainingPlan | None = None
    progress: TrainingProgress | None = None
    epochs: int = 0
    version: int = 0
    checkpoints: tuple[int, ...] = ()
    message: str = ""
    can_start: bool = False
    can_cancel: bool = False
    resumes: bool = False
    code: tuple[tuple[str, str], ...] = ()
    preparation: Progress | None = None
    layer_names: tuple[tuple[str, str], ...] = ()

    def layer_name(self, layer: str) -> str:
        """Return the alias of a layer, or its dotted name."""
        return dict(self.layer_names).get(layer, layer)


def update_ratios(entry: EpochLog) -> dict[str, float]:
    """Return the RMS of each layer's last update, divided by that of its weights."""
    return {
        layer: update / entry.weight_rms[layer]
        for layer, update in entry.update_rms.items()
        if entry.weight_rms.get(layer, 0.0) > 0 and math.isfinite(update)
    }


def layers_of(log: TrainingLog) -> tuple[str, ...]:
    """Return the layers whose weights or updates were measured, in the order of the log."""
    return tuple(dict.fromkeys(layer for entry in log.epochs for layer in (*entry.weight_rms, *entry.update_rms)))


def diverged_epoch(log: TrainingLog) -> int | None:
    """Return the first epoch whose loss is not a number, or infinite; None if there is none."""
    for entry in log.epochs:
        if any(loss is not None and not math.isfinite(loss) for loss in (entry.train_loss, entry.validation_loss)):
            return entry.epoch
    return None
