"""One training in one process, which may be one of several: what is built, in which order, and how it ends."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.optim import SGD, Optimizer

from deconvwidgets.checkpoints.checkpoint_file import checkpoint_path
from deconvwidgets.checkpoints.description import TrainingDescription
from deconvwidgets.checkpoints.log_file import read_log
from deconvwidgets.checkpoints.open import open_checkpoints
from deconvwidgets.compute.decoding import usable_cores
from deconvwidgets.compute.gradients import with_gradients
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import CheckpointError, DeconvWidgetsError, JobCancelledError, TrainingError
from deconvwidgets.images.labels import count, listed
from deconvwidgets.instruments.training.compute.architecture import Architecture, BuiltNetwork, build_network, prepare_parameters
from deconvwidgets.instruments.training.compute.batches import TrainingBatches, ValidationBatches
from deconvwidgets.instruments.training.compute.counters import Counters
from deconvwidgets.instruments.training.compute.folder import locked, prepare_folder
from deconvwidgets.instruments.training.compute.loop import TrainingLoop
from deconvwidgets.instruments.training.compute.pixels import PixelsInMemory, PixelSource, copies_in_both, open_pixels
from deconvwidgets.instruments.training.compute.processes import Processes, training_processes
from deconvwidgets.instruments.training.compute.progress_report import ProgressReport
from deconvwidgets.instruments.training.compute.recipe import Recipe
from deconvwidgets.instruments.training.compute.state import load_state
from deconvwidgets.instruments.training.compute.trained_model import TrainedModel
from deconvwidgets.instruments.training.compute.training_images import TrainingImages, training_images
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.network_digest import settings_digest, weights_digest
from deconvwidgets.models.preprocess import Preprocess, default_preprocess

_ENLARGED = 256 / 224  # the photographs' shorter side, of the input's (section 3)


@dataclass(frozen=True, kw_only=True)
class TrainingRequest:
    """The arguments of `train`, checked."""

    architecture: Architecture
    images: object
    validation: object
    recipe: Recipe
    folder: Path
    input_size: object = None
    name: str | None = None
    pretrained: bool = False
    resume: bool = True
    overwrite: bool = False
    device: str | torch.device = "auto"
    progress: bool = True


def run_training(request: TrainingRequest, job: JobContext) -> TrainedModel:
    """Train, and return the result."""
    images = training_images(request.images, request.validation, request.recipe.validation_share, request.recipe.seed)
    with with_gradients(), training_processes(request.device) as processes, _own_generators(processes.device):
        network = build_network(request.architecture, len(images.categories), request.input_size, request.recipe.seed, request.name)
        recipe = request.recipe.resolved(network.of_paper and not request.pretrained)
        prepare_parameters(network, recipe)
        with locked(request.folder) if processes.leads else nullcontext():
            if processes.leads:
                prepare_folder(request.folder, _description(network, images, request), request.resume, request.overwrite)
            processes.wait_for_all()
            _train(network, images, recipe, request, processes, job)
            processes.wait_for_all()
        return _result(network, images, request)


def prepare_training(request: TrainingRequest) -> None:
    """Refuse what `run_training` would refuse before its first step, and delete a training that is to be overwritten."""
    images = training_images(request.images, request.validation, request.recipe.validation_share, request.recipe.seed)
    with with_gradients(), locked(request.folder):
        network = build_network(request.architecture, len(images.categories), request.input_size, request.recipe.seed, request.name)
        prepare_folder(request.folder, _description(network, images, request), request.resume, request.overwrite)


@contextmanager
def _own_generators(device: torch.device) -> Iterator[None]:
    """Leave torch's global generators as they are after training."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


def _description(network: BuiltNetwork, images: TrainingImages, request: TrainingRequest) -> TrainingDescription:
    counts = {"training_images": len(images.train), "validation_images": len(images.validation or ())}
    parameters = sum(parameter.numel() for parameter in network.model.parameters())
    extra = {"validation_digest": images.validation_digest, **_network_parts(network, request), **counts, "parameters": parameters}
    return TrainingDescription(
        name=network.name,
        architecture=network.architecture,
        pretrained=request.pretrained,
        categories=images.categories,
        input_size=network.input_size,
        transform=_transform(network),
        image_set=images.name,
        image_digest=images.digest,
        recipe={**request.recipe.to_plain(), **extra},
    )


def _network_parts(network: BuiltNetwork, request: TrainingRequest) -> dict[str, Any]:
    """Return what tells a network from another one.

    Weights count if they are trained. Random ones are drawn from the seed, or anew by each run of a script that passes a network; those
    of the first run are resumed then.
    """
    given = request.architecture
    return {
        "structure": network.structure,
        "network": settings_digest(network.model),
        "frozen": [name for name, parameter in network.model.named_parameters() if not parameter.requires_grad],
        "initial_weights": weights_digest(given) if isinstance(given, torch.nn.Module) and request.pretrained else None,
    }


def _transform(network: BuiltNetwork) -> Preprocess:
    """Return the transform of the bundle: as in section 3, the photograph is somewhat larger than its central crop."""
    plain = default_preprocess(network.input_size)
    return replace(plain, resize=round(max(network.input_size[1:]) * _ENLARGED))


def _train(
    network: BuiltNetwork, images: TrainingImages, recipe: Recipe, request: TrainingRequest, processes: Processes, job: JobContext
) -> None:
    model = network.model.to(processes.device)
    optimizer = _optimizer(model, recipe)
    counters = load_state(request.folder, model, optimizer)
    if counters is not None and counters.epoch >= recipe.epochs:
        _check_complete(request.folder, counters)
        if checkpoint_path(request.folder, counters.epoch).exists():
            return
    shown = request.progress and processes.leads
    batches, validation = _batches(network, images, recipe, job, shown)
    report = ProgressReport(request.folder, recipe.epochs, batches.steps, len(images.train), job, shown, processes.leads)
    if processes.leads:
        _warn_of_frozen(model, network.name)
    _warn_of_batch_norm(model, processes)
    if processes.leads:
        _warn_of_skipped(batches.pixels, None if validation is None else validation.pixels)
    if processes.leads and validation is not None:
        _warn_of_copies(batches.pixels, validation.pixels)
    loop = TrainingLoop(
        model=model,
        optimizer=optimizer,
        recipe=recipe,
        batches=batches,
        validation=validation,
        normalise=_transform(network).normalise,
        processes=processes,
        folder=request.folder,
        architecture=network.architecture,
        report=report,
        job=job,
    )
    with _reported(loop, report):
        if counters is None:
            loop.begin()
        else:
            loop.counters = counters
        with report.bar(loop.counters):
            loop.run()


def _check_complete(folder: Path, counters: Counters) -> None:
    """Raise TrainingError if the state is that of the middle of a later epoch: its weights are those of no epoch."""
    if counters.step:
        raise TrainingError(
            f"The training in {folder} is already {count(counters.step, 'step')} into epoch {counters.epoch + 1}: pass "
            f"epochs={counters.epoch + 1} or more, open the kept epochs with dw.open_checkpoints, or choose another folder."
        )


def _optimizer(model: torch.nn.Module, recipe: Recipe) -> Optimizer:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if recipe.optimizer is None:
        return SGD(parameters, lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
    made = recipe.optimizer(parameters)
    if not isinstance(made, Optimizer):
        raise TrainingError(f"optimizer must return a torch.optim.Optimizer, not a {type(made).__name__}.")
    return made


def _batches(
    network: BuiltNetwork, images: TrainingImages, recipe: Recipe, job: JobContext, shown: bool
) -> tuple[TrainingBatches, ValidationBatches | None]:
    transform = _transform(network)
    height, width = transform.crop
    whole = transform if recipe.crops is None or transform.resize is None else replace(transform, crop=(transform.resize, transform.resize))
    margin = (whole.crop[0] - height, whole.crop[1] - width)
    pixels = open_pixels(images.train, whole, recipe.memory_share, job, "decoding training images", shown, look=True)
    # Those that cannot be read are left out before the order is drawn, in memory or not: else the free memory would change the result.
    labels, pixels = images.train.labels[pixels.readable], pixels.only_readable()
    batches = TrainingBatches(pixels, labels, (height, width), margin, recipe, _threads(pixels, job))
    if images.validation is None:
        return batches, None
    held = open_pixels(images.validation, transform, recipe.memory_share, job, "decoding validation images", shown)
    return batches, ValidationBatches(held, images.validation.labels, recipe.batch_size, _threads(held, job))


def _threads(pixels: PixelSource, job: JobContext) -> int:
    """Return the number of threads that prepare batches: one per core where they decode files."""
    return 1 if isinstance(pixels, PixelsInMemory) else max(job.decode_threads, usable_cores())


def _warn_of_frozen(model: torch.nn.Module, name: str) -> None:
    frozen = {key: parameter.numel() for key, parameter in model.named_parameters() if not parameter.requires_grad}
    if frozen:
        total = sum(parameter.numel() for parameter in model.parameters())
        warnings.warn(
            f"{sum(frozen.values()):,} of the {total:,} parameters of {name} are frozen (requires_grad=False: {listed(list(frozen))}): "
            "they stay as they are. To train all, call requires_grad_(True) on the network first.",
            stacklevel=5,
        )


def _warn_of_batch_norm(model: torch.nn.Module, processes: Processes) -> None:
    normalises = any(isinstance(part, torch.nn.modules.batchnorm._BatchNorm) for part in model.modules())
    if processes.count > 1 and processes.leads and normalises:
        warnings.warn(
            f"Batch norm takes its statistics from each process's own share of a batch, 1 of {processes.count}, and keeps those of process "
            "0: the training differs from that of one process. On GPUs, torch.nn.SyncBatchNorm.convert_sync_batchnorm(model) changes that.",
            stacklevel=5,
        )


def _warn_of_skipped(*sources: PixelSource | None) -> None:
    skipped = [one for source in sources if source is not None for one in source.skipped]
    if skipped:
        warnings.warn(f"{count(len(skipped), 'photograph')} cannot be read and left out: {skipped[0].reason}", stacklevel=5)


def _warn_of_copies(train: PixelSource, validation: PixelSource) -> None:
    copies = copies_in_both(train, validation)
    if copies:
        warnings.warn(
            f"{count(copies, 'photograph')} to validate on {'is' if copies == 1 else 'are'} also among those to train on, by their pixels: "
            "the validation accuracy is too high. Remove the copies.",
            stacklevel=5,
        )


@contextmanager
def _reported(loop: TrainingLoop, report: ProgressReport) -> Iterator[None]:
    """Write how the training ended to progress.json, where it can be written."""
    try:
        report.state("running", loop.counters, loop.learning_rate)
        yield
        report.state("finished", loop.counters, loop.learning_rate)
    except (JobCancelledError, KeyboardInterrupt) as error:
        with suppress(CheckpointError):
            report.state("cancelled", loop.counters, message=str(error) or "The training was interrupted.")
        raise
    except Exception as error:
        with suppress(CheckpointError):
            report.state("failed", loop.counters, message=str(error) or type(error).__name__)
        if isinstance(error, CheckpointError) or not isinstance(error, DeconvWidgetsError | ImportError):
            raise _in_words(error, loop) from error
        raise


def _in_words(error: Exception, loop: TrainingLoop) -> Exception:
    if isinstance(error, CheckpointError):
        return TrainingError(f"{error} Then call dw.train again with the same arguments: it resumes from the last state in {loop.folder}.")
    if isinstance(error, torch.OutOfMemoryError):
        return TrainingError("The device has too little memory for this network and batch size: pass a smaller batch_size or input_size.")
    return error


def _result(network: BuiltNetwork, images: TrainingImages, request: TrainingRequest) -> TrainedModel:
    model = network.model.to("cpu").eval().requires_grad_(False)
    log, epochs = read_log(request.folder), request.recipe.epochs
    bundle = ModelBundle.from_module(model, _transform(network), images.categories, network.input_size, network.name, task="softmax")
    described = replace(bundle, weights=f"trained on {images.name}, {epochs} {'epoch' if epochs == 1 else 'epochs'}")
    return TrainedModel(described, log, open_checkpoints(request.folder, build=model), request.folder)
