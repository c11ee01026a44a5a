"""One run of a study: a variant is trained with a seed, and measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from deconvwidgets.checkpoints.log_file import stop_requested
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import DeconvWidgetsError, JobCancelledError
from deconvwidgets.instruments.ablation.compute.measure import measure_training_error
from deconvwidgets.instruments.ablation.compute.study_file import write_measured
from deconvwidgets.instruments.training.compute.architecture import Architecture
from deconvwidgets.instruments.training.compute.recipe import Recipe
from deconvwidgets.instruments.training.compute.train import train
from deconvwidgets.instruments.training.compute.training_images import training_images
from deconvwidgets.records.progress import Progress


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """The arguments of one run. `study` is the folder of the study, whose file `stop` stops it."""

    variant: str
    architecture: Architecture
    images: object
    validation: object
    recipe: Recipe
    folder: Path
    study: Path
    input_size: tuple[int, int, int]
    pretrained: bool
    device: str | torch.device
    progress: bool

    @property
    def title(self) -> str:
        """The name of the run."""
        return f"{self.variant}, seed {self.recipe.seed}"


def train_one(request: RunRequest, job: JobContext) -> str | None:
    """Train and measure a run. Return None, or why it failed: the others go on.

    Raises
    ------
    JobCancelledError
        If the job is cancelled or the study was asked to stop. The state is saved.
    """
    own = replace(
        job,
        cancelled=lambda: job.cancelled() or stop_requested(request.study),
        on_progress=lambda progress: job.report(_named(progress, request.title)),
    )
    try:
        _train(request, own)
    except JobCancelledError:
        raise
    except DeconvWidgetsError as error:
        return f"{request.title}: {error}"
    except Exception as error:  # noqa: BLE001 - of the variant's own code, in training mode only: it is said, and the other runs go on
        return f"{request.title}: {type(error).__name__}: {error}"
    return None


def _train(request: RunRequest, job: JobContext) -> None:
    recipe = request.recipe
    trained = train(
        request.architecture,
        request.images,
        recipe,
        request.folder,
        validation=request.validation,
        input_size=request.input_size,
        name=request.variant,
        pretrained=request.pretrained,
        device=request.device,
        progress=request.progress,
        job=job,
    )
    images = training_images(request.images, request.validation, recipe.validation_share, recipe.seed)
    measured = measure_training_error(trained, images.train, request.device, recipe.memory_share, recipe.batch_size, job, request.progress)
    write_measured(request.folder, measured)


def _named(progress: Progress, title: str) -> Progress:
    return replace(progress, job=f"{title}: {progress.job}")
