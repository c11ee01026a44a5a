"""What is measured of a network after its training: its error on the training photographs, in evaluation mode."""

from __future__ import annotations

from contextlib import closing

import torch

from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import AblationError
from deconvwidgets.instruments.ablation.compute.study_file import Measured
from deconvwidgets.instruments.training.compute.batches import ValidationBatches
from deconvwidgets.instruments.training.compute.pixels import open_pixels
from deconvwidgets.instruments.training.compute.trained_model import TrainedModel
from deconvwidgets.instruments.training.compute.training_images import Examples
from deconvwidgets.models.devices import checked_device
from deconvwidgets.models.preprocess import Preprocess

TITLE = "measuring the training error"
STOPPED = "The study was stopped. Call dw.run_ablation with the same arguments to resume."


def measure_training_error(
    trained: TrainedModel, examples: Examples, device: str | torch.device, memory: float, batch_size: int, job: JobContext, show: bool
) -> Measured:
    """Return the top-1 error of a trained network on its training photographs: in evaluation mode, on the crop of its transform.

    Raises
    ------
    JobCancelledError
        If the job is cancelled.
    """
    bundle, chosen = trained.bundle, checked_device(device)
    transform = bundle.transform
    if not isinstance(transform, Preprocess):
        raise AblationError(f"The transform of {bundle.name} is not that of dw.train.")
    model = bundle.model.to(chosen)
    pixels = open_pixels(examples, transform, memory, job, TITLE, show)
    batches = ValidationBatches(pixels, examples.labels, batch_size, job.decode_threads)
    wrong = total = 0.0
    try:
        with closing(batches.all((0, 1))) as prepared, torch.inference_mode():
            for batch in prepared:
                job.check_cancelled(STOPPED)
                with job.device_lease():
                    predicted = model(transform.normalise(batch.pixels.to(chosen))).argmax(1).cpu()
                wrong += float(((predicted != batch.labels) * batch.weights).sum())
                total += float(batch.weights.sum())
    finally:
        model.to("cpu")
    last = trained.log.epochs[-1]
    return Measured(last.epoch, last.seconds, int(total), wrong / total)
