"""What a training reports while it runs: progress.json, a text bar, and a line per epoch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tqdm.auto import tqdm

from deconvwidgets.checkpoints.log_file import write_progress
from deconvwidgets.compute.job import JobContext
from deconvwidgets.instruments.training.compute.counters import Counters
from deconvwidgets.records.progress import Progress
from deconvwidgets.records.training_log import EpochLog, TrainingProgress, TrainingState

_INTERVAL = 1.0  # seconds between two writes of progress.json
JOB = "training"


@dataclass
class ProgressReport:
    """Reports the progress of a training, at most once a second to the file.

    Parameters
    ----------
    folder : Path
        The folder of the training.
    epochs, steps, images : int
        All epochs, the steps of an epoch, and its images.
    job : JobContext
        Receives progress in images.
    show : bool
        Whether to print.
    leads : bool
        False for a process that only computes: it reports nothing.
    """

    folder: Path
    epochs: int
    steps: int
    images: int
    job: JobContext
    show: bool
    leads: bool
    _written: float = field(default=0.0, init=False)
    _rate: float | None = field(default=None, init=False)
    _other_seconds: float = field(default=0.0, init=False)  # of an epoch: validation and saving

    @contextmanager
    def bar(self, counters: Counters) -> Iterator[None]:
        """Show a bar while training."""
        whole = self.epochs * self.images
        with self.job.progress_bar(JOB, "image", whole, self.show and self.leads, self._done(counters)) as shown:
            self.job = shown
            yield

    def step(self, counters: Counters, learning_rate: float) -> None:
        """Report a step."""
        if not self.leads:
            return
        if counters.epoch_seconds > 0:
            self._rate = counters.sums.images / counters.epoch_seconds
        self.job.report(Progress(JOB, self._done(counters), self.epochs * self.images, self._rate or 0.0, self._describe(counters)))
        if time.monotonic() - self._written >= _INTERVAL:
            self.state("running", counters, learning_rate)

    def state(self, state: TrainingState, counters: Counters, learning_rate: float | None = None, message: str = "") -> None:
        """Write progress.json now."""
        if not self.leads:
            return
        self._written = time.monotonic()
        sums = counters.sums
        progress = TrainingProgress(
            state=state,
            epoch=counters.epoch,
            epochs=self.epochs,
            step=counters.step,
            steps=self.steps,
            loss=sums.mean(sums.loss),
            top1=sums.mean(sums.top1),
            learning_rate=learning_rate,
            images_per_second=self._rate,
            seconds_left=self._seconds_left(counters) if state == "running" else None,
            message=message,
        )
        write_progress(self.folder, progress)

    def epoch(self, log: EpochLog, other_seconds: float) -> None:
        """Print a line for an epoch, and remember how long its validation took."""
        self._other_seconds = other_seconds
        if not self.leads:
            return
        self.job.report(Progress(JOB, min(log.epoch, self.epochs) * self.images, self.epochs * self.images, self._rate or 0.0))
        if self.show:
            tqdm.write(describe_epoch(log, self.epochs))

    def _done(self, counters: Counters) -> int:
        return min(counters.epoch * self.images + counters.step * -(-self.images // max(self.steps, 1)), self.epochs * self.images)

    def _seconds_left(self, counters: Counters) -> float | None:
        if not self._rate:
            return None
        images = self.epochs * self.images - self._done(counters)
        return images / self._rate + (self.epochs - counters.epoch) * self._other_seconds

    def _describe(self, counters: Counters) -> str:
        return f"epoch {counters.epoch + 1} of {self.epochs}, step {counters.step} of {self.steps}"


def describe_epoch(log: EpochLog, epochs: int) -> str:
    """Return one line on an epoch."""
    parts = [f"epoch {log.epoch}/{epochs}"]
    for name, loss, top1 in (("train", log.train_loss, log.train_top1), ("validation", log.validation_loss, log.validation_top1)):
        if loss is not None and top1 is not None:
            parts.append(f"{name} loss {loss:.3f}, top-1 {100 * top1:.1f}%")
    if log.learning_rate is not None:
        parts.append(f"lr {log.learning_rate:.2g}")
    if log.images_per_second is not None:
        parts.append(f"{log.images_per_second:,.0f} images/s")
    return "  ".join(parts)
