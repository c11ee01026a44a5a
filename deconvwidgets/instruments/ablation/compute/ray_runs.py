"""The runs of a study as tasks of Ray, several at a time. Ray is an extra: nothing else imports this module."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deconvwidgets.checkpoints.log_file import request_stop, stop_requested
from deconvwidgets.compute.job import JobContext
from deconvwidgets.compute.ray_cluster import ClusterShape, ray_session
from deconvwidgets.errors import AblationError, ActivationIndexError, JobCancelledError
from deconvwidgets.instruments.ablation.compute.measure import STOPPED
from deconvwidgets.instruments.ablation.compute.one_run import RunRequest, train_one
from deconvwidgets.records.progress import Progress

_LOOK = 1.0  # seconds between two looks at the request to stop
_PATIENCE = 60.0  # seconds in which runs save their states before they are ended


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Why a run failed, None if it did not; whether it was stopped; and its warnings."""

    failure: str | None = None
    stopped: bool = False
    warnings: tuple[str, ...] = ()


def train_on_ray(requests: Sequence[RunRequest], workers: int, job: JobContext) -> list[str]:
    """Train `workers` runs at a time, each with a share of the cluster, and return the messages of those that failed.

    The cluster is that to which `ray.init` has connected this process; without one, Ray is started on this machine. A run whose process
    or machine is lost has failed. Any other error than one of the package ends the study, as it does in one process.

    Raises
    ------
    AblationError
        If Ray is not installed or cannot be started, if it has too few CPUs or GPUs, or if a run cannot be sent to another process.
    JobCancelledError
        If the job is cancelled or the study was asked to stop; the runs have saved their states then.
    """
    if not requests:
        return []
    try:
        with ray_session(None) as ray:
            return _train(ray, requests, workers, job)
    except (ImportError, ActivationIndexError) as error:
        raise AblationError(f"engine='ray': {error}") from error


def _train(ray: Any, requests: Sequence[RunRequest], workers: int, job: JobContext) -> list[str]:
    on_gpu, resources = _resources(ray, requests, workers)
    task, study = ray.remote(max_retries=0, **resources)(_work), requests[0].study
    waiting, running, stopped = list(requests), dict[Any, RunRequest](), False
    failures: list[str] = []
    try:
        with job.progress_bar("training", "run", len(requests), requests[0].progress) as bar:
            while running or (waiting and not stopped):
                while waiting and len(running) < workers and not stopped:
                    request = waiting.pop(0)
                    running[_submitted(task, request, on_gpu)] = request
                for ended in ray.wait(list(running), timeout=_LOOK)[0]:
                    request = running.pop(ended)
                    outcome = _outcome(ray, ended, request)
                    _warn(request, outcome)
                    stopped = stopped or outcome.stopped
                    failures += [] if outcome.failure is None else [outcome.failure]
                    done = len(requests) - len(waiting) - len(running)
                    bar.report(Progress(f"{request.title}: trained", done, len(requests)))
                if not stopped and (job.cancelled() or stop_requested(study)):
                    stopped = True
                    request_stop(study)  # the tasks see it there
    finally:
        _stop(ray, running, study)
    if stopped:
        raise JobCancelledError(STOPPED)
    return failures


def _resources(ray: Any, requests: Sequence[RunRequest], workers: int) -> tuple[bool, dict[str, int]]:
    """Return whether runs are trained on GPUs, and what each of them gets. Raises AblationError if there is too little."""
    nodes = ray.nodes()
    shape = ClusterShape.of(nodes)
    on_gpu = shape.gpus > 0 and any(str(request.device) != "cpu" for request in requests)
    available = shape.gpus if on_gpu else shape.cpus
    if workers > available:
        raise AblationError(f"workers={workers} is more than the cluster's {available} {'GPUs' if on_gpu else 'CPUs'}.")
    if on_gpu:
        return True, {"num_gpus": 1, "num_cpus": 1}
    largest = max(int(node["Resources"].get("CPU", 0)) for node in nodes if node["Alive"])  # Ray waits forever for more than a node has
    return False, {"num_cpus": max(1, min(shape.cpus // workers, largest))}


def _submitted(task: Any, request: RunRequest, on_gpu: bool) -> Any:
    """Submit a run with its folders as other processes find them, and on the only GPU that its process sees."""
    device = "auto" if on_gpu else request.device
    sent = replace(request, study=request.study.resolve(), folder=request.folder.resolve(), device=device, progress=False)
    try:
        return task.remote(sent)
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        first = str(error).strip().partition("\n")[0]
        raise AblationError(
            f"engine='ray': {request.title} cannot be sent to another process ({first}). Give images and networks that can be pickled: a "
            "folder, and functions or classes of a module."
        ) from error


def _outcome(ray: Any, ended: Any, request: RunRequest) -> _Outcome:
    try:
        outcome: _Outcome = ray.get(ended)
    except ray.exceptions.RayTaskError as error:
        raise (error.cause or error) from error
    except ray.exceptions.RayError as error:
        first = str(error).strip().partition("\n")[0].rstrip(".")
        return _Outcome(f"{request.title}: the process that trained it was lost ({first}). The same call goes on from its last state.")
    return outcome


def _warn(request: RunRequest, outcome: _Outcome) -> None:
    for message in outcome.warnings:
        warnings.warn(f"{request.title}: {message}", stacklevel=6)


def _stop(ray: Any, running: Collection[Any], study: Path) -> None:
    """Let runs that an error or an interruption has left save their states, and end those that do not: the study's lock is released."""
    if running:
        request_stop(study)
        _, left = ray.wait(list(running), num_returns=len(running), timeout=_PATIENCE)
        for one in left:
            ray.cancel(one, force=True)


def _work(request: RunRequest) -> _Outcome:
    """Train a run in a process of Ray."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            failure, stopped = train_one(request, JobContext()), False
        except JobCancelledError:
            failure, stopped = None, True
    told = dict.fromkeys(str(entry.message) for entry in caught if issubclass(entry.category, UserWarning))
    return _Outcome(failure, stopped, tuple(told))
