"""A study that is trained here, or watched by its folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from threading import RLock
from typing import Any, Self

from deconvwidgets.arguments import positive_number, seconds
from deconvwidgets.checkpoints.log_file import request_stop, stop_requested
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import AblationError, DeconvWidgetsError, JobCancelledError, ServiceError
from deconvwidgets.instruments.ablation.compute.plan import StudyPlan
from deconvwidgets.instruments.ablation.compute.run import run_plan
from deconvwidgets.instruments.ablation.compute.study import AblationStudy
from deconvwidgets.instruments.ablation.compute.study_file import StudyDescription, is_trained, read_study
from deconvwidgets.instruments.ablation.compute.study_reader import StudyReader
from deconvwidgets.instruments.ablation.figures.files import study_file
from deconvwidgets.instruments.ablation.records import AblationFile, AblationStatus
from deconvwidgets.instruments.ablation.service.status import ACTIVE, Content, status_of
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.cores import Cores
from deconvwidgets.service.events import Events
from deconvwidgets.service.open_widgets import OpenWidgets
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.watch import INTERVAL, Watch
from deconvwidgets.service.worker import Executor, Job, Worker, checked_executor

_POLL = 0.2  # seconds, in `wait`


class LocalAblationService:
    """Trains a study on a thread of this process, or watches one that any process writes into a folder. Implements `AblationService`.

    Parameters
    ----------
    study : AblationStudy, StudyPlan or Path
        A study; or what is to be trained; or the folder of a study to watch, which need not exist yet.
    interval : float
        Seconds between two looks at the folder, while somebody is subscribed.
    executor : Executor, optional
        Where the study is trained.
    """

    def __init__(self, study: AblationStudy | StudyPlan | Path, *, interval: float = INTERVAL, executor: Executor | None = None) -> None:
        seconds_between = positive_number(interval, "interval", AblationError)
        own_worker = checked_executor(executor, "executor")
        self._plan = study if isinstance(study, StudyPlan) else None
        self._study = study if isinstance(study, AblationStudy) else None
        self._folder = study if isinstance(study, Path) else study.folder
        self._reader = StudyReader(self._folder)
        self._lock = RLock()
        self._events = Events()
        self._open_widgets = OpenWidgets()
        self._executor: Executor = own_worker if own_worker is not None else Worker("deconvwidgets ablation")
        self._job: Job | None = None
        self._failure = ""
        self._progress: Progress | None = None
        self._services: dict[tuple[str, int | None, int], Any] = {}
        self._content = self._read()
        self._published = self.status()
        self._watch = Watch(self._look, seconds_between)

    @property
    def folder(self) -> Path:
        """The folder of the study."""
        return self._folder

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

    def status(self) -> AblationStatus:
        """Return the state of the study, as it was seen last."""
        with self._lock:
            job = self._job if self._job is not None and not self._job.done else None
            return status_of(
                self._folder,
                self._content,
                trains=self._plan is not None,
                overwrite=self._plan is not None and self._plan.overwrite,
                explorable=self._plan is not None or (self._study is not None and self._study.images is not None),
                own_run="none" if job is None else "stopping" if job.cancelled else "running",
                failure=self._failure,
                progress=self._progress,
            )

    def start_study(self, variants: Sequence[str] | None = None) -> None:
        """Train the runs that are not complete, of some variants or all, on a worker.

        Raises
        ------
        AblationError
            If this service only watches a folder, if a study is trained there, if it is complete, or for an unknown variant.
        """
        with self._lock:
            self._content = self._read()
            if self._plan is None:
                raise AblationError(f"This panel only watches {self._folder}. To train: dw.AblationPanel(specs, images, out=...).")
            status = self.status()
            if status.phase in ACTIVE:
                raise AblationError(f"A study is trained in {self._folder} already. Cancel it first.")
            if not status.can_start:
                raise AblationError(f"The study in {self._folder} is complete: add variants or seeds, or pass overwrite=True.")
            plan = self._plan if variants is None else self._plan.only(variants)
            self._failure, self._progress = "", None
            self._job = self._executor.submit("ablation", lambda job: self._run(plan, job), self._fail)
        self.look()

    def cancel(self) -> None:
        """Ask the study to save its state and to stop, in whichever process it runs. Raises AblationError if none is trained."""
        with self._lock:
            self._content = self._read()
            if self.status().phase not in ACTIVE:
                raise AblationError(f"No study is trained in {self._folder}.")
            if self._job is not None:
                self._job.cancel()
            if self._folder.is_dir():
                request_stop(self._folder)
        self.look()

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until no run is trained, and return the service. Raises ServiceError if one still is after `timeout` seconds."""
        limit = seconds(timeout)
        end = None if limit is None else time.monotonic() + limit
        while True:
            self.look()
            if self.status().phase not in ACTIVE:
                return self
            if end is not None and time.monotonic() >= end:
                raise ServiceError(f"The study is still running after {limit:g} s: wait longer, or watch its progress.")
            time.sleep(_POLL)

    def study_file(self, kind: AblationFile) -> bytes:
        """Return the table as a file. Raises ServiceError for an unknown kind, and as long as no run is complete."""
        return study_file(kind, self.status().table)

    def model_service(self, variant: str, seed: int | None = None) -> Any:
        """Return the model service of a run's network, the same one until the run has a later checkpoint.

        Raises
        ------
        AblationError
            If there is no such run or no checkpoint yet, or if the images or what builds the network are not known here.
        """
        study = self._opened()
        epoch = study.checkpoints(variant, seed).epochs[-1]
        with self._lock:
            key = variant, seed, epoch
            if key not in self._services:
                self._services[key] = study.service(variant, seed)
            return self._services[key]

    def look(self) -> None:
        """Look at the folder now, and tell the subscribers if something has changed."""
        with self._lock:
            self._content = self._read()
            status = self.status()
            changed, self._published = status != self._published, status
        if changed:
            self._events.publish(ServiceEvent("ablation"))

    def close(self) -> None:
        """End the training of this service, with its state saved, and the services of its networks."""
        self._executor.close()
        with self._lock:
            services, self._services = self._services, {}
        for service in services.values():
            service.close()

    def __repr__(self) -> str:
        return f"LocalAblationService({self._folder}, {self.status().phase})"

    def _opened(self) -> AblationStudy:
        if self._study is not None:
            return self._study
        if self._plan is not None:
            return AblationStudy(self._folder, self._plan.specs, self._plan.images)
        return AblationStudy(self._folder)

    def _read(self) -> Content:
        """Return what the folder says, and what cannot be read, in words."""
        try:
            found = read_study(self._folder)
            planned: StudyDescription | None = None if self._plan is None else self._plan.description
            # Before the first start, the panel shows what would be trained, with the runs that are there already.
            described = planned if planned is not None else found
            table = None if described is None else self._reader.table(described)
            return Content(described, table, is_trained(self._folder), stop_requested(self._folder))
        except DeconvWidgetsError as error:
            return Content(problem=str(error))

    def _look(self) -> bool:
        """Look at the folder, and return whether there is a subscription."""
        self.look()
        return len(self._events) > 0

    def _run(self, plan: StudyPlan, job: Job) -> None:
        try:
            with Cores().all_but_one():
                run_plan(plan, JobContext(on_progress=self._note, cancelled=lambda: job.cancelled))
        except JobCancelledError:
            return  # the folder says so
        finally:
            self._progress = None

    def _note(self, progress: Progress) -> None:
        self._progress = progress

    def _fail(self, message: str) -> None:
        with self._lock:
            self._failure = message
