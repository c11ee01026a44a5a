"""Time the evaluation of AlexNet with its Caltech-101 head, next to a plain PyTorch loop with a DataLoader.

Run it with `python benchmarks/evaluate.py [--photographs 2000] [--repeats 3]`, with DECONVWIDGETS_DATA naming the folder of Caltech-101.
Both run in turn in one process, on the same photographs with the same transform; predictions and accuracy are compared. The loop computes
the accuracy only (`--repeats 0` leaves it out). Then units of a layer are switched off, one after another: the evaluation before it has
stored the values of the layer, and only what lies above it is run, for photographs in which the unit is active. The last outputs are
compared with those of the whole model.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import deconvwidgets as dw
from deconvwidgets.compute.job import FixedBatch, JobContext
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.evaluation.compute.evaluate import EvaluationPlan
from deconvwidgets.instruments.evaluation.compute.layer_values_cache import LayerValuesCache
from deconvwidgets.instruments.evaluation.records import ClassificationEvaluation
from deconvwidgets.models.bundle import ModelBundle

BATCH = 32
Result = TypeVar("Result")


class Photographs(Dataset[tuple[Tensor, int]]):
    """The photographs of an image set as a PyTorch data set."""

    def __init__(self, bundle: ModelBundle, images: ImageSet) -> None:
        self.bundle, self.images = bundle, images

    def __len__(self) -> int:
        return self.images.source_count

    def __getitem__(self, source: int) -> tuple[Tensor, int]:
        label = self.images.label(source)
        assert label is not None
        return self.bundle.prepare(self.images.open_source(source)), label


def plain_loop(bundle: ModelBundle, images: ImageSet, workers: int) -> np.ndarray:
    """Return the predictions of a plain PyTorch loop, (photographs,)."""
    predictions = []
    with torch.no_grad():
        for pixels, _ in DataLoader(Photographs(bundle, images), BATCH, num_workers=workers):
            predictions.append(bundle.model(pixels).argmax(1))
    return torch.cat(predictions).numpy()


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def compare_with_loop(bundle: ModelBundle, images: ImageSet, repeats: int, workers: int) -> None:
    ours, loops = [], []
    job = JobContext(batch_size=FixedBatch(BATCH))
    for _ in range(repeats):
        seconds, evaluation = timed(lambda: dw.evaluate(bundle, images, store="memory", device="cpu", progress=False, job=job))
        ours.append(seconds)
        seconds, predictions = timed(lambda: plain_loop(bundle, images, workers))
        loops.append(seconds)
        different = int((predictions[evaluation.sources] != evaluation.predictions).sum())
        assert different <= 1, f"{different} predictions differ"
    ratio = statistics.median(loop / own for loop, own in zip(loops, ours, strict=True))
    print(f"{images.source_count} photographs, {evaluation}")
    medians = [statistics.median(times) for times in (ours, loops)]
    print(f"dw.evaluate {medians[0]:.1f} s, DataLoader loop with {workers} workers {medians[1]:.1f} s, loop / evaluate {ratio:.2f}")


def switch_off(bundle: ModelBundle, images: ImageSet, layer: str, changes: int) -> None:
    """Time the evaluation that stores the values of a layer, and those after it with one unit off each, next to a whole run."""
    cache, context = LayerValuesCache(), JobContext(batch_size=FixedBatch(BATCH))

    def run(units: dict[tuple[str, int], float]) -> ClassificationEvaluation:
        changed = bundle.with_units(units)
        runner = cache.runner(changed, images, images.source_count)
        assert not isinstance(runner, str), runner
        found = EvaluationPlan.of(changed, images, None, None).run("memory", context, lambda partial: None, runner)
        assert isinstance(found, ClassificationEvaluation)
        return found

    for units in ({}, *({(layer, unit): 0.0} for unit in range(changes))):
        processor = time.process_time()
        seconds, found = timed(lambda units=units: run(units))  # type: ignore[misc]
        processor = time.process_time() - processor
        name = ", ".join(f"{layer} {unit} off" for layer, unit in units) or "no unit off"
        print(f"{name}: {seconds:6.2f} s, {processor:6.2f} s of processor time, accuracy {100 * found.accuracy:.2f}%", flush=True)
    processor = time.process_time()
    seconds, whole = timed(lambda: dw.evaluate(bundle.with_units(units), images, store="memory", device="cpu", progress=False))
    processor = time.process_time() - processor
    assert isinstance(whole, ClassificationEvaluation)
    print(f"the last one by the whole model: {seconds:.2f} s, {processor:.2f} s of processor time")
    print(f"largest difference of the outputs {np.abs(whole.outputs - found.outputs).max():.1e}, of {np.abs(whole.outputs).max():.1f}")
    assert np.array_equal(whole.predictions, found.predictions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--layer", default="conv5")
    parser.add_argument("--changes", type=int, default=4)
    options = parser.parse_args()
    bundle, images = dw.load_model("alexnet").with_head("caltech101"), dw.open_images("caltech101", limit=options.photographs)
    if options.repeats:
        compare_with_loop(bundle, images, options.repeats, options.workers)
    switch_off(bundle, images, options.layer, options.changes)
    seconds, first = timed(lambda: dw.evaluate(bundle, images, device="cpu", progress=False))
    again, second = timed(lambda: dw.evaluate(bundle, images, device="cpu", progress=False))
    assert np.array_equal(first.outputs, second.outputs)
    print(f"stored outputs: first {seconds:.1f} s, again {again:.2f} s")


if __name__ == "__main__":
    main()
