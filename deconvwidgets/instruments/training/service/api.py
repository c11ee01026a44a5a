"""A training, started here or running in any other process, by its folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from pathlib import Path
from threading import RLock
from typing import Any, Self

from deconvwidgets.arguments import positive_number, seconds
from deconvwidgets.checkpoints.checkpoint_set import Checkpoints
from deconvwidgets.checkpoints.log_file import request_stop
from deconvwidgets.checkpoints.open import open_checkpoints
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import CheckpointError, JobCancelledError, ServiceError, TrainingError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.training.compute.progress_report import JOB as TRAINING_JOB
from deconvwidgets.instruments.training.compute.recipe import Recipe
from deconvwidgets.instruments.training.records import TrainingFile, TrainingStatus
from deconvwidgets.instruments.training.service.files import make_file
from deconvwidgets.instruments.training.service.folder import TrainingFolder
from deconvwidgets.instruments.training.service.layer_names import LayerNames
from deconvwidgets.instruments.training.service.plan import Architecture, Training, prepare_training
from deconvwidgets.instruments.training.service.status import ACTIVE, OwnRun, status_of
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.paths import as_path
from deconvwidgets.records.progress import Progress
from deconvwidgets.records.training_log import TrainingLog
from deconvwidgets.service.cores import Cores
from deconvwidgets.service.events import Events
from deconvwidgets.service.open_widgets import OpenWidgets
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.watch import INTERVAL, Watch
from deconvwidgets.service.worker import Executor, Job, Worker, checked_executor

_POLL = 0.2  # seconds, in `wait`
_OPTIONS = (
    "validation",
    "input_size",
    "name",
    "pretrained",
    "overwrite",
    "device",
)  # arguments of `train`; all others are fields of the recipe


class LocalTrainingService:
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
        seconds_between = positive_number(interval, "interval", TrainingError)
        own_worker = checked_executor(executor, "executor")
        self._training = _training_of(architecture, images, recipe, out, folder, options)
        path = as_path(folder, "folder", TrainingError) if self._training is None else self._training.out
        self._reader = TrainingFolder(path)
        self._layer_names = LayerNames(self._training)
        self._lock = RLock()
        self._events = Events()
        self._open_widgets = OpenWidgets()
        self._executor: Executor = own_worker if own_worker is not None else Worker("deconvwidgets training")
        self._job: Job | None = None
        self._failure = ""
        self._preparation: Progress | None = None
        self._content = self._reader.read()
        self._published = self.status()
        self._watch = Watch(self._look, seconds_between)

    @property
    def folder(self) -> Path:
        """The folder of the training."""
        return self._reader.path

    @property
    def open_widgets(self) -> OpenWidgets:
        """The widgets of this service that pages show."""
        return self._open_widgets

    def subscribe(self, listener: Callable[[ServiceEvent], None], kinds: Collection[str] | None = None) -> Callable[[], None]:
        """Call `listener` with each event of the given kinds (None: all), from any thread. Return the function that ends the subscription.

        The folder is watched as long as there is a subscription. A bound method is held weakly.
        """
        unsubscribe = self._events.subscribe(listener, kinds)
        self._watch.begin()
        return unsubscribe

    def status(self) -> TrainingStatus:
        """Return the state of the training, as it was seen last."""
        with self._lock:
            plan = None if self._training is None else self._training.plan
            overwrite = self._training is not None and self._training.overwrite
            job = self._job if self._job is not None and not self._job.done else None
            own: OwnRun = "none" if job is None else "stopping" if job.cancelled else "running"
            return status_of(
                self.folder,
                self._content,
                plan,
                failure=self._failure,
                own_run=own,
                preparation=self._preparation,
                overwrite=overwrite,
                architecture=None if self._training is None else self._training.architecture,
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
        with self._lock:
            self._refresh()
            if self._training is None:
                raise TrainingError(
                    f"This panel only watches {self.folder}. To train there: dw.TrainingPanel(architecture, images, out=...)."
                )
            status = self.status()
            if status.phase in ACTIVE:
                raise TrainingError(f"A training is running in {self.folder} already. Cancel it first.")
            if not status.can_start:
                raise TrainingError(f"The training in {self.folder} is complete: choose another folder, more epochs, or overwrite=True.")
            self._failure, self._preparation = "", None
            training = self._training
            self._job = self._executor.submit("training", lambda job: self._run(training, job), self._fail)
        self.look()

    def cancel(self) -> None:
        """Ask the training to save its state and to stop, in whichever process it runs.

        Raises
        ------
        TrainingError
            If no training is running in the folder.
        """
        with self._lock:
            self._refresh()
            if self.status().phase not in ACTIVE:
                raise TrainingError(f"No training is running in {self.folder}.")
            if self._job is not None:
                self._job.cancel()
            if self._content.phase in ACTIVE:
                request_stop(self.folder)
        self.look()

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until no training runs in the folder, and return the service.

        Raises
        ------
        ServiceError
            If one is still running after `timeout` seconds.
        """
        limit = seconds(timeout)
        end = None if limit is None else time.monotonic() + limit
        while True:
            self.look()
            if self.status().phase not in ACTIVE:
                return self
            if end is not None and time.monotonic() >= end:
                raise ServiceError(f"The training is still running after {limit:g} s: wait longer, or watch its progress.")
            time.sleep(_POLL)

    def file(self, kind: TrainingFile) -> bytes:
        """Return the curves, or their numbers, as a file. Raises ServiceError before the first epoch."""
        self._find_layer_names()
        return make_file(kind, self.status(), self.log())

    def checkpoints(self) -> Checkpoints:
        """Return the checkpoints of the training. Raises CheckpointError if there are none."""
        self.look()
        if not self._content.checkpoints:
            raise CheckpointError(f"There are no checkpoints in {self.folder} yet.")
        return open_checkpoints(self.folder, None if self._training is None else self._training.build())

    def bundle(self, epoch: int | None = None) -> ModelBundle:
        """Return the model at an epoch, by default the last that was kept. Raises CheckpointError if there is none."""
        found = self.checkpoints()
        return found.bundle(found.epochs[-1] if epoch is None else epoch)

    def look(self) -> None:
        """Look at the folder now, and tell the subscribers if something has changed."""
        with self._lock:
            self._refresh()
            status = self.status()
            changed, self._published = status != self._published, status
        if changed:
            self._events.publish(ServiceEvent("training"))

    def close(self) -> None:
        """End the training of this service, with its state saved. A training in another process goes on."""
        self._executor.close()

    def __repr__(self) -> str:
        return f"LocalTrainingService({self.folder}, {self.status().phase})"

    def _refresh(self) -> None:
        self._content = self._reader.read()

    def _look(self) -> bool:
        """Look at the folder, and return whether there is a subscription."""
        self.look()
        self._find_layer_names()
        return len(self._events) > 0

    def _find_layer_names(self) -> None:
        """Find the aliases of the layers in the log. A training of this service has found them before its first step."""
        with self._lock:
            content, trains = self._content, self._job is not None and not self._job.done
        if content.log.epochs and not trains:
            self._layer_names.find(content.description)

    def _run(self, training: Training, job: Job) -> None:
        self._layer_names.find(None)
        try:
            with Cores().all_but_one():
                training.run(JobContext(on_progress=self._prepare, cancelled=lambda: job.cancelled))
        except JobCancelledError:
            return  # the folder says so

    def _prepare(self, progress: Progress) -> None:
        """Remember how far the photographs are decoded. The progress of the training itself comes by the folder, at a low rate."""
        self._preparation = None if progress.job == TRAINING_JOB else progress

    def _fail(self, message: str) -> None:
        with self._lock:
            self._failure = message


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
