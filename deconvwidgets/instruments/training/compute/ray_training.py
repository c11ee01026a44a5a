"""Training in several processes of Ray Train, on one machine or a cluster. Ray is an extra: nothing else imports this module."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

from deconvwidgets.compute.job import JobContext
from deconvwidgets.compute.ray_cluster import INSTALL, ray_session
from deconvwidgets.errors import ActivationIndexError, DeconvWidgetsError, TrainingError
from deconvwidgets.instruments.training.compute.run import TrainingRequest, prepare_training, run_training
from deconvwidgets.instruments.training.compute.trained_model import TrainedModel
from deconvwidgets.models.devices import checked_device


def run_on_ray(request: TrainingRequest, workers: int, job: JobContext) -> TrainedModel:
    """Train in `workers` processes of Ray Train, and return the result.

    The folder must be one that all machines see under the same path. Progress is in the folder; the job's cancellation is not passed on:
    the folder's file `stop` is.

    Raises
    ------
    TrainingError
        As in `train`, and if Ray is not installed or cannot be started, or has too few CPUs.
    """
    try:
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer
    except ImportError as error:
        raise TrainingError(f"engine='ray' needs Ray Train ({error}): {INSTALL}, and pip install 'ray[train]'.") from error
    prepare_training(request)  # what is refused is refused here, in the caller's process
    request = replace(request, folder=request.folder.resolve(), overwrite=False, resume=True)
    on_gpu = checked_device(request.device).type == "cuda"

    def work(config: dict[str, Any]) -> None:
        run_training(config["request"], JobContext())

    storage = request.folder / "ray"  # for Ray's own files, where all machines see it
    try:
        with ray_session(None):
            trainer = TorchTrainer(
                work,
                train_loop_config={"request": request},
                torch_config=TorchConfig(backend="nccl" if on_gpu else "gloo"),
                scaling_config=ScalingConfig(num_workers=workers, use_gpu=on_gpu),
                run_config=RunConfig(name="deconvwidgets", storage_path=str(storage)),
            )
            trainer.fit()
    except ActivationIndexError as error:
        raise TrainingError(f"{error}: several processes on one machine are started by torchrun, too.") from error
    except Exception as error:
        if not type(error).__module__.startswith("ray."):
            raise
        raise _failure(error) from error
    finally:
        shutil.rmtree(storage, ignore_errors=True)
    return run_training(request, job)  # finished: it only reads the folder


def _failure(error: Exception) -> DeconvWidgetsError:
    """Return the failure of a worker as its own error."""
    causes = [*getattr(error, "worker_failures", {}).values(), error.__cause__]
    for cause in causes:
        inner = getattr(cause, "cause", None) or cause
        if isinstance(inner, DeconvWidgetsError):
            return type(inner)(str(inner))
    lines = [line for line in str(error).splitlines() if line.strip()]
    return TrainingError(f"Training on Ray failed: {lines[-1] if lines else type(error).__name__}")
