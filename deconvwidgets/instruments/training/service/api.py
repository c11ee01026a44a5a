"""A training, started here or running in any other process, by its folder."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from deconvwidgets.checkpoints.checkpoint_set import Checkpoints
from deconvwidgets.checkpoints.open import open_checkpoints
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import CheckpointError, TrainingError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.training.compute.progress_report import JOB as TRAINING_JOB
from deconvwidgets.instruments.training.compute.recipe import Recipe
from deconvwidgets.instruments.training.records import TrainingFile, TrainingStatus
from deconvwidgets.instruments.training.service.files import make_file
from deconvwidgets.instruments.training.service.folder import FolderContent, TrainingFolder
from deconvwidgets.instruments.training.service.layer_names import LayerNames
from deconvwidgets.instruments.training.service.plan import Architecture, Training, prepare_training
from deconvwidgets.instruments.training.service.status import status_of
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.paths import as_path
from deconvwidgets.records.progress import Progress
from deconvwidgets.records.training_log import TrainingLog
from deconvwidgets.service.folder_service import ACTIVE, FolderService
from deconvwidgets.service.watch import INTERVAL
from deconvwidgets.service.worker import Executor

_OPTIONS = (
    "validation",
    "input_size",
    "name",
    "pretrained",
    "overwrite",
    "device",
)  # arguments of `train`; all others are fields of the recipe


class LocalTrainingService(FolderService[FolderContent, TrainingStatus]):
    """Starts a training on a thread of this process, or watches one that any process writes into a folder. Implements `TrainingService`.

    Everything goes through the folder, so a training is seen alike wherever it runs.

    Parameters
    ----------
    architecture, images, recipe, out
        What is trained on what, as for `dw.train`. Nothing is trained before `start`.
    folder : str or path
        In place of them: the folder of a training to watch. It need not exist yet.
    interval : float
        Seconds between two looks at the folder, while somebody is subscribed.
    executor : Executor, optional
        Where the training runs.
    **options
        Other arguments of `dw.train`: validation, input_size, name, overwrite, device, and fields of the recipe.

    Raises
    ------
    TrainingError
        If it cannot be trained in this way; the message says why.

    Examples
    --------
    >>> service = LocalTrainingService(folder="runs/first")
    >>> service.status().phase
    'new'
    """

    KIND = NOUN = "training"
    ERROR = TrainingError
    TO_RUN = "dw.TrainingPanel(architecture, images, out=...)"
    TO_RUN_MORE = "choose another folder, more epochs"

    def __init__(
        self,
        architecture: Architecture | None = None,
        images: ImageSet | None = None,
        recipe: Recipe | None = None,
        out: str | os.PathLike[str] | None = None,
        *,
        folder: str | os.PathLike[str] | None = None,
        interval: float = INTERVAL,
        executor: Executor | None = None,
        **options: Any,
    ) -> None:
        self._training = _training_of(architecture, images, recipe, out, folder, options)
        path = as_path(folder, "folder", TrainingError) if self._training is None else self._training.out
        self._reader = TrainingFolder(path)
        self._earlier = self._reader.description_stamp()
        self._layer_names = LayerNames(self._training)
        super().__init__(path, interval, executor)

    def status(self) -> TrainingStatus:
        """Return the state of the training, as it was seen last."""
        with self._lock:
            training = self._training
            return status_of(
                self._folder,
                self._content,
                None if training is None else training.plan,
                failure=self._failure,
                own_run=self._own_run,
                preparation=self._progress,
                overwrite=self._replaces,
                architecture=None if training is None else training.architecture,
                layer_names=self._layer_names.known,
            )

    def log(self) -> TrainingLog:
        """Return the log of the training, as it was seen last."""
        with self._lock:
            return self._content.log

    def start(self) -> None:
        """Start the training, or resume it, on a worker.

        Raises
        ------
        TrainingError
            If this service only watches a folder, if a training is running there, or if it is complete.
        """
        training = self._training
        self._begin(None if training is None else partial(self._train, training))

    def file(self, kind: TrainingFile) -> bytes:
        """Return the curves, or their numbers, as a file. Raises ServiceError before the first epoch."""
        self._find_layer_names()
        return make_file(kind, self.status(), self.log())

    def checkpoints(self) -> Checkpoints:
        """Return the checkpoints of the training. Raises CheckpointError if there are none."""
        self.look()
        if not self._content.checkpoints:
            raise CheckpointError(f"There are no checkpoints in {self._folder} yet.")
        return open_checkpoints(self._folder, None if self._training is None else self._training.build())

    def bundle(self, epoch: int | None = None) -> ModelBundle:
        """Return the model at an epoch, by default the last that was kept. Raises CheckpointError if there is none."""
        found = self.checkpoints()
        return found.bundle(found.epochs[-1] if epoch is None else epoch)

    def _read(self) -> FolderContent:
        content = self._reader.read()
        if self._replaces and content.phase not in ACTIVE:  # curves of another training must not be shown as those of this one
            return FolderContent(description=content.description, version=content.version, exists=content.exists, problem=content.problem)
        return content

    @property
    def _replaces(self) -> bool:
        """Whether what is in the folder is of an earlier training, which the next start deletes. It is resumed once it is of this one."""
        training = self._training
        return training is not None and training.overwrite and self._reader.description_stamp() == self._earlier

    def _look(self) -> bool:
        """Look at the folder, and return whether there is a subscription."""
        subscribed = super()._look()
        self._find_layer_names()
        return subscribed

    def _find_layer_names(self) -> None:
        """Find the aliases of the layers in the log. A training of this service has found them before its first step."""
        with self._lock:
            content, own_run = self._content, self._own_run
        if content.log.epochs and own_run == "none":
            self._layer_names.find(content.description)

    def _train(self, training: Training, job: JobContext) -> None:
        self._layer_names.find(None)
        training.run(job, self._replaces)

    def _note(self, progress: Progress) -> None:
        """Keep how far the photographs are decoded. The progress of the training itself comes by the folder, at a low rate."""
        self._progress = None if progress.job == TRAINING_JOB else progress


def _training_of(
    architecture: Architecture | None,
    images: ImageSet | None,
    recipe: Recipe | None,
    out: str | os.PathLike[str] | None,
    folder: str | os.PathLike[str] | None,
    options: dict[str, Any],
) -> Training | None:
    """Return the training to start; None if a folder is to be watched."""
    given = {"architecture": architecture, "images": images, "recipe": recipe, "out": out, **options}
    named = [name for name, value in given.items() if value is not None]
    if folder is not None:
        if named:
            raise TrainingError(f"A panel either watches a folder, or trains: give folder=..., or {', '.join(named)}, not both.")
        return None
    if architecture is None or images is None or out is None:
        missing = ", ".join(name for name in ("architecture", "images", "out") if given[name] is None)
        way = "Give what to train, such as dw.TrainingPanel('zfnet', images, out='runs/first'), or folder=... to watch one."
        raise TrainingError(f"{missing} must not be None. {way}" if named else way)
    fields = {name: value for name, value in options.items() if name not in _OPTIONS}
    rest = {name: value for name, value in options.items() if name in _OPTIONS}
    return prepare_training(architecture, images, recipe, as_path(out, "out", TrainingError), rest, fields)
