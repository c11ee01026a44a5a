"""The training loop: steps, validation, annealing, checkpoints and the state for resuming."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from deconvwidgets.checkpoints.checkpoint_file import checkpoint_path, write_checkpoint
from deconvwidgets.checkpoints.log_file import append_epoch, stop_requested
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import JobCancelledError, TrainingError
from deconvwidgets.instruments.training.compute.annealing import Plateau, annealed
from deconvwidgets.instruments.training.compute.batches import Batch, TrainingBatches, ValidationBatches
from deconvwidgets.instruments.training.compute.counters import Counters, Sums
from deconvwidgets.instruments.training.compute.dropout import PositionalDropout, seed_of
from deconvwidgets.instruments.training.compute.filters import FilterLimit, root_mean_squares, trained_weights
from deconvwidgets.instruments.training.compute.measures import DeviceSums
from deconvwidgets.instruments.training.compute.processes import Processes
from deconvwidgets.instruments.training.compute.progress_report import ProgressReport
from deconvwidgets.instruments.training.compute.recipe import Recipe
from deconvwidgets.instruments.training.compute.state import all_finite, save_state
from deconvwidgets.instruments.training.compute.training_mode import set_training_mode
from deconvwidgets.records.training_log import EpochLog

_CHECK_STEPS = 10  # steps between two looks at the loss and at requests to stop, where a look costs a wait for others


@dataclass
class TrainingLoop:
    """Trains a model from its counters on.

    Parameters
    ----------
    model : torch.nn.Module
        The network, on the device of `processes`.
    optimizer : Optimizer
        The optimiser of its parameters.
    recipe : Recipe
        Without "auto".
    batches, validation : TrainingBatches and ValidationBatches or None
        The images.
    normalise : callable
        Returns inputs for pixels, uint8 (n, channels, height, width).
    processes : Processes
        The processes that train together.
    folder : Path
        The folder of the files.
    architecture : str or None
        The name of the architecture, for the checkpoints.
    report : ProgressReport
        Reports the progress.
    job : JobContext
        Cancellation and the device lease.
    counters : Counters
        How far the training is.
    """

    model: nn.Module
    optimizer: Optimizer
    recipe: Recipe
    batches: TrainingBatches
    validation: ValidationBatches | None
    normalise: Callable[[Tensor], Tensor]
    processes: Processes
    folder: Path
    architecture: str | None
    report: ProgressReport
    job: JobContext
    counters: Counters = field(default_factory=Counters)

    def __post_init__(self) -> None:
        self._wrapped = self.processes.wrapped(self.model)
        self._sums = DeviceSums(self.processes)
        limit = self.recipe.max_filter_rms
        self._limit = None if limit is None else FilterLimit(self.model, float(limit))
        self._saved = time.monotonic()
        self._update_rms: dict[str, float] = {}
        alone_on_cpu = self.processes.count == 1 and self.processes.device.type == "cpu"
        self._check_steps = 1 if alone_on_cpu else _CHECK_STEPS

    @property
    def learning_rate(self) -> float:
        """The learning rate of the first group of parameters."""
        return float(self.optimizer.param_groups[0]["lr"])

    def begin(self) -> None:
        """Apply the filter limit to the initial weights, and record epoch 0."""
        if self._limit is not None:
            self._limit.apply()
        weight_rms = root_mean_squares(trained_weights(self.model))
        self._record(with_validation(EpochLog(epoch=0, seconds=0.0, weight_rms=weight_rms), self._validate()))
        self._save()

    def run(self) -> None:
        """Train to the last epoch.

        Raises
        ------
        TrainingError
            If the loss is no longer finite, or if a file cannot be written.
        JobCancelledError
            If the job is cancelled or the folder asks to stop. The state is saved.
        """
        while self.counters.epoch < self.recipe.epochs:
            self._run_epoch()
        if self.processes.leads and not checkpoint_path(self.folder, self.counters.epoch).exists():
            self._write_checkpoint(self.counters.epoch)  # of a training that was to have more epochs

    def _run_epoch(self) -> None:
        epoch = self.counters.epoch
        if self.recipe.schedule is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = float(self.recipe.schedule(epoch))
        set_training_mode(self.model)
        share = (self.processes.rank, self.processes.count)
        with closing(self.batches.of_epoch(epoch, self.counters.step, share)) as batches:
            started = time.perf_counter()
            for batch in batches:
                self._step(batch)
                seconds, started = time.perf_counter() - started, time.perf_counter()
                self._count_step(seconds)
        self._end_epoch()

    def _step(self, batch: Batch) -> None:
        counters = self.counters
        seeds = (self.recipe.seed, counters.epoch, counters.step)
        last = counters.step == self.batches.steps - 1
        before = {name: weight.detach().clone() for name, weight in trained_weights(self.model).items()} if last else None
        batch = batch.at_least_one()
        with self.job.device_lease():
            inputs, labels, weights = self._on_device(batch)
            torch.manual_seed(seed_of(*seeds, self.processes.rank))  # for what is random in the model beside dropout
            self.optimizer.zero_grad(set_to_none=True)
            with PositionalDropout(seeds, batch.rows, self.recipe.dropout):
                logits = self._wrapped(inputs)
            losses = F.cross_entropy(logits, labels, reduction="none")
            # DistributedDataParallel averages over processes, whose shares may differ in size.
            ((losses * weights).sum() * (self.processes.count / batch.rows.total)).backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            if self._limit is not None:
                self._limit.apply()
            self._sums.add(losses.detach(), logits, labels, weights)
            if before is not None:
                self._update_rms = root_mean_squares(trained_weights(self.model), before)

    def _on_device(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        device = self.processes.device
        pixels, labels, weights = batch.pixels, batch.labels, batch.weights
        if device.type == "cuda":
            pixels, labels, weights = (part.pin_memory().to(device, non_blocking=True) for part in (pixels, labels, weights))
        else:
            pixels, labels, weights = (part.to(device) for part in (pixels, labels, weights))
        return self.normalise(pixels), labels, weights

    def _count_step(self, seconds: float) -> None:
        counters = self.counters
        self.counters = replace(
            counters, step=counters.step + 1, seconds=counters.seconds + seconds, epoch_seconds=counters.epoch_seconds + seconds
        )
        if self.counters.step % self._check_steps:
            return
        if self.counters.step == self.batches.steps:
            return  # the end of the epoch looks, and saves
        old = self.processes.leads and time.monotonic() - self._saved >= self.recipe.state_seconds
        stop = self.processes.leads and (self.job.cancelled() or stop_requested(self.folder))
        lost, old, stop = self.processes.any(not self._sums.finite, old, stop)
        if lost:
            raise self._diverged()
        self._take_sums()
        self.report.step(self.counters, self.learning_rate)
        if old or stop:
            self._save()
        if stop:
            self._stop()

    def _take_sums(self) -> None:
        self.counters = replace(self.counters, sums=self.counters.sums.plus(self._sums.take()))

    def _end_epoch(self) -> None:
        (lost,) = self.processes.any(not self._sums.finite)
        if lost or not all_finite(self.model):
            raise self._diverged()
        self._take_sums()
        started = time.perf_counter()
        sums = self._validate()
        other_seconds = time.perf_counter() - started
        counters = self.counters
        plateau = counters.plateau
        if sums is not None and sums.images:
            plateau = plateau.after(sums.loss / sums.images, 1 - sums.top1 / sums.images)
        log = with_validation(self._epoch_log(counters.seconds + other_seconds), sums)
        plateau = self._anneal(plateau)
        self.counters = replace(counters, seconds=counters.seconds + other_seconds).next_epoch(plateau)
        self._record(log)
        self._save()
        self.report.epoch(log, other_seconds)
        self.report.state("running", self.counters, self.learning_rate)
        (stop,) = self.processes.any(self.processes.leads and (self.job.cancelled() or stop_requested(self.folder)))
        if stop and self.counters.epoch < self.recipe.epochs:
            self._stop()

    def _epoch_log(self, seconds: float) -> EpochLog:
        counters, sums = self.counters, self.counters.sums
        return EpochLog(
            epoch=counters.epoch + 1,
            train_loss=sums.mean(sums.loss),
            train_top1=sums.mean(sums.top1),
            train_top5=sums.mean(sums.top5),
            learning_rate=self.learning_rate,
            seconds=seconds,
            images_per_second=sums.images / counters.epoch_seconds if counters.epoch_seconds else None,
            weight_rms=root_mean_squares(trained_weights(self.model)),
            update_rms=self._update_rms,
        )

    def _anneal(self, plateau: Plateau) -> Plateau:
        factor = self.recipe.annealing_factor
        if factor is None or self.recipe.schedule is not None:
            return plateau
        anneal, plateau = plateau.anneal(self.recipe.annealing_patience)
        if anneal:
            for group in self.optimizer.param_groups:
                group["lr"] = annealed(group["lr"], factor, float(self.optimizer.defaults.get("lr", 0.0)))
        return plateau

    @torch.no_grad()
    def _validate(self) -> Sums | None:
        """Return the sums of the validation images, in evaluation mode; None without any."""
        if self.validation is None:
            return None
        self.processes.share_buffers(self.model)
        self.model.eval()
        sums = DeviceSums(self.processes)
        with closing(self.validation.all((self.processes.rank, self.processes.count))) as batches:
            for batch in batches:
                with self.job.device_lease():
                    inputs, labels, weights = self._on_device(batch)
                    logits = self.model(inputs)
                    sums.add(F.cross_entropy(logits, labels, reduction="none"), logits, labels, weights)
        set_training_mode(self.model)
        return sums.take()

    def _record(self, log: EpochLog) -> None:
        """Write the log, and the checkpoint if it is kept. A training that is killed in between repeats the epoch, with the same result."""
        if not self.processes.leads:
            return
        if self.recipe.saved_after(log.epoch):
            self._write_checkpoint(log.epoch)
        append_epoch(self.folder, log)

    def _write_checkpoint(self, epoch: int) -> None:
        write_checkpoint(self.folder, epoch, self.model.state_dict(), architecture=self.architecture)

    def _save(self) -> None:
        if self.processes.leads:
            if not all_finite(self.model):
                raise self._diverged()
            save_state(self.folder, self.model, self.optimizer, self.counters)
        self._saved = time.monotonic()

    def _stop(self) -> None:
        raise JobCancelledError(
            f"The training was stopped after {self.counters.epoch} of {self.recipe.epochs} epochs and {self.counters.step} steps. Its "
            f"state is saved in {self.folder}: call dw.train again with the same arguments to resume it"
        )

    def _diverged(self) -> TrainingError:
        counters = self.counters
        return TrainingError(
            f"The loss is no longer a finite number in epoch {counters.epoch + 1}, about step {counters.step}, with a learning rate of "
            f"{self.learning_rate:.3g}: the training diverged. Train again with a smaller learning rate, such as "
            f"learning_rate={self.learning_rate / 10:.2g}, in another folder or with overwrite=True. {self.folder} keeps the state and the "
            "checkpoints from before."
        )


def with_validation(log: EpochLog, sums: Sums | None) -> EpochLog:
    """Return the log of an epoch with what was measured in validation."""
    if sums is None:
        return log
    return replace(
        log,
        validation_loss=sums.mean(sums.loss),
        validation_top1=sums.mean(sums.top1),
        validation_top5=sums.mean(sums.top5),
    )
