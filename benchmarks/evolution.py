"""How far each layer of a training has converged by epoch, and what one more checkpoint costs against building all indexes again.

    python benchmarks/evolution.py                                     # the checkpoints that come with the package
    python benchmarks/evolution.py --checkpoints FOLDER --build zfnet --images caltech101

With Caltech-101 in the folder of DECONVWIDGETS_DATA the images are, by default, those of the checkpoints' classes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable

import numpy as np

import deconvwidgets as dw
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.evolution.compute.evolution import FeatureEvolution


def convergence_tables(evolution: FeatureEvolution) -> None:
    print(f"\n{evolution}\n{evolution.note}")
    for measure, title in (("correlation", "median correlation"), ("same_strongest", "same strongest photograph"), ("cka", "linear CKA")):
        print(f"\n{title:28}" + "".join(f"{epoch:>7}" for epoch in evolution.epochs) + "   0.9 from epoch   above epoch 0: 0.9 from epoch")
        for info in evolution.layers:
            converged = evolution.convergence(info.name)
            values = getattr(converged, measure)
            share = (values - values[0]) / (1 - values[0])  # of the way from the random weights
            below = np.flatnonzero(share[:-1] < 0.9)
            reached = evolution.epochs[int(below[-1]) + 1 if below.size else 0]
            row = "".join(f"{value:7.2f}" for value in values)
            print(f"  {info.short_name:26}{row}{converged.reached(measure):17}{reached:33}")


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def costs(checkpoints: dw.Checkpoints, images: ImageSet) -> None:
    """Measure the cost of the last checkpoint alone, and of all of them, with an empty cache each."""
    earlier = [checkpoint.path for checkpoint in checkpoints[:-1]]
    every = [checkpoint.path for checkpoint in checkpoints]

    def evolution_of(files: list[os.PathLike[str]]) -> FeatureEvolution:
        opened = dw.open_checkpoints(files, build=checkpoints.bundle(checkpoints.epochs[-1]))
        return dw.feature_evolution(opened, images, progress=False)

    with tempfile.TemporaryDirectory() as cache:
        os.environ["DECONVWIDGETS_CACHE"] = cache
        first = seconds(lambda: evolution_of(earlier))
        one_more = seconds(lambda: evolution_of(every))
        again = seconds(lambda: evolution_of(every))
        incremental = evolution_of(every)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["DECONVWIDGETS_CACHE"] = cache
        anew = seconds(lambda: evolution_of(every))
        complete = evolution_of(every)
    equal = all(incremental.index(epoch).to_bytes() == complete.index(epoch).to_bytes() for epoch in complete.epochs)
    print(f"\n{len(earlier)} checkpoints: {first:.1f} s; one more: {one_more:.1f} s; again: {again:.1f} s; all anew: {anew:.1f} s")
    print(f"indexes equal, byte for byte: {equal}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", default="caltech14", help="a folder, or the name of checkpoints that come with the package")
    parser.add_argument("--build", help="the architecture, a name of load_model, if the folder does not tell it")
    parser.add_argument("--images", help="what open_images takes")
    parser.add_argument("--no-costs", action="store_true", help="print the tables only")
    options = parser.parse_args()
    checkpoints = dw.open_checkpoints(options.checkpoints, options.build)
    if options.images is None and "DECONVWIDGETS_DATA" in os.environ and checkpoints.categories:
        images = dw.open_images("caltech101").only_classes(checkpoints.categories)
    else:
        images = dw.open_images(options.images or "photos")
    evolution = dw.feature_evolution(checkpoints, images, progress=False)
    convergence_tables(evolution)
    if not options.no_costs:
        costs(checkpoints, images)


if __name__ == "__main__":
    main()
