"""How often `dw.diagnose` finds a fault in torchvision's networks that have none planted.

    python benchmarks/false_alarms.py --out DIR --train resnet18 mobilenet_v2 densenet121 vgg11_bn
    python benchmarks/false_alarms.py --out DIR --pretrained alexnet vgg16 squeezenet1_1

`--train` trains a network from random weights on Caltech-101 at 64 pixels first, in DIR, and resumes there; it is diagnosed on photographs
that it was trained on, as given to it in training, at its input size. Each row is a check: its level, its count, and what was measured.
The last line counts the checks of level "found" beside all that were judged.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import deconvwidgets as dw
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.models.bundle import ModelBundle

# Batch norm allows the larger learning rate; "he" is the usual start of networks with rectifiers.
RECIPE = {"batch_size": 64, "learning_rate": 0.05, "initial_std": "he", "max_filter_rms": None, "save_epochs": ()}


def evenly_spread(images: ImageSet, count: int) -> ImageSet:
    return images.subset(np.unique(np.linspace(0, images.source_count - 1, count).round().astype(int)))


def trained(name: str, images: ImageSet, out: Path, epochs: int, photographs: int) -> ModelBundle:
    chosen = evenly_spread(images, photographs)
    result = dw.train(name, chosen, out=out / name, input_size=64, epochs=epochs, device="cpu", **RECIPE)
    print(f"{name}: {result.log.epochs[-1]}")
    return result.bundle


def report(bundle: ModelBundle, images: ImageSet) -> tuple[int, int]:
    """Print the findings of a network. Return how many checks are found, and how many were judged."""
    findings = dw.diagnose(bundle, images, device="cpu", progress=False).findings
    for finding in findings:
        print(f"  {finding.level:12} {finding.check:20} {finding.count_text:24} {finding.summary}")
    judged = [finding for finding in findings if finding.level != "not_checked"]
    return sum(finding.level == "found" for finding in judged), len(judged)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--pretrained", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--train-photographs", type=int, default=3000)
    parser.add_argument("--photographs", type=int, default=200)
    options = parser.parse_args()
    images = dw.open_images("caltech101")
    counts = []
    for name in [*options.train, *options.pretrained]:
        is_trained = name in options.train
        bundle = trained(name, images, options.out, options.epochs, options.train_photographs) if is_trained else dw.load_model(name)
        print(f"{name}: {len(bundle.network.feature_map_layers)} feature maps, input {bundle.input_size}")
        counts.append(report(bundle, evenly_spread(images, options.photographs)))
        print(f"  {counts[-1][0]} of {counts[-1][1]} checks found", flush=True)
    print(f"All: {sum(found for found, _ in counts)} of {sum(judged for _, judged in counts)} checks found")


if __name__ == "__main__":
    main()
