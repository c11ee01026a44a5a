"""The time of `dw.diagnose`, with a naive loop over the photographs beside it, whose results are compared.

    python benchmarks/diagnose.py --model alexnet --photographs 500

The naive loop prepares one photograph after the other, runs the model on it alone with forward hooks, keeps the maxima of all units, and
convolves photographs with the first layer's filters at stride 1. It only has the numbers for dead units, near-copies and aliasing.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time

import numpy as np
import torch

import deconvwidgets as dw
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.models.bundle import ModelBundle


def naive(bundle: ModelBundle, images: ImageSet, aliasing: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the maxima of all units (photographs, units) by layer, and the aliased share of each first-layer filter."""
    modules = dict(bundle.model.named_modules())
    names = [info.name for info in bundle.network.feature_map_layers if info.name in modules]
    maxima: dict[str, list[np.ndarray]] = {name: [] for name in names}
    hooks = [
        modules[name].register_forward_hook(lambda module, args, output, name=name: maxima[name].append(output.amax((2, 3))[0].numpy()))
        for name in names
    ]
    for source in range(images.source_count):
        with torch.no_grad():
            bundle.model(bundle.prepare(images.open_source(source))[None])
    for hook in hooks:
        hook.remove()
    convolution = next(module for module in bundle.model.modules() if isinstance(module, torch.nn.Conv2d))
    energy = above = 0.0
    for source in np.linspace(0, images.source_count - 1, aliasing).round().astype(int):
        pixels = bundle.prepare(images.open_source(int(source)))[None].double()
        response = torch.nn.functional.conv2d(pixels, convolution.weight.double())[0]
        side = response.shape[1]
        window = torch.hann_window(side, periodic=False, dtype=torch.float64)
        spectrum = torch.fft.fft2((response - response.mean((1, 2), keepdim=True)) * window * window[:, None]).abs().square()
        high = torch.fft.fftfreq(side).abs() > 0.5 / convolution.stride[0]
        energy, above = energy + spectrum.sum((1, 2)), above + (spectrum * (high[:, None] | high)).sum((1, 2))
    return {name: np.stack(values) for name, values in maxima.items()}, (above / energy).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="alexnet")
    parser.add_argument("--images", default="caltech101")
    parser.add_argument("--photographs", type=int, default=500)
    parser.add_argument("--without-naive", action="store_true")
    options = parser.parse_args()
    bundle, images = dw.load_model(options.model), dw.open_images(options.images)
    chosen = images.subset(np.unique(np.linspace(0, images.source_count - 1, options.photographs).round().astype(int)))
    print(f"{len(bundle.network.layers)} layers traced")  # before the clock starts
    with tempfile.TemporaryDirectory() as cache:
        os.environ["DECONVWIDGETS_CACHE"] = cache  # no index is reused
        print(f"load average {os.getloadavg()[0]:.1f}, {torch.get_num_threads()} threads, {len(chosen)} photographs")
        start = time.perf_counter()
        found = dw.diagnose(bundle, chosen, device="cpu")
        print(f"dw.diagnose {time.perf_counter() - start:.1f} s")
    for finding in found.findings:
        print(f"  {finding.level:6} {finding.check:20} {finding.count_text:16} {finding.summary}")
    if options.without_naive:
        return
    start = time.perf_counter()
    maxima, aliased = naive(bundle, chosen, 20)
    print(f"naive loop {time.perf_counter() - start:.1f} s (statistics and aliasing only)")
    dead = sum(int((values.max(0) <= 0).sum()) for values in maxima.values())
    print(f"dead units: {found.finding('dead_units').count_text} (naive: {dead})")
    if found.first_layer is not None:
        print(f"aliased: {found.first_layer.aliased_mean:.3f} (naive: {np.nanmean(aliased):.3f})")


if __name__ == "__main__":
    main()
