"""The runs of a study as tasks of Ray, several at a time. Ray is an extra: nothing else imports this module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from deconvwidgets.checkpoints.log_file import request_stop, stop_requested
from deconvwidgets.compute.job import JobContext
from deconvwidgets.compute.ray_cluster import ClusterShape, ray_session
from deconvwidgets.errors import AblationError, ActivationIndexError, JobCancelledError
from deconvwidgets.instruments.ablation.compute.one_run import RunRequest, train_one

_LOOK = 1.0  # seconds between two looks at the request to stop


def train_on_ray(requests: Sequence[RunRequest], workers: int, job: JobContext) -> list[str]:
    """Train `workers` runs at a time, each with a share of the cluster, and return the messages of those that failed.

    Raises
    ------
    AblationError
        If Ray is not installed or cannot be started, or has too few CPUs or GPUs.
    JobCancelledError
        If the job is cancelled or the study was asked to stop; the runs have saved their states then.
    """
    try:
        with ray_session(None) as ray:
            return _train(
                ray,
                [replace(request, study=request.study.resolve(), folder=request.folder.resolve()) for request in requests],
                workers,
                job,
            )
    except (ImportError, ActivationIndexError) as error:
        raise AblationError(f"engine='ray': {error}") from error


def _train(ray: Any, requests: Sequence[RunRequest], workers: int, job: JobContext) -> list[str]:
    shape = ClusterShape.of(ray.nodes())
    on_gpu = shape.gpus > 0 and any(str(request.device) != "cpu" for request in requests)
    available = shape.gpus if on_gpu else shape.cpus
    if workers > available:
        raise AblationError(f"workers={workers} is more than the cluster's {available} {'GPUs' if on_gpu else 'CPUs'}.")
    resources = {"num_gpus": 1, "num_cpus": 1} if on_gpu else {"num_cpus": max(1, shape.cpus // workers)}
    task = ray.remote(max_retries=0, **resources)(_work)
    waiting, stopped = list(requests), False
    running: list[Any] = []
    failures: list[str] = []
    while running or (waiting and not stopped):
        while waiting and len(running) < workers and not stopped:
            running.append(task.remote(waiting.pop(0)))
        done, running = ray.wait(running, timeout=_LOOK)
        for ended in done:
            message, cancelled = ray.get(ended)
            stopped = stopped or cancelled
            failures += [] if message is None else [message]
        if not stopped and requests and (job.cancelled() or stop_requested(requests[0].study)):
            stopped = True
            request_stop(requests[0].study)  # the tasks see it there
    if stopped:
        raise JobCancelledError("The study was stopped. Call dw.run_ablation with the same arguments to resume.")
    return failures


def _work(request: RunRequest) -> tuple[str | None, bool]:
    """Return why a run failed, and whether it was stopped."""
    try:
        return train_one(request, JobContext()), False
    except JobCancelledError:
        return None, True
