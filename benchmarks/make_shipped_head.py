"""Makes the head that the package ships: AlexNet's conv5, pooled, on Caltech-101, 30 a class, float16.

Run it with `DECONVWIDGETS_DATA=folder python benchmarks/make_shipped_head.py [--out FILE]`; the folder holds Caltech-101 as
torchvision lays it out. It writes deconvwidgets/data/shipped/alexnet-conv5-caltech101.safetensors, about 1.9 MB, with its report. The
default AlexNet then has a classifier with no download. The accuracy in the report is that of the float16 weights.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

import deconvwidgets as dw
from deconvwidgets.analysis.head import train_softmax_head
from deconvwidgets.data.heads import save_head

SHIPPED = Path(__file__).resolve().parent.parent / "deconvwidgets" / "data" / "shipped" / "alexnet-conv5-caltech101.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--folds", type=int, default=5)
    arguments = parser.parse_args()
    bundle, images = dw.load_model("alexnet"), dw.open_images("caltech101")
    report = train_softmax_head(bundle, images, "pool5", images_per_class=30, folds=arguments.folds, views="flips")
    half = replace(report.head, weight=report.head.weight.astype(np.float16))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_head(half, arguments.out)
    print(f"{arguments.out.name}: {arguments.out.stat().st_size / 1e6:.2f} MB, {100 * report.mean:.2f} +- {100 * report.std:.2f} %")


if __name__ == "__main__":
    main()
