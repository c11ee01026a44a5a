"""Train the head that is bundled with the package: AlexNet's pooled conv5 on Caltech-101, 30 images per class, float16.

Run it with `DECONVWIDGETS_DATA=folder python benchmarks/make_bundled_head.py [--out FILE]`; the folder holds Caltech-101 in torchvision's
layout. It writes deconvwidgets/models/bundled_heads/alexnet-conv5-caltech101.safetensors (about 1.9 MB) with its report, so that the
default AlexNet has a classifier without a download. `accuracy` in the report is the mean over all folds; `own_accuracy` is that of the
saved float16 weights on the first fold's test photographs.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import deconvwidgets as dw
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.transfer.compute.features import extract_features
from deconvwidgets.instruments.transfer.compute.scores import class_accuracy
from deconvwidgets.instruments.transfer.compute.train import train_softmax_head
from deconvwidgets.instruments.transfer.records import HeadReport
from deconvwidgets.models.head_files import save_head

DEFAULT_OUT = Path(__file__).resolve().parent.parent / "deconvwidgets" / "models" / "bundled_heads" / "alexnet-conv5-caltech101.safetensors"
GRID = (6, 6)  # of pool5 at 224 x 224


def own_accuracy(bundle: dw.ModelBundle, images: ImageSet, report: HeadReport, weight: NDArray[np.float16]) -> float:
    """The accuracy of the head with these weights on the first fold's test photographs, averaged over classes."""
    first = report.folds == 0
    features = extract_features(bundle, images, report.layer, progress=False)[report.layer]
    rows = np.asarray(features.values[report.sources[first], 0], np.float32)
    predictions = (rows @ weight.astype(np.float32).T + report.head.bias).argmax(1)
    return class_accuracy(report.truths[first], predictions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    parser.add_argument("--folds", type=int, default=5)
    arguments = parser.parse_args()
    bundle, images = dw.load_model("alexnet"), dw.open_images("caltech101")
    report = train_softmax_head(bundle, images, "pool5", images_per_class=30, folds=arguments.folds)
    weight = report.head.weight.astype(np.float16)
    own = own_accuracy(bundle, images, report, weight)
    # The maps of inputs of another size are average-pooled to the grid, as in torchvision's AlexNet. At 224 x 224 this changes nothing.
    half = replace(report.head, weight=weight, pool=GRID, report={**report.head.report, "own_accuracy": own})
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_head(half, arguments.out)
    print(f"{arguments.out.name}: {arguments.out.stat().st_size / 1e6:.2f} MB, {100 * report.mean:.2f} +- {100 * report.std:.2f}%")
    print(f"the bundled head, on the first fold: {100 * report.per_fold[0]:.2f}% in float32, {100 * own:.2f}% in float16")


if __name__ == "__main__":
    main()
