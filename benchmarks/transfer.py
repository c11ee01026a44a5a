"""Repeat the transfer experiments of the paper on Caltech-101, and print its results beside them (Zeiler & Fergus 2014, tables 4 and 7).

Run it with `DECONVWIDGETS_DATA=folder python benchmarks/transfer.py [parts] [--folds 5] [--threads 2]`; the folder holds
Caltech-101 in torchvision's layout. Parts: `accuracy` (AlexNet's pool5 with one crop, flips, ten crops), `layers` (conv1 to conv5, SVM
and softmax), `lite` (EfficientNet-Lite0), `time` (compared with scikit-learn's LogisticRegression), `extraction` (compared with the forward
pass of the model). Without parts, all are run. Features are stored in the cache, so a second run is faster.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import deconvwidgets as dw
from deconvwidgets.compute.job import JobContext
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.splits import draw_fold
from deconvwidgets.instruments.transfer.compute.feature_crops import CropMaker, Crops, PreparedSource, prepared_sources
from deconvwidgets.instruments.transfer.compute.feature_store import FeatureIdentity, LayerFeatures
from deconvwidgets.instruments.transfer.compute.features import FeaturePass, FeatureShape, LayerTable, extract_features
from deconvwidgets.instruments.transfer.compute.folds import WEIGHT_DECAYS, TrainedHead
from deconvwidgets.instruments.transfer.compute.gram import Scaling, make_design
from deconvwidgets.instruments.transfer.compute.protocol import TransferData
from deconvwidgets.instruments.transfer.compute.scores import class_accuracy
from deconvwidgets.instruments.transfer.compute.softmax import Fit, fit_softmax
from deconvwidgets.instruments.transfer.compute.train import train_softmax_head, train_svm_head
from deconvwidgets.instruments.transfer.records import HeadReport

PAPER_LAYERS = {"conv1": ("44.8", ""), "conv2": ("66.2", ""), "conv3": ("72.3", ""), "conv4": ("76.6", ""), "conv5": ("86.2", "82.9")}


def in_percent(report: HeadReport) -> str:
    return f"{100 * report.mean:.1f} +- {100 * report.std:.1f}"


def accuracy(images: ImageSet, folds: int, variants: tuple[Crops, ...]) -> None:
    bundle = dw.load_model("alexnet")
    print("\n| AlexNet, softmax on pool5 | 15 per class | 30 per class |\n|---|---|---|")
    print("| paper, ZFNet: softmax on layer 5 (table 7) | | 82.9 |")
    print("| paper, ZFNet: the whole network, new softmax (table 4) | 83.8 +- 0.5 | 86.5 +- 0.5 |")
    for crops in variants:
        row = [train_softmax_head(bundle, images, "pool5", n, folds, views=crops, progress=False) for n in (15, 30)]
        print(f"| {crops} | {in_percent(row[0])} | {in_percent(row[1])} |", row[1].weight_decays, f"{row[1].seconds:.0f} s", flush=True)


def layers(images: ImageSet, folds: int) -> None:
    bundle = dw.load_model("alexnet")
    names = list(PAPER_LAYERS)
    extract_features(bundle, images, names)
    print("\n| AlexNet, 30 per class | features | paper: SVM | SVM | paper: softmax | softmax |\n|---|---|---|---|---|---|")
    for layer in names:
        softmax = train_softmax_head(bundle, images, layer, folds=folds, progress=False)
        svm = train_svm_head(bundle, images, layer, folds=folds, progress=False)
        paper_svm, paper_softmax = PAPER_LAYERS[layer]
        print(f"| {layer} | {softmax.features} | {paper_svm} | {in_percent(svm)} | {paper_softmax} | {in_percent(softmax)} |", flush=True)


def lite(images: ImageSet, folds: int) -> None:
    bundle = dw.load_model("efficientnet_lite0")
    names = ["pool49", "conv49", "conv48"]
    extract_features(bundle, images, names)
    print("\n| EfficientNet-Lite0, softmax on | features | 15 per class | 30 per class |\n|---|---|---|---|")
    print("| paper, ZFNet | | 83.8 +- 0.5 | 86.5 +- 0.5 |")
    for layer in names:
        row = [train_softmax_head(bundle, images, layer, n, folds, progress=False) for n in (15, 30)]
        print(f"| {layer} | {row[1].features} | {in_percent(row[0])} | {in_percent(row[1])} |", row[1].weight_decays, flush=True)


def compare_training(images: ImageSet, folds: int) -> None:
    """Time 5 folds x 5 weight decays from stored features: deconvwidgets (including the Gram matrix) and scikit-learn, in turn."""
    from sklearn.linear_model import LogisticRegression

    bundle = dw.load_model("alexnet")
    data = TransferData.of(images, extract_features(bundle, images, "pool5", device="cpu")["pool5"], torch.device("cpu"))
    classes = len(data.categories)
    times: dict[str, list[float]] = {"deconvwidgets": [], "scikit-learn": []}
    accuracies: dict[str, list[list[float]]] = {"deconvwidgets": [], "scikit-learn": []}

    def gram_matrix(rows: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
        scaling = Scaling.of(rows)
        design = make_design(scaling.apply(rows))
        fits: list[Fit] = []
        for decay in sorted(WEIGHT_DECAYS, reverse=True):
            fits.append(fit_softmax(design, labels, classes, decay, fits[-1].parameters if fits else None))
        return [scaling.unscale(design.weights(fit.parameters), fit.parameters[-1]) for fit in fits]

    def scikit_learn(rows: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
        scaling = Scaling.of(rows)
        scaled = scaling.apply(rows).numpy()
        heads = []
        for decay in sorted(WEIGHT_DECAYS, reverse=True):
            model = LogisticRegression(C=1 / (decay * len(rows)), max_iter=1000).fit(scaled, labels.numpy())
            heads.append(scaling.unscale(torch.from_numpy(model.coef_.T.copy()).float(), torch.from_numpy(model.intercept_).float()))
        return heads

    for fold in range(folds):
        split = draw_fold(data.labels, 30, 0, fold)
        for name, work in (("deconvwidgets", gram_matrix), ("scikit-learn", scikit_learn)):
            start = time.perf_counter()
            heads = work(data.rows(split.train), torch.from_numpy(data.labels[split.train]))
            times[name].append(time.perf_counter() - start)
            predictions = [data.logits(split.test, TrainedHead(*head, 0.0), nullcontext).argmax(1).numpy() for head in heads]
            accuracies[name].append([class_accuracy(data.labels[split.test], predicted) for predicted in predictions])
        print(f"fold {fold}: deconvwidgets {times['deconvwidgets'][-1]:.1f} s, scikit-learn {times['scikit-learn'][-1]:.1f} s", flush=True)
    ratio = statistics.median(other / own for other, own in zip(times["scikit-learn"], times["deconvwidgets"], strict=True))
    own, other = sum(times["deconvwidgets"]), sum(times["scikit-learn"])
    print(f"\n{folds} folds x {len(WEIGHT_DECAYS)} weight decays: deconvwidgets {own:.1f} s, scikit-learn {other:.1f} s")
    print(f"median ratio of a fold {ratio:.1f}x (target: 4x)\n")
    print("| weight decay | deconvwidgets, % | scikit-learn, % | difference |\n|---|---|---|---|")
    for number, decay in enumerate(sorted(WEIGHT_DECAYS, reverse=True)):
        own, other = (100 * np.mean([fold[number] for fold in accuracies[name]]) for name in ("deconvwidgets", "scikit-learn"))
        print(f"| {decay:g} | {own:.2f} | {other:.2f} | {own - other:+.2f} |")


def compare_extraction(images: ImageSet, count: int = 512, repeats: int = 5) -> None:
    """Measure photographs per second: the forward pass on decoded tensors, and feature extraction from these and from JPEG files."""
    bundle = dw.load_model("alexnet")
    network = bundle.network
    subset = images.subset(range(0, images.source_count, images.source_count // count))
    maker, shape = CropMaker.of(bundle, "one"), FeatureShape.of(network.layer("pool5"))
    decoded = list(prepared_sources(subset, maker, range(subset.source_count)))
    parts = [decoded[start : start + 32] for start in range(0, len(decoded), 32)]
    ready = [torch.cat([item.pixels for item in part if item.pixels is not None]) for part in parts]

    def forward() -> None:
        with torch.inference_mode():
            for batch in ready:
                bundle.model(batch)

    def extract(prepared: Callable[[], Iterator[PreparedSource]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            identity = FeatureIdentity("pool5", subset.digest, "benchmark", bundle.input_size, "one", None)
            features = LayerFeatures.on_disk(identity, (subset.source_count, 1, shape.count), Path(folder))
            run = FeaturePass(network, maker, {"pool5": LayerTable(shape, features)})
            run.run(prepared(), subset.source_count, JobContext())

    variants: dict[str, Callable[[], None]] = {
        "forward pass": forward,
        "from decoded tensors": lambda: extract(lambda: iter(decoded)),
        "from JPEG files": lambda: extract(lambda: prepared_sources(subset, maker, range(subset.source_count))),
    }
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(repeats):
        for name, work in variants.items():
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    print(f"\n| {subset.source_count} photographs, AlexNet's layers | photographs/s | of the forward pass |\n|---|---|---|")
    for name, measured in times.items():
        share = statistics.median(base / own for base, own in zip(times["forward pass"], measured, strict=True))
        print(f"| {name} | {subset.source_count / statistics.median(measured):.0f} | {100 * share:.0f}% |", flush=True)


def main() -> None:
    parts = ("accuracy", "layers", "lite", "time", "extraction")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=[])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--crops", nargs="*", default=["one", "flips", "ten"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(parts)
    if unknown:
        parser.error(f"unknown part {', '.join(sorted(unknown))}; choose from {', '.join(parts)}")
    torch.set_num_threads(arguments.threads)
    warnings.filterwarnings("ignore", module="sklearn")
    chosen = arguments.parts or parts
    images = dw.open_images("caltech101")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {images.source_count} photographs")
    if "accuracy" in chosen:
        accuracy(images, arguments.folds, tuple(arguments.crops))
    if "layers" in chosen:
        layers(images, arguments.folds)
    if "lite" in chosen:
        lite(images, arguments.folds)
    if "time" in chosen:
        compare_training(images, arguments.folds)
    if "extraction" in chosen:
        compare_extraction(images)


if __name__ == "__main__":
    main()
