"""Train networks from scratch on Caltech-101, and print the paper's rows beside them (Zeiler & Fergus 2014, table 4).

    DECONVWIDGETS_DATA=folder python benchmarks/from_scratch.py --out runs [--architecture zfnet] [--input-size 96] [--epochs 60]

15 and 30 training images per class, at most 50 of the remaining ones per class for testing, accuracy averaged over classes; mean and
standard deviation over seeds, each of which is another split and other initial weights. Nothing is chosen on the test images: the learning
rate falls by a fixed schedule, and the network after the last epoch is tested, with one central crop. Each run has a folder of its own in
`--out`: the same command goes on where it was stopped, and prints the table of the runs that are finished.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

import deconvwidgets as dw
from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.compute.decoding import decoded_batches
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import labels_of
from deconvwidgets.images.splits import draw_fold
from deconvwidgets.instruments.transfer.compute.scores import class_accuracy
from deconvwidgets.models.bundle import ModelBundle

PAPER = {15: "22.8 ± 1.5", 30: "46.5 ± 1.7"}
PRETRAINED = (  # benchmarks/RESULTS.md, "The transfer experiment on Caltech-101"
    ("paper, ZFNet pretrained on ImageNet, new softmax", "83.8 ± 0.5", "86.5 ± 0.5"),
    ("AlexNet pretrained on ImageNet, softmax on pool5, one crop", "80.6 ± 0.6", "85.7 ± 0.7"),
)
RESULT_FILE = "test.json"


def falling(base: float, epochs: int) -> Callable[[int], float]:
    """Return a schedule that warms up for 5 % of the epochs and then falls to 0 as a half cosine."""
    warm = max(1, epochs // 20)

    def learning_rate(epoch: int) -> float:
        if epoch < warm:
            return base * (epoch + 1) / warm
        return base * 0.5 * (1 + math.cos(math.pi * (epoch - warm) / max(1, epochs - warm)))

    return learning_rate


def annealed(base: float, epochs: int) -> Callable[[int], float]:
    """Return a schedule that divides the learning rate by 10 after 60 % and after 85 % of the epochs."""
    return lambda epoch: base * 0.1 ** ((epoch >= 0.6 * epochs) + (epoch >= 0.85 * epochs))


def small_net(classes: int) -> torch.nn.Module:
    """Return a network of the paper's kind with few parameters, each of whose convolutions is followed by batch norm."""

    def block(below: int, above: int) -> list[torch.nn.Module]:
        conv = torch.nn.Conv2d(below, above, 3, padding=1, bias=False)
        return [conv, torch.nn.BatchNorm2d(above), torch.nn.ReLU(inplace=True), torch.nn.MaxPool2d(2)]

    maps = (3, 32, 64, 128, 256)
    layers = [layer for below, above in pairwise(maps) for layer in block(below, above)]
    head = [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Dropout(), torch.nn.Linear(maps[-1], classes)]
    return torch.nn.Sequential(*layers, *head)


def accuracy(bundle: ModelBundle, images: ImageSet) -> float:
    """Return the mean accuracy over classes, of the bundle's central crops."""
    decoder = CropDecoder.of(bundle, images)
    predicted, labels = [], []
    with torch.inference_mode(), closing(decoded_batches(decoder, range(len(images)), 64)) as batches:
        for batch in batches:
            predicted.append(bundle.model(decoder.to_inputs(torch.from_numpy(batch.pixels))).argmax(1).numpy())
            labels.append(batch.labels)
    return class_accuracy(np.concatenate(labels), np.concatenate(predicted))


def train_and_test(images: ImageSet, per_class: int, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train one network in its folder, or go on there, and return its test."""
    folder = Path(options.out) / f"{options.architecture}-{options.input_size}-{options.epochs}-{per_class}-{seed}"
    result = folder / RESULT_FILE
    if result.exists():
        return dict(json.loads(result.read_text()))
    fold = draw_fold(labels_of(images), per_class, seed, 0)
    schedule = {"cosine": falling, "steps": annealed}[options.schedule](options.learning_rate, options.epochs)
    started = time.perf_counter()
    trained = dw.train(
        small_net if options.architecture == "small" else options.architecture, images.subset(fold.train), out=folder,
        input_size=options.input_size, epochs=options.epochs, batch_size=options.batch_size, schedule=schedule, validation_share=0,
        initial_std=options.initial_std, max_filter_rms=options.max_filter_rms, weight_decay=options.weight_decay, seed=seed,
        save_epochs=(), device=options.device, progress=options.progress,
    )  # fmt: skip
    test = {
        "accuracy": accuracy(trained.bundle, images.subset(fold.test)),
        "seconds": trained.log.epochs[-1].seconds or time.perf_counter() - started,
        "train_top1": trained.log.epochs[-1].train_top1,
        "train_loss": trained.log.epochs[-1].train_loss,
    }
    result.write_text(json.dumps(test))
    return test


def in_percent(tests: list[dict[str, Any]]) -> str:
    values = [100 * test["accuracy"] for test in tests]
    return f"{np.mean(values):.1f} ± {np.std(values):.1f}" if values else ""


def number_or_word(value: str) -> float | str | None:
    """Return "auto", "he", None for "none", or a number."""
    return {"auto": "auto", "he": "he", "none": None}[value] if value in ("auto", "he", "none") else float(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--architecture", default="zfnet", help="a name of dw.train, or small")
    parser.add_argument("--input-size", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--per-class", type=int, nargs="+", default=[15, 30])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=1e-2)
    parser.add_argument("--weight-decay", type=float, default=5e-4)
    parser.add_argument("--schedule", choices=("steps", "cosine"), default="steps")
    parser.add_argument("--initial-std", type=number_or_word, default="auto")
    parser.add_argument("--max-filter-rms", type=number_or_word, default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--progress", action="store_true")
    options = parser.parse_args()
    images = dw.open_images("caltech101")
    tests: dict[int, list[dict[str, Any]]] = {per_class: [] for per_class in options.per_class}
    for seed in range(options.seeds):
        for per_class in options.per_class:
            test = train_and_test(images, per_class, seed, options)
            tests[per_class].append(test)
            print(f"{per_class} per class, seed {seed}: {100 * test['accuracy']:.1f}%, {test['seconds'] / 60:.1f} min, train top-1 "
                  f"{100 * test['train_top1']:.1f}%, loss {test['train_loss']:.2f}", flush=True)  # fmt: skip
    print_table(tests, options)


def print_table(tests: dict[int, list[dict[str, Any]]], options: argparse.Namespace) -> None:
    print("\n| Caltech-101, accuracy averaged over classes, % | 15 per class | 30 per class |\n|---|---|---|")
    print(f"| paper, ZFNet from scratch, 224 x 224 | {PAPER[15]} | {PAPER[30]} |")
    size = options.input_size
    own = f"{options.architecture} from scratch, {size} x {size}, {options.epochs} epochs, {options.seeds} seeds"
    print(f"| {own} | {in_percent(tests.get(15, []))} | {in_percent(tests.get(30, []))} |")
    for row in PRETRAINED:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
