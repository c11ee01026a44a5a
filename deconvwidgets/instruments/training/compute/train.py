"""`dw.train`: train a network on labelled images, with everything that another process must know in one folder."""

from __future__ import annotations

import os
from typing import Any, Literal

import torch

from deconvwidgets.arguments import flag, integer, one_of, text
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.errors import TrainingError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.training.compute.architecture import Architecture
from deconvwidgets.instruments.training.compute.folder import checked_folder
from deconvwidgets.instruments.training.compute.recipe import Recipe, recipe_with
from deconvwidgets.instruments.training.compute.run import TrainingRequest, run_training
from deconvwidgets.instruments.training.compute.trained_model import TrainedModel
from deconvwidgets.models.devices import checked_device

__all__ = ["TrainedModel", "train"]


def train(
    architecture: Architecture,
    images: ImageSet | Any,
    recipe: Recipe | None = None,
    out: str | os.PathLike[str] = "",
    *,
    validation: ImageSet | Any = None,
    input_size: int | tuple[int, int] | tuple[int, int, int] | None = None,
    name: str | None = None,
    pretrained: bool = False,
    resume: bool = True,
    overwrite: bool = False,
    device: str | torch.device = "auto",
    progress: bool = True,
    job: JobContext | None = None,
    engine: Literal["local", "ray"] = "local",
    workers: int = 1,
    **recipe_fields: Any,
) -> TrainedModel:
    """Train a network on labelled images by the recipe of Zeiler & Fergus 2014, section 3, or one of your own.

    Everything is written to the folder `out` while it is computed: the log, the progress, the checkpoints and the state for resuming. The
    same call resumes a training that was stopped, killed or lost; on the CPU of one machine, with the same number of threads, it gives the
    weights of an uninterrupted one, bit for bit. An empty file `stop` in the folder stops it.

    Parameters
    ----------
    architecture : str, torch.nn.Module or callable
        What is trained:

        - "zfnet", one of its variants in table 3 of the paper ("zfnet_without_3_4", "zfnet_without_7", "zfnet_without_6_7",
          "zfnet_without_3_4_6_7", "zfnet_fc2048", "zfnet_fc8192", "zfnet_512_1024_512", "zfnet_512_1024_512_fc8192"), "alexnet", another
          name of torchvision's models, or "timm:" and the name of a model of timm;
        - a function of the number of classes that returns a network, such as the class of your own;
        - a network, of which a copy is trained from the weights that it has. Its frozen parameters (``requires_grad=False``) stay as they
          are, with a warning, and so do the statistics of a batch norm whose parameters are all frozen; if all parameters are frozen, as
          in a bundle, all are trained.

        It maps a batch (N, channels, height, width) to logits (N, classes).
    images : ImageSet, or any argument of `open_images`
        Labelled photographs: the path of a folder with a folder per class, a torchvision data set, "caltech101", ... Of a photograph with
        several crops, the first is used.
    recipe : Recipe, optional
        How it is trained.
    out : str or path
        The folder.
    validation : ImageSet, or any argument of `open_images`, optional
        Photographs to validate on, of the same classes; by default a share of each class of `images` is held out.
    input_size : int, (height, width) or (channels, height, width), optional
        The size of the inputs. Small ones (64, 96, 128) train much faster. By default that of the architecture, or 224.
    name : str, optional
        The name of the network in widgets and figures.
    pretrained : bool
        Whether the network has trained weights, as for fine-tuning: epoch 0 is not labelled as random then.
    resume : bool
        Whether a training in the folder is resumed; otherwise it is an error that there is one.
    overwrite : bool
        Whether a training in the folder is deleted first.
    device : str or torch.device
        "auto", "cpu", "cuda:1", ...
    progress : bool
        Whether to print.
    job : JobContext, optional
        Progress and cancellation.
    engine : {"local", "ray"}
        "ray" trains in `workers` processes of Ray Train.
    workers : int
        The number of processes of "ray".
    **recipe_fields
        Fields of the recipe to change, such as ``epochs=20`` or ``flips=False``.

    Returns
    -------
    TrainedModel
        The network as a bundle, the log and the checkpoints.

    Raises
    ------
    TrainingError
        If an argument is invalid, if the network does not take the images, if the folder has another training or cannot be written, or
        if the loss diverges.
    JobCancelledError
        If the job is cancelled or the folder asks to stop. The state is saved.

    Examples
    --------
    >>> import tempfile, torch, deconvwidgets as dw
    >>> def small(classes):
    ...     return torch.nn.Sequential(
    ...         torch.nn.Conv2d(3, 8, 5, stride=2), torch.nn.ReLU(), torch.nn.AdaptiveMaxPool2d(4), torch.nn.Flatten(),
    ...         torch.nn.Linear(8 * 16, classes),
    ...     )
    >>> folder = tempfile.mkdtemp()
    >>> trained = dw.train(small, "photo-crops", out=folder, input_size=32, epochs=2, progress=False)
    >>> trained.bundle.input_size, [epoch.epoch for epoch in trained.log.epochs]
    ((3, 32, 32), [0, 1, 2])
    """
    one_of(engine, "engine", ("local", "ray"), TrainingError)
    options = checked_options(architecture, name, pretrained, overwrite, "auto" if engine == "ray" else device)  # its processes have others
    request = TrainingRequest(
        architecture=architecture,
        images=images,
        validation=validation,
        recipe=recipe_with(recipe, recipe_fields),
        folder=checked_folder(out),
        input_size=input_size,
        resume=flag(resume, "resume", TrainingError),
        progress=flag(progress, "progress", TrainingError),
        **{**options, "device": device},
    )
    return _run(request, engine, integer(workers, "workers", 1, error=TrainingError), as_job(job))


def checked_options(
    architecture: Architecture, name: str | None, pretrained: bool, overwrite: bool, device: str | torch.device
) -> dict[str, Any]:
    """Return the last four by name. Raises TrainingError, or ModelError for a device that cannot be used."""
    checked_device(device)
    if flag(pretrained, "pretrained", TrainingError) and isinstance(architecture, str):
        raise TrainingError(f"{architecture} is built with random weights: for fine-tuning, pass a network that has trained ones.")
    return {
        "name": None if name is None else text(name, "name", "a text", TrainingError),
        "pretrained": bool(pretrained),
        "overwrite": flag(overwrite, "overwrite", TrainingError),
        "device": device,
    }


def _run(request: TrainingRequest, engine: Literal["local", "ray"], workers: int, job: JobContext) -> TrainedModel:
    if engine == "ray":
        from deconvwidgets.instruments.training.compute.ray_training import run_on_ray  # Ray is an extra

        return run_on_ray(request, workers, job)
    if workers != 1:
        raise TrainingError(
            f"workers={workers} is for engine='ray'. Several processes on this machine: torchrun --nproc-per-node {workers}."
        )
    return run_training(request, job)
