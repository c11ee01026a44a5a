"""Plant a spurious cue in Caltech-101, find the units that use it without its position, mute them, and train the head again.

Run it with `DECONVWIDGETS_DATA=folder python benchmarks/planted_cue.py [--seeds 5] [--units 10]`; the folder holds Caltech-101 in
torchvision's layout. For each seed three classes are drawn. A square of one colour per class, a fifth of the shorter side wide, is put at a
random place of 90% of their 30 training photographs, and of none of their test photographs. The features of the other photographs are
those of the cache.

The units are found as a user could find them, with `dw.unit_contributions` and photographs only: for each of the three classes, the mean
contribution of each unit to the class (weight x activation, summed over positions) on the training photographs of the class, minus the same
on clean photographs of the class that it was not trained on. Those with the largest difference help the class in training photographs
only. The clean photographs are one half of the test photographs; all accuracies are those of the other half, which nothing else sees.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import deconvwidgets as dw
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.splits import draw_fold
from deconvwidgets.instruments.transfer.compute.experiment import TransferExperiment
from deconvwidgets.instruments.transfer.compute.feature_store import LayerFeatures
from deconvwidgets.instruments.transfer.compute.folds import SoftmaxTrainer
from deconvwidgets.instruments.transfer.records import HeadReport

COLOURS = ((235, 30, 200), (20, 200, 60), (30, 70, 240))  # one per class
SHARE, SIDE = 0.9, 0.2  # of the training photographs; of the shorter side
PER_CLASS = 30
WEIGHT_DECAY = 1e-6  # that is what most heads on 30 photographs of the 101 classes choose
CHANNELS = 256  # of conv5 and pool5
MIN_TESTS = 40  # of the three classes


def with_patch(image: Image.Image, colour: tuple[int, int, int], generator: np.random.Generator) -> Image.Image:
    """Return a copy with a square at a random place of the central square, which the transform of AlexNet keeps."""
    copy, short = image.copy(), min(image.size)
    side, margin = round(SIDE * short), round(short / 16)
    left, top = (
        (size - short) // 2 + margin + int(generator.integers(0, max(1, short - 2 * margin - side))) for size in (image.width, image.height)
    )
    ImageDraw.Draw(copy).rectangle((left, top, left + side, top + side), fill=colour)
    return copy


@dataclass(frozen=True)
class Planted:
    """One seed: the classes with the cue, the split, and the experiment without and with the cue."""

    classes: NDArray[np.int64]
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    clean: TransferExperiment
    cued: TransferExperiment


def plant(bundle: dw.ModelBundle, images: ImageSet, clean: TransferExperiment, seed: int) -> Planted:
    labels, generator = clean.data.labels, np.random.default_rng([seed, 7])
    split = draw_fold(labels, PER_CLASS, seed, 0)
    sizes = np.bincount(labels[split.test])
    classes = np.sort(generator.choice(np.flatnonzero(sizes >= MIN_TESTS), 3, replace=False))
    chosen = [generator.permutation(split.train[labels[split.train] == label])[: round(SHARE * PER_CLASS)] for label in classes]
    cues = [(source, colour) for members, colour in zip(chosen, COLOURS, strict=True) for source in members.tolist()]
    cued = LayerFeatures.in_memory(clean.data.features.values.shape)
    cued.values[:] = clean.data.features.values
    photographs = [with_patch(images.open_source(source), colour, generator) for source, colour in cues]
    cued.values[np.concatenate(chosen), 0] = features_of(bundle, photographs).numpy()
    experiment = replace(clean, data=replace(clean.data, features=cued))
    return Planted(classes, split.train, split.test, clean, experiment)


def features_of(bundle: dw.ModelBundle, photographs: list[Image.Image]) -> torch.Tensor:
    """Return pool5 of photographs (N, features), float16 as in the cache."""
    parts = []
    with torch.no_grad():
        for start in range(0, len(photographs), 32):
            batch = torch.stack([bundle.prepare(photograph) for photograph in photographs[start : start + 32]])
            parts.append(bundle.network.map(batch, "pool5").flatten(1).half())
    return torch.cat(parts)


def ranked_units(seed: Planted, report: HeadReport, look: NDArray[np.int64], count: int) -> list[list[int]]:
    """Return for each class the units with the largest mean contribution on training photographs minus that on clean ones (`look`)."""
    data = seed.cued.data
    found = []
    for label in seed.classes:
        weight = torch.from_numpy(report.head.weight[label]).view(CHANNELS, -1)

        def contribution(sources: NDArray[np.int64], weight: torch.Tensor = weight) -> torch.Tensor:
            return (data.rows(sources).view(len(sources), CHANNELS, -1) * weight).sum(2).mean(0)

        trained, clean = (sources[data.labels[sources] == label] for sources in (seed.train, look))
        found.append(torch.topk(contribution(trained) - contribution(clean), count).indices.tolist())
    return found


def scores(seed: Planted, report: HeadReport, measured: NDArray[np.int64]) -> tuple[float, float]:
    """Return the accuracy of the three classes and of all, both averaged over classes, on some test photographs."""
    rows = np.isin(report.sources, measured)
    truths, right = report.truths[rows], (report.predictions == report.truths)[rows]
    shares = np.bincount(truths, right) / np.maximum(np.bincount(truths), 1)
    return float(shares[seed.classes].mean()), float(shares[np.unique(truths)].mean())


def halves(seed: Planted, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return one half of the test photographs of each class to look at, and the other half to measure with."""
    labels, generator = seed.clean.data.labels, np.random.default_rng([number, 11])
    shuffled = generator.permutation(seed.test)
    shuffled = shuffled[np.argsort(labels[shuffled], kind="stable")]
    return shuffled[::2], shuffled[1::2]


def study(
    bundle: dw.ModelBundle, images: ImageSet, clean: TransferExperiment, number: int, counts: list[int]
) -> Iterator[tuple[str, tuple[float, float]]]:
    """Return (name, scores) of the heads of one seed."""
    seed, trainer = plant(bundle, images, clean, number), SoftmaxTrainer.of(WEIGHT_DECAY)
    look, measured = halves(seed, number)
    generator = np.random.default_rng([number, 13])
    print(f"seed {number}: {', '.join(clean.data.categories[label] for label in seed.classes)}", flush=True)
    yield "no plant", scores(seed, clean.run(trainer, PER_CLASS, 1, number), measured)
    report = seed.cued.run(trainer, PER_CLASS, 1, number)
    yield "plant", scores(seed, report, measured)
    for count in counts:
        units = sorted(set(np.ravel(ranked_units(seed, report, look, count)).tolist()))
        random = generator.choice(CHANNELS, len(units), replace=False).tolist()
        for name, muted in ((f"{count} units per class", units), (f"as many random units as {count} per class", random)):
            found = seed.cued.without({"conv5": muted}).run(trainer, PER_CLASS, 1, number)
            yield f"plant, muted: {name}", scores(seed, found, measured)
        print(f"  muted of conv5: {units}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--units", type=int, nargs="+", default=[10], help="units muted for each of the three classes")
    arguments = parser.parse_args()
    bundle, images = dw.load_model("alexnet"), dw.open_images("caltech101")
    clean = TransferExperiment.prepare(bundle, images, "pool5", PER_CLASS, "one", False, None, "disk", "cpu", None, None)
    table: dict[str, list[tuple[float, float]]] = {}
    for number in range(arguments.seeds):
        for name, found in study(bundle, images, clean, number, arguments.units):
            table.setdefault(name, []).append(found)
            print(f"  {name}: {', '.join(f'{100 * score:.1f}%' for score in found)}", flush=True)
    print("\n| | the three classes | all 101 classes |\n|---|---|---|")
    for name, rows in table.items():
        cells = " | ".join(f"{100 * np.mean(column):.1f} ± {100 * np.std(column):.1f}%" for column in zip(*rows, strict=True))
        print(f"| {name} | {cells} |")


if __name__ == "__main__":
    main()
