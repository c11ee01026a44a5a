"""Compare trained networks unit by unit: two seeds of one training, and AlexNet before and after fine-tuning.

    DECONVWIDGETS_DATA=folder python benchmarks/compare_trained.py --seeds RUN_A RUN_B [--fine-tune FOLDER --per-class 10 --epochs 2]

RUN_A and RUN_B are two folders of `dw.train` with the same architecture and another seed, for example of `benchmarks/from_scratch.py`.
Fine-tuning trains all of AlexNet from its ImageNet weights, and resumes in its folder. What is read: how many units have a partner, and
whether similarity falls from the first to the last layer.
"""

from __future__ import annotations

import argparse
import time

import torch

import deconvwidgets as dw
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import labels_of
from deconvwidgets.images.splits import draw_fold
from deconvwidgets.models.bundle import ModelBundle


def last(folder: str) -> ModelBundle:
    """Return the network at the last checkpoint of a training."""
    checkpoints = dw.open_checkpoints(folder)
    return checkpoints.bundle(checkpoints.epochs[-1])


def fine_tuned(folder: str, images: ImageSet, per_class: int, epochs: int) -> tuple[ModelBundle, ModelBundle]:
    """Return AlexNet with ImageNet weights, and all of it trained further on Caltech-101 with a new last layer."""
    before = dw.load_model("alexnet")
    torch.manual_seed(0)
    classes = len(images.categories)
    features = before.headless or before
    network = torch.nn.Sequential(features.model, torch.nn.Flatten(), torch.nn.LazyLinear(classes)).requires_grad_(True)
    network(torch.zeros(1, *before.input_size))  # sets the size of the last layer
    fold = draw_fold(labels_of(images), per_class, 0, 0)
    trained = dw.train(
        network, images.subset(fold.train), out=folder, input_size=before.input_size, pretrained=True, epochs=epochs, batch_size=32,
        learning_rate=1e-3, validation_share=0, initial_std=None, max_filter_rms=None, save_epochs=(), name="AlexNet, fine-tuned",
        progress=False,
    )  # fmt: skip
    print(f"fine-tuned: {trained.log.epochs[-1]}")
    return before, trained.bundle


def report(title: str, a: ModelBundle, b: ModelBundle, images: ImageSet) -> None:
    start = time.perf_counter()
    comparison = dw.compare(a, b, images, device="cpu", progress=False)
    print(f"\n{title}: {time.perf_counter() - start:.0f} s\n{comparison}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs=2, metavar="FOLDER")
    parser.add_argument("--fine-tune", metavar="FOLDER")
    parser.add_argument("--per-class", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--photographs", type=int, default=500)
    options = parser.parse_args()
    all_images = dw.open_images("caltech101")
    images = dw.open_images("caltech101", limit=options.photographs)
    if options.seeds:
        a, b = map(last, options.seeds)
        report("Two seeds", a, b, images)
    if options.fine_tune:
        report("Fine-tuned", *fine_tuned(options.fine_tune, all_images, options.per_class, options.epochs), images)


if __name__ == "__main__":
    main()
