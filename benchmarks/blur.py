"""What blurred subsampling does to AlexNet without training: change under shifts, and accuracy, beside the network as it is.

    DECONVWIDGETS_DATA=folder python benchmarks/blur.py [--photographs 40] [--labelled 1000]

The arms are those that the DiagnosisPanel makes by a click: max pooling at every position and blurred (`dw.surgery.swap_pooling`), strided
convolutions at every position and blurred (`dw.surgery.blur_strides`), and both. AlexNet has its bundled head for Caltech-101, which was
trained on 30 photographs per class: the accuracy is that of all arms on the same photographs, and not a result on a test set.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import numpy as np

import deconvwidgets as dw
from deconvwidgets.models.bundle import ModelBundle

SHIFTS = (0, 1, 2, 4, 8)


def arms(bundle: ModelBundle) -> Mapping[str, ModelBundle]:
    """Return the networks by name."""
    pooled = dw.surgery.swap_pooling(bundle, to="blur")
    return {
        "as it is": bundle,
        "max pooling blurred": pooled,
        "strides blurred": dw.surgery.blur_strides(bundle),
        "both": dw.surgery.blur_strides(pooled),
    }


def main() -> None:
    """Measure, and print a table of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=40)
    parser.add_argument("--labelled", type=int, default=1000)
    options = parser.parse_args()
    images = dw.open_images("caltech101")
    evenly = np.unique(np.linspace(0, images.source_count - 1, options.labelled).round().astype(int))
    sample = images.subset(evenly.tolist())
    print("| | conv5 at 1 px | 2 | 4 | 8 | probability at 1 px | top-1 |\n|---|---|---|---|---|---|---|")
    for name, bundle in arms(dw.load_model("alexnet")).items():
        curves = dw.shift_response(bundle, images, shifts=SHIFTS, layers=["conv5"], photographs=options.photographs)
        changes = " | ".join(f"{100 * value:.1f}%" for value in curves.changes[0][1:])
        accuracy = dw.evaluate(bundle, sample, store="memory", progress=False).accuracy
        print(f"| {name} | {changes} | {100 * curves.probability[1]:.1f} points | {100 * accuracy:.1f}% |", flush=True)


if __name__ == "__main__":
    main()
