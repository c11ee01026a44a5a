"""The rate of an index pass from JPEG files, against decoding and the model sharing the cores perfectly.

    python benchmarks/index_jpeg.py [--images FOLDER | caltech101] [--crops 1024] [--rounds 3] [--workers N] [--processes]

AlexNet's five convolutional layers, with channels_last. In each round, one after the other: decoding alone in one thread; the bare
forward pass (plain modules, all cores) on decoded pixels; decoding threads beside a model on all cores, which is the usual way; the
lanes that an index pass uses, and then the whole index, by the call that a user would write. The perfect rate is cores / (decoding
seconds + model seconds) of processor time, and must be reached to 85 %. On a busy machine, compare processor times. The maxima of all
ways are compared.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from contextlib import closing

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import nn

import deconvwidgets as dw
from deconvwidgets.compute.decoded import DecodedBatch
from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.compute.decoding import decoded_batches, usable_cores
from deconvwidgets.compute.lanes import Lanes

BATCH = 32
GOAL = 0.85
Maxima = NDArray[np.float32]


class Sides:
    """The ways that are compared, on the same crops."""

    def __init__(self, images: str, crops: int, workers: int | None, processes: bool | None) -> None:
        bundle, found = dw.load_model("alexnet"), dw.open_images(images, limit=crops)
        self.crops = range(len(found) // BATCH * BATCH)
        self._bundle, self._images = bundle, found
        self.decoder = CropDecoder.of(bundle, found)
        self.workers, self.processes = workers, processes
        features = bundle.model.features
        assert isinstance(features, nn.Sequential)
        self._layers = copy.deepcopy(features).to(memory_format=torch.channels_last)
        self._pixels = [self.decoder.decode(range(first, first + BATCH)) for first in range(0, min(256, len(self.crops)), BATCH)]

    def maxima(self, batch: DecodedBatch) -> Maxima:
        """Return the maxima of all units of the convolutional layers, (crops, units)."""
        with torch.no_grad():
            maps = self.decoder.to_inputs(torch.from_numpy(batch.pixels).contiguous(memory_format=torch.channels_last))
            found = []
            for layer in self._layers:
                maps = layer(maps)
                if isinstance(layer, nn.ReLU):
                    found.append(maps.amax((2, 3)))
            return torch.cat(found, 1).numpy()

    def decoding(self) -> None:
        """Decode, in this thread."""
        for first in range(0, len(self.crops), BATCH):
            self.decoder.decode(self.crops[first : first + BATCH])

    def model(self) -> None:
        """Run the bare forward pass, on all cores."""
        for first in range(0, len(self.crops), BATCH):
            self.maxima(self._pixels[first // BATCH % len(self._pixels)])

    def usual(self) -> Maxima:
        """Decode in threads, and run the model on all cores."""
        with closing(decoded_batches(self.decoder, self.crops, BATCH, usable_cores(), processes=False)) as batches:
            return np.concatenate([self.maxima(batch) for batch in batches])

    def lanes(self) -> Maxima:
        """Decode in workers, and run the model in lanes."""
        lanes = Lanes(torch.device("cpu"))
        with closing(decoded_batches(self.decoder, self.crops, BATCH, self.workers, processes=self.processes)) as batches:
            return np.concatenate([found for _, found in lanes.results(batches, self.maxima)])

    def index(self) -> Maxima:
        """Build the index, and return the strongest activation of each unit."""
        workers = "auto" if self.workers is None else self.workers
        index = dw.ActivationIndex.build(self._bundle, self._images, crops=self.crops, workers=workers, progress=False)
        return np.concatenate([index.stats(info.name).maximum for info in index.layers])


def timed(function: Callable[[], object]) -> tuple[float, float, object]:
    """Return the seconds, the processor seconds (with those of the workers) and the result of a function."""
    process, started, before = psutil.Process(), time.monotonic(), psutil.Process().cpu_times()
    result = function()
    after = process.cpu_times()
    used = sum(after[:4]) - sum(before[:4])  # user, system, and those of children that ended
    return time.monotonic() - started, used, result


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", default="caltech101")
    parser.add_argument("--crops", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--processes", action="store_true", default=None)
    options = parser.parse_args()
    sides = Sides(options.images, options.crops, options.workers, options.processes)
    names = ("decoding", "model", "usual", "lanes", "index")
    seconds: dict[str, list[float]] = {name: [] for name in names}
    used: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(options.rounds):
        results = {}
        for name in names:
            wall, cpu, results[name] = timed(getattr(sides, name))
            seconds[name].append(wall)
            used[name].append(cpu)
        if not np.array_equal(results["usual"], results["lanes"]):  # type: ignore[arg-type]
            raise SystemExit("The maxima differ.")
        if not np.array_equal(results["usual"].max(axis=0), results["index"]):  # type: ignore[attr-defined]
            raise SystemExit("The index has other maxima.")
    count, cores = len(sides.crops), min(usable_cores(), torch.get_num_threads())
    for name in names:
        print(f"{name:9} {count / min(seconds[name]):7.1f} images/s, {1000 * min(used[name]) / count:6.2f} ms of processor time an image")
    perfect = cores * count / (min(used["decoding"]) + min(used["model"]))
    print(f"perfect sharing of {cores} cores: {perfect:.1f} images/s; the maxima are equal")
    for name in ("usual", "lanes", "index"):
        share, cost = count / min(seconds[name]) / perfect, (min(used["decoding"]) + min(used["model"])) / min(used[name])
        print(f"{name:9} reaches {share:.1%} of it (goal {GOAL:.0%}), {cost:.1%} by processor time")


if __name__ == "__main__":
    main()
