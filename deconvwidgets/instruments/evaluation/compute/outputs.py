"""The forward passes of an evaluation: every photograph once, in random order, batch by batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.job import JobContext
from deconvwidgets.compute.scores import require_outputs
from deconvwidgets.compute.stream import PreparedCrop, prepared_crops
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.evaluation.compute.output_table import OutputTable
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.progress import Progress

JOB = "evaluation"
_COMMIT_SECONDS = 5.0
_KNOWN = 1024  # rows of a table that are read at once
_AHEAD = 64  # inputs that are decoded ahead

Sources = NDArray[np.int64]


class Runner(Protocol):
    """Runs a model in another way than as a whole, for some photographs without their pixels."""

    @property
    def batch(self) -> int:
        """The number of photographs to run at once without their pixels."""
        ...

    def known(self, sources: Sources) -> NDArray[np.bool_]:
        """Return which photographs need no pixels."""
        ...

    def run_known(self, sources: Sources) -> Tensor:
        """Return the outputs (N, K) of photographs that need no pixels."""
        ...

    def run(self, sources: Sources, pixels: Tensor) -> Tensor:
        """Return the outputs (N, K) of inputs (N, C, H, W)."""
        ...


@dataclass
class OutputPass:
    """One pass over photographs, which fills a table.

    Parameters
    ----------
    bundle : ModelBundle
    images : ImageSet
    table : OutputTable
    on_outputs : callable
        Called with (sources, outputs) of each batch, and first of what the table has.
    runner : Runner, optional
        Runs the model; by default the whole of it.
    skipped : list of SkippedImage
        The photographs that could not be read, so far.
    """

    bundle: ModelBundle
    images: ImageSet
    table: OutputTable
    on_outputs: Callable[[Sources, NDArray[np.float32]], None]
    runner: Runner | None = None
    skipped: list[SkippedImage] = field(default_factory=list)

    def run(self, sources: Sources, job: JobContext) -> None:
        """Compute the outputs of photographs that the table does not have. What was computed is stored also if the pass ends early.

        The order is random (and always the same), so that the results so far are those of a sample of all classes.

        Raises
        ------
        JobCancelledError
            If the job is cancelled between two batches.
        ModelError
            If the model returns anything but finite outputs (N, K).
        """
        known = sources[self.table.done[sources]]
        for start in range(0, len(known), _KNOWN):
            rows = known[start : start + _KNOWN]
            self.on_outputs(rows, np.asarray(self.table.values[rows]))
        pending = np.random.default_rng(0).permutation(sources[~self.table.done[sources]])
        job.report(Progress(JOB, len(known), len(sources)))
        if self.runner is not None:
            ready = self.runner.known(pending)
            self._run_known(pending[ready], self.runner, len(known), len(sources), job)
            pending = pending[~ready]
        done = len(sources) - len(pending)
        crops = [self.images.crops_of(int(source))[0] for source in pending]
        with closing(prepared_crops(self.bundle, self.images, crops, job.decode_threads, _AHEAD)) as prepared:  # type: ignore[type-var]
            self._run(prepared, done, len(sources), job)

    def _run_known(self, sources: Sources, runner: Runner, done: int, total: int, job: JobContext) -> None:
        size = runner.batch
        for start in range(0, len(sources), size):
            job.check_cancelled(f"The evaluation was stopped after {done:,} of {total:,} photographs.")
            rows = sources[start : start + size]
            with job.device_lease(), torch.no_grad():
                outputs = runner.run_known(rows).float().cpu().numpy()
            self._set(rows, outputs)
            done += len(rows)
            job.report(Progress(JOB, done, total))

    def _run(self, prepared: Iterable[PreparedCrop], known: int, total: int, job: JobContext) -> None:
        started = committed = time.monotonic()
        done, batch = known, list[PreparedCrop]()
        try:
            for item in prepared:
                batch.append(item)
                if len(batch) < job.batch_size.size() and done + len(batch) < total:
                    continue
                job.check_cancelled(f"The evaluation was stopped after {done:,} of {total:,} photographs.")
                self._add(batch, job)
                done, batch = done + len(batch), []
                now = time.monotonic()
                if now - committed > _COMMIT_SECONDS:
                    self.table.commit()
                    committed = now
                job.report(Progress(JOB, done, total, (done - known) / max(now - started, 1e-9)))
        finally:
            self.table.commit()

    def _add(self, batch: list[PreparedCrop], job: JobContext) -> None:
        self.skipped += [item.skipped for item in batch if item.skipped is not None]
        readable = [item for item in batch if item.pixels is not None]
        if not readable:
            return
        runner, sources = self.runner, np.array([item.source for item in readable], np.int64)
        pixels = torch.stack([item.pixels for item in readable if item.pixels is not None])
        with job.device_lease(), torch.no_grad():
            started = time.monotonic()
            outputs = (run_model(self.bundle, pixels) if runner is None else runner.run(sources, pixels)).float().cpu().numpy()
            job.batch_size.record(len(readable), time.monotonic() - started)
        self._set(sources, outputs)

    def _set(self, sources: Sources, outputs: NDArray[np.float32]) -> None:
        self.table.write(sources, outputs)
        self.on_outputs(sources, outputs)


def run_model(bundle: ModelBundle, pixels: Tensor) -> Tensor:
    """Return the model's outputs (N, K) of inputs (N, C, H, W); image by image if the images of a batch would affect each other."""
    batch = to_model(pixels, bundle.model)
    parts = [image[None] for image in batch] if bundle.network.single else [batch]
    return torch.cat([require_outputs(bundle.model(part), bundle) for part in parts])
