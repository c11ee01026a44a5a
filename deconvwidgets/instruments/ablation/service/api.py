"""A study that is trained here, or watched by its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from deconvwidgets.checkpoints.log_file import stop_requested
from deconvwidgets.errors import AblationError, DeconvWidgetsError
from deconvwidgets.instruments.ablation.compute.plan import StudyPlan
from deconvwidgets.instruments.ablation.compute.run import run_plan
from deconvwidgets.instruments.ablation.compute.study import AblationStudy
from deconvwidgets.instruments.ablation.compute.study_file import StudyDescription, is_trained, read_study
from deconvwidgets.instruments.ablation.compute.study_reader import StudyReader
from deconvwidgets.instruments.ablation.figures.files import study_file
from deconvwidgets.instruments.ablation.records import AblationFile, AblationStatus
from deconvwidgets.instruments.ablation.service.status import Content, status_of
from deconvwidgets.service.folder_service import FolderService
from deconvwidgets.service.watch import INTERVAL
from deconvwidgets.service.worker import Executor


class LocalAblationService(FolderService[Content, AblationStatus]):
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

    KIND, NOUN = "ablation", "study"
    ERROR = AblationError
    TO_RUN = "dw.AblationPanel(specs, images, out=...)"
    TO_RUN_MORE = "add variants or seeds"

    def __init__(self, study: AblationStudy | StudyPlan | Path, *, interval: float = INTERVAL, executor: Executor | None = None) -> None:
        self._plan = study if isinstance(study, StudyPlan) else None
        self._study = study if isinstance(study, AblationStudy) else None
        folder = study if isinstance(study, Path) else study.folder
        self._reader = StudyReader(folder)
        self._services_lock = Lock()  # of its own: a status must not wait until a network is opened
        self._services: dict[Path, tuple[tuple[int, str], Any]] = {}  # by the folder of the run: the epoch and digest, and the service
        super().__init__(folder, interval, executor)

    def status(self) -> AblationStatus:
        """Return the state of the study, as it was seen last."""
        with self._lock:
            return status_of(
                self._folder,
                self._content,
                trains=self._plan is not None,
                overwrite=self._replaces,
                explorable=self._plan is not None or (self._study is not None and self._study.images is not None),
                own_run=self._own_run,
                failure=self._failure,
                progress=self._progress,
            )

    def start(self, variants: Sequence[str] | None = None) -> None:
        """Train the runs that are not complete, of some variants or all, on a worker.

        Raises
        ------
        AblationError
            If this service only watches a folder, if a study is trained there, if it is complete, or for an unknown variant.
        """
        plan = self._plan if self._plan is None or variants is None else self._plan.only(variants)
        self._begin(None if plan is None else partial(run_plan, plan, overwritten=self._keep_runs, warn=self._add_failure))

    def file(self, kind: AblationFile) -> bytes:
        """Return the table as a file. Raises ServiceError for an unknown kind, and as long as no run is complete."""
        return study_file(kind, self.status().table)

    def model_service(self, variant: str, seed: int | None = None) -> Any:
        """Return the model service of a run's network, the same one until the run has a later checkpoint.

        An earlier one of the run is given up: it ends as soon as no explorer uses it.

        Raises
        ------
        AblationError
            If there is no such run or no checkpoint yet, or if the images or what builds the network are not known here.
        """
        if self._replaces:
            raise AblationError(
                f"Nothing of this study is trained yet: the runs in {self._folder} are of an earlier one, which start() deletes. "
                "dw.AblationStudy(folder) opens it."
            )
        study = self._opened()
        with self._services_lock:
            last = study.checkpoints(variant, seed)[-1]
            known = self._services.get(last.path.parent)
            of = last.epoch, last.digest  # another training may have written the folder anew
            if known is None or known[0] != of:
                self._services[last.path.parent] = known = of, study.service(variant, seed)
            return known[1]

    def give_up_model_services(self) -> None:
        """Keep no model service of a run's network: each ends as soon as no explorer uses it.

        It takes no lock: a panel is also closed by the garbage collector, in a thread that may hold it.
        """
        self._services = {}

    def close(self) -> None:
        """End the training of this service, with its state saved, and the services of its networks."""
        super().close()
        with self._services_lock:
            services, self._services = self._services, {}
        for _, service in services.values():
            service.close()

    @property
    def _replaces(self) -> bool:
        """Whether the runs in the folder are of an earlier study, which the next start deletes."""
        return self._plan is not None and self._plan.overwrite

    def _add_failure(self, message: str) -> None:
        """Keep why a run failed, for the status."""
        with self._lock:
            self._failure = f"{self._failure} {message}".strip()

    def _keep_runs(self) -> None:
        """Resume from now on: what this service trained is not overwritten by its next start."""
        assert self._plan is not None
        self._plan = replace(self._plan, overwrite=False)

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
            # Before the first start, the panel shows what would be trained, with the runs that are there already and that it goes on from.
            described = planned if planned is not None else found
            read = self._reader.planned_table if self._replaces else self._reader.table
            table = None if described is None else read(described)
            replaces = self._replaces and found is not None
            return Content(described, table, is_trained(self._folder), stop_requested(self._folder), replaces)
        except DeconvWidgetsError as error:
            return Content(problem=str(error))
