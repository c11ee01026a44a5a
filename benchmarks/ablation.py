"""Train the ablation studies of Zeiler & Fergus 2014 on Caltech-101 at small inputs, and print them beside the paper's table 3.

    DECONVWIDGETS_DATA=folder python benchmarks/ablation.py --out runs [--study layers sizes first_layer further] [--input-size 64]
        [--epochs 40] [--seeds 3] [--classes 20] [--per-class 60] [--device auto] [--engine local]

Studies:

- "layers", "sizes": the rows of table 3, with ZFNet as the network that is changed;
- "first_layer": ZFNet against the baseline that has the first two convolutions of Krizhevsky et al. 2012 (section 4.1);
- "further": the network with the first layer of 11 x 11 at stride 4 is taken from "first_layer" as trained, and trained further as it
  is, and with its first layer resampled to 7 x 7 at stride 2 by `dw.surgery`: both arms by the same recipe and the same seeds.

The classes are those with the most photographs, of which as many are drawn per class; each seed trains on a half of them and validates on
the other half. Each study has a folder of its own in `--out`; ZFNet is trained for the first and copied to the others. The same command
goes on where it was stopped or killed, and prints the runs that are complete; `--print` only prints. The learning rates (as in
from_scratch.py), the initial weights and the number of epochs are the same for all variants and were not tuned for any of them. Images/s
depend on what else the machine does: the load is printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from from_scratch import falling

import deconvwidgets as dw
from deconvwidgets.errors import AblationError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import class_names, labels_of
from deconvwidgets.images.splits import draw_fold, hold_out
from deconvwidgets.instruments.ablation.figures.texts import caption, difference_text, error_text, paper_text, parameters_text, speed_text
from deconvwidgets.instruments.ablation.records import AblationTable

PRESETS = {"layers": "table3_layers", "sizes": "table3_sizes", "first_layer": "first_layer"}
LEARNING_RATE, FURTHER_LEARNING_RATE = 0.02, 0.002
FIRST = "zfnet_first_two_11x11_4_5x5_1"


def sgd(parameters: list[torch.nn.Parameter]) -> torch.optim.SGD:
    """Return the optimiser of the recipe, in its fused form: these networks have so many weights that it saves a fifth of the time."""
    return torch.optim.SGD(parameters, lr=LEARNING_RATE, momentum=0.9, weight_decay=5e-4, fused=True)


RECIPE: Mapping[str, Any] = {
    "initial_std": "he",
    "max_filter_rms": None,
    "batch_size": 32,
    "optimizer": sgd,
    "validation_share": 0.5,
    "save_epochs": (0,),
}


def main() -> None:
    """Train what is missing, and print."""
    options = arguments()
    images = caltech(options.classes, options.per_class)
    for name in options.study:
        folder = options.out / name
        if not options.print:
            train(name, images, folder, options)
        try:
            show(dw.AblationStudy(folder).table)
        except AblationError as error:
            print(f"{name}: {error}")


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--study", nargs="+", default=["layers", "sizes", "first_layer", "further"], choices=[*PRESETS, "further"])
    parser.add_argument("--input-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--further-epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--per-class", type=int, default=60)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--engine", default="local", choices=["local", "ray"])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--print", action="store_true", help="only print what is complete")
    return parser.parse_args()


def caltech(classes: int, per_class: int) -> ImageSet:
    """Return as many photographs of each of the classes of Caltech-101 that have most of them."""
    images: ImageSet = dw.open_images("caltech101")
    labels = labels_of(images)
    counts = np.bincount(labels[labels >= 0], minlength=len(class_names(images)))
    largest = np.argsort(-counts, kind="stable")[:classes]
    images = images.only_classes([class_names(images)[number] for number in sorted(largest.tolist())])
    return images.subset(draw_fold(labels_of(images), per_class, 0, 0).train)


def train(name: str, images: ImageSet, folder: Path, options: argparse.Namespace) -> None:
    """Train the runs of a study that are not complete."""
    common = {"seeds": options.seeds, "out": folder, "input_size": options.input_size, "device": options.device}
    placed = {"engine": options.engine, "workers": options.workers}
    if name != "further":
        share_baseline(name, options.out)
        schedule = falling(LEARNING_RATE, options.epochs)
        dw.run_ablation(PRESETS[name], images, epochs=options.epochs, schedule=schedule, **common, **placed, **RECIPE)
        return
    trained = dw.AblationStudy(options.out / "first_layer").bundle(FIRST, 0)
    # The photographs that seed 0 was not trained on: other seeds would hold out some that it was.
    held_out = hold_out(labels_of(images), RECIPE["validation_share"], 0)
    changed = dw.surgery.change_first_layer(trained, kernel_size=7, stride=2)
    arms = {"11 x 11, stride 4": trained, "7 x 7, stride 2": changed}
    further = {**RECIPE, "initial_std": None, "schedule": falling(FURTHER_LEARNING_RATE, options.further_epochs)}
    photographs = {"images": images.subset(held_out.train), "validation": images.subset(held_out.test)}
    dw.run_ablation(arms, epochs=options.further_epochs, **photographs, **common, **placed, **further)


def share_baseline(name: str, out: Path) -> None:
    """Copy the runs of ZFNet from another study in the folder: trained by the same recipe on the same photographs, they are the same."""
    ours = out / name / "zfnet"
    others = [out / other / "zfnet" for other in PRESETS if other != name]
    trained = next((folder for folder in others if folder.is_dir()), None)
    if trained is not None and not ours.exists():
        shutil.copytree(trained, ours)


def show(table: AblationTable) -> None:
    """Print a study as a table of Markdown."""
    print(f"\n{table.complete} of {table.planned} runs complete; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print("| Variant | Parameters | Train error | Top-1 error | Difference | Top-5 error | Images/s | Paper, top-1 |")
    print("|---|---|---|---|---|---|---|---|")
    for row in table.rows:
        cells = (
            row.variant.description or row.variant.name,
            parameters_text(row.variant.parameters),
            error_text(row.train_error),
            error_text(row.top1_error),
            difference_text(row.top1_difference) or "baseline",
            error_text(row.top5_error),
            speed_text(row.images_per_second),
            paper_text(row),
        )
        print(f"| {' | '.join(cells)} |")
    print(f"\n{caption(table)}")


if __name__ == "__main__":
    main()
