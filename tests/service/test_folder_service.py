"""The base of services of a folder: what it starts, refuses, stops and tells, for any computation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deconvwidgets.checkpoints.log_file import stop_requested
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import JobCancelledError, ServiceError, TrainingError
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.folder_service import FolderService
from deconvwidgets.service.protocol import ServiceEvent


@dataclass(frozen=True)
class Status:
    phase: str
    can_start: bool
    message: str = ""
    progress: Progress | None = None


class Search(FolderService[bool, Status]):
    """A computation that is complete when there is a file `result`."""

    KIND = NOUN = "search"
    ERROR = TrainingError
    TO_RUN, TO_RUN_MORE = "Search(folder, work)", "search for more"

    def __init__(self, folder: Path, work: Callable[[JobContext], Any] | None, executor: Any) -> None:
        self._work = work
        super().__init__(folder, executor=executor)

    def _read(self) -> bool:
        return (self._folder / "result").exists()

    def status(self) -> Status:
        own = self._own_run
        phase = own if own != "none" else "done" if self._content else "new"
        return Status(phase, not self._content, self._failure, self._progress)

    def start(self) -> None:
        self._begin(self._work)


def test_a_computation_is_started_once_and_told(tmp_path: Path, manual_executor: Any) -> None:
    seen: list[Any] = []

    def work(job: JobContext) -> None:
        job.report(Progress("searching", 1, 2))
        seen.append(service.status().progress)
        (tmp_path / "result").touch()

    service = Search(tmp_path, work, manual_executor)
    service.subscribe(lambda event: seen.append(event), {"search"})
    service.start()
    assert seen == [ServiceEvent("search")]
    service.look()
    assert len(seen) == 1  # nothing has changed
    with pytest.raises(TrainingError, match=r"A search is running in .* already\. Cancel it first"):
        service.start()
    with pytest.raises(ServiceError, match=r"The search is still running after 0\.01 s"):
        service.wait(0.01)
    seen.clear()
    manual_executor.jobs[-1].run()
    assert seen == [Progress("searching", 1, 2)]
    assert service.wait(1).status() == Status("done", False)
    with pytest.raises(TrainingError, match="is complete: search for more, or overwrite=True"):
        service.start()
    with pytest.raises(TrainingError, match="No search is running in"):
        service.cancel()


def test_a_failure_is_in_the_status_until_the_next_start_and_a_cancelled_one_is_none(tmp_path: Path, manual_executor: Any) -> None:
    def work(job: JobContext) -> None:
        if job.cancelled():
            raise JobCancelledError("stopped")
        raise TrainingError("nothing was found")

    service = Search(tmp_path / "none yet", work, manual_executor)
    service.start()
    manual_executor.jobs[-1].run()
    assert service.status() == Status("new", True, "nothing was found")
    service.start()
    assert service.status().message == ""
    service.cancel()  # there is no folder yet for a request to stop
    assert service.status().phase == "stopping"
    (tmp_path / "none yet").mkdir()
    service.cancel()
    assert stop_requested(tmp_path / "none yet")  # for a computation of another process
    manual_executor.jobs[-1].run()
    assert service.status() == Status("new", True)
    with pytest.raises(TrainingError, match=r"only watches .*\. To run a search there: Search\(folder, work\)"):
        Search(tmp_path, None, manual_executor).start()
