"""`dw.train`: train a network on labelled images, with everything that another process must know in one folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import TrainingError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.training.compute.recipe import Recipe, recipe_with
from deconvwidgets.models.bundle import ModelBundle

if TYPE_CHECKING:
    from deconvwidgets.checkpoints.checkpoint_set import Checkpoints  # type: ignore[import-not-found]
    from deconvwidgets.records.training_log import TrainingLog  # type: ignore[import-not-found]

Architecture = str | nn.Module | Callable[[int], nn.Module]


@dataclass(frozen=True)
class TrainedModel:
    """The result of `train`.

    Attributes
    ----------
    bundle : ModelBundle
        The network after the last epoch, with its transform and the names of its classes.
    log : TrainingLog
        Loss, accuracy and more, by epoch.
    checkpoints : Checkpoints
        The kept epochs.
    folder : Path
        The folder with all files.
    """

    bundle: ModelBundle
    log: TrainingLog
    checkpoints: Checkpoints
    folder: Path


def train(
    architecture: Architecture,
    images: ImageSet,
    recipe: Recipe | None = None,
    out: str | os.PathLike[str] = "",
    *,
    validation: ImageSet | None = None,
    input_size: int | tuple[int, int] | tuple[int, int, int] | None = None,
    name: str | None = None,
    resume: bool = True,
    overwrite: bool = False,
    device: str | torch.device = "auto",
    progress: bool = True,
    job: JobContext | None = None,
    engine: Literal["local", "ray"] = "local",
    workers: int = 1,
    **recipe_fields: Any,
) -> TrainedModel:
    """Train a network.

    Raises
    ------
    TrainingError
        If it cannot be trained in this way; the message says why.
    JobCancelledError
        If the job was cancelled, or if there is a file `stop` in the folder. The state is saved: the same call resumes it.
    """
    recipe_with(recipe, recipe_fields)
    raise TrainingError("Training is not yet implemented.")
