"""Time `dw.compare` of two models next to a plain script with forward hooks and scipy, and compare their results.

Run it with `python benchmarks/compare.py [--model alexnet] [--photographs 500] [--repeats 3]`, with DECONVWIDGETS_DATA naming the folder of
Caltech-101. The second model is a copy of the first with noise on its weights. Both run in turn in one process, from files to the matching
of all units and CKA of all pairs of layers; `dw.compare` has an empty cache each time, and then once more what it has cached. With
`--repeats 0` only `dw.compare` runs, for its memory: `--model vgg16 --photographs 2048 --side 64 --repeats 0`.
"""

from __future__ import annotations

import argparse
import copy
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

import deconvwidgets as dw
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess

BATCH = 32
Result = TypeVar("Result")
Values = dict[str, np.ndarray]


def noisy(bundle: ModelBundle, share: float) -> ModelBundle:
    """A copy with normal noise on its weights, of a share of their standard deviation."""
    torch.manual_seed(0)
    net = copy.deepcopy(bundle.model)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.dim() > 1:
                parameter.add_(torch.randn_like(parameter) * parameter.std() * share)
    return ModelBundle.from_module(net, transform=bundle.transform, input_size=bundle.input_size, name=f"{bundle.name} with noise")


def plain_values(bundles: list[ModelBundle], images: ImageSet) -> list[Values]:
    """The maxima of all feature maps, by hooks: arrays (photographs, units) by layer, for each model. Each photograph is prepared once."""
    found: list[dict[str, list[np.ndarray]]] = [{info.name: [] for info in bundle.network.feature_map_layers} for bundle in bundles]
    handles = [
        bundle.model.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, rows=rows: rows.append(output.amax((2, 3)).numpy())
        )
        for bundle, layers in zip(bundles, found, strict=True)
        for name, rows in layers.items()
    ]
    with torch.no_grad():
        for start in range(0, images.source_count, BATCH):
            batch = range(start, min(start + BATCH, images.source_count))
            pixels = torch.stack([bundles[0].prepare(images.open_source(source)) for source in batch])
            for bundle in bundles:
                bundle.model(pixels)
    for handle in handles:
        handle.remove()
    return [{name: np.concatenate(rows).astype(np.float64) for name, rows in layers.items()} for layers in found]


def plain_comparison(bundles: list[ModelBundle], images: ImageSet) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The matches (units,) of each layer, and CKA (layers, layers)."""
    first, second = plain_values(bundles, images)
    matches = {}
    for name, values in first.items():
        with np.errstate(invalid="ignore"):  # dead units
            correlations = np.corrcoef(values, second[name], rowvar=False)[: values.shape[1], values.shape[1] :]
        matches[name] = linear_sum_assignment(np.maximum(np.nan_to_num(correlations), 0), maximize=True)[1]
    centred = [[values - values.mean(0) for values in side.values()] for side in (first, second)]
    cross = [[np.square(a.T @ b).sum() for b in centred[1]] for a in centred[0]]
    own = [np.sqrt([np.square(a.T @ a).sum() for a in side]) for side in centred]
    return matches, np.array(cross) / np.outer(*own)


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="alexnet")
    parser.add_argument("--photographs", type=int, default=500)
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--side", type=int, default=0, help="of the input in pixels, if another than the model's")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    bundle, images = dw.load_model(options.model), dw.open_images("caltech101", limit=options.photographs)
    bundle = bundle.headless or bundle  # hooks see nothing of a model that runs as a traced graph below a head
    if options.side:
        transform = Preprocess(resize=options.side, crop=(options.side,) * 2, mean=bundle.transform.mean, std=bundle.transform.std)
        size = (3, options.side, options.side)
        bundle = ModelBundle.from_module(bundle.model, transform=transform, input_size=size, name=f"{bundle.name} at {options.side}")
    bundles = [bundle, noisy(bundle, options.noise)]
    ours, again, plain = [], [], []
    for _ in range(max(options.repeats, 1)):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["DECONVWIDGETS_CACHE"] = folder
            seconds, comparison = timed(lambda: dw.compare(bundles[0], bundles[1], images, device="cpu", progress=False))
            ours.append(seconds)
            again.append(timed(lambda: dw.compare(bundles[0], bundles[1], images, device="cpu", progress=False))[0])
        if options.repeats:
            seconds, (matches, cka) = timed(lambda: plain_comparison(bundles, images))
            plain.append(seconds)
            if comparison.crops == comparison.total:  # no copies, and no sample
                assert np.abs(comparison.cka - cka).max() < 1e-5, "CKA differs"
                different = sum(int((matches[pair.info_a.name] != pair.a.match).sum()) for pair in comparison.layers)
                assert different <= 2, f"{different} matches differ"
                print(f"largest difference of CKA {np.abs(comparison.cka - cka).max():.1e}, other matches: {different}")
    print(comparison)
    print(f"dw.compare {statistics.median(ours):.1f} s, from its cache {statistics.median(again):.2f} s")
    if plain:
        ratio = statistics.median(loop / own for loop, own in zip(plain, ours, strict=True))
        print(f"plain script {statistics.median(plain):.1f} s, plain / compare {ratio:.2f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


if __name__ == "__main__":
    main()
