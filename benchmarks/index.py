"""The rate of an index pass against the bare forward pass of the same layers.

Both sides take turns in one run, batch by batch, and the outputs are compared with a naive loop: plain PyTorch modules, forward hooks,
one image's maximum after the other. Pixels are decoded already (uint8). The bare forward pass is that of the modules up to the last
layer, in the faster of its two memory formats, on inputs that are normalised and in that format already.

    python benchmarks/index.py [--model alexnet] [--batches 24] [--threads 1]

On a machine that does other work too, compare processor time (`--clock cpu` with `--threads 1`), not wall time.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import numpy as np
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.compute.decoded import DecodedBatch
from deconvwidgets.index.activation_index import ActivationIndex, layers_to_index
from deconvwidgets.index.index_pass import IndexPass
from deconvwidgets.index.options import IndexOptions
from deconvwidgets.models.preprocess import Preprocess

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class Stop(Exception):  # noqa: N818 - control flow
    """Ends a forward pass after the last layer."""


def bare_model(bundle: dw.ModelBundle, layers: list[str], memory_format: torch.memory_format) -> nn.Module:
    """Return a copy of the modules whose forward pass ends after the last layer."""
    model = copy.deepcopy(bundle.model).to(memory_format=memory_format)
    remaining = set(layers)

    def stop(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: object, output: object) -> None:
            remaining.discard(name)
            if not remaining:
                remaining.update(layers)
                raise Stop

        return hook

    for name in layers:
        model.get_submodule(name).register_forward_hook(stop(name))
    assert isinstance(model, nn.Module)
    return model


def run_bare(model: nn.Module, inputs: torch.Tensor) -> None:
    """Run the modules up to the last layer."""
    try:
        with torch.no_grad():
            model(inputs)
    except Stop:
        pass


def pictures(number: int, size: int, shape: tuple[int, int, int]) -> DecodedBatch:
    """Return a batch of decoded pictures of blocks of colour, which are all different."""
    crops, generator = np.arange(number * size, (number + 1) * size), np.random.default_rng(number)
    coarse = generator.integers(0, 256, (size, shape[0], -(-shape[1] // 8), -(-shape[2] // 8)), dtype=np.uint8)
    pixels = coarse.repeat(8, axis=2).repeat(8, axis=3)[:, :, : shape[1], : shape[2]]
    none = np.zeros(size, np.int64)
    return DecodedBatch(crops, crops, none, (crops + 1).astype(np.uint64), none - 1, np.ascontiguousarray(pixels))


def naive_maxima(bundle: dw.ModelBundle, layers: list[str], batches: list[DecodedBatch], transform: Preprocess) -> dict[str, np.ndarray]:
    """Return the maxima (images, units) of each layer, by modules and hooks, image by image."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in layers}
    model = copy.deepcopy(bundle.model)
    for name in layers:
        model.get_submodule(name).register_forward_hook(
            lambda module, args, output, name=name: found[name].append(output.flatten(2).max(dim=2).values.numpy())
        )
    with torch.no_grad():
        for batch in batches:
            for image in batch.pixels:
                model(transform.normalise(torch.from_numpy(image[None])))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def compare(index: ActivationIndex, layers: list[str], expected: dict[str, np.ndarray]) -> None:
    """Raise AssertionError if the index's values are not those of the naive loop, up to rounding."""
    for name in layers:
        strongest = np.sort(expected[name], axis=0)[::-1][: index.k].T
        values = np.where(np.isfinite(index.values(name)), index.values(name), 0)
        scale = max(1.0, float(np.abs(strongest).max()))
        assert np.abs(values[:, : strongest.shape[1]] - strongest).max() < 1e-4 * scale, name
        assert np.abs(index.stats(name).mean - expected[name].mean(axis=0)).max() < 1e-4 * scale, name


def main() -> None:
    """Print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="alexnet")
    parser.add_argument("--batches", type=int, default=24)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--k", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.perf_counter if options.clock == "wall" else time.thread_time
    bundle = dw.load_model(options.model)
    bundle = bundle.headless or bundle  # plain modules
    assert isinstance(bundle.transform, Preprocess)
    infos = layers_to_index(bundle, None)
    names = [info.name for info in infos]
    empty = ActivationIndex.empty(bundle, dw.open_images("photos"), infos, IndexOptions(k=options.k))
    index_pass = IndexPass(bundle, empty)
    size = index_pass.block_size
    index_pass = IndexPass(bundle, replace(empty, contents=np.zeros(size * options.batches, np.uint64)))
    models = {name: bare_model(bundle, names, memory_format) for name, memory_format in FORMATS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in (*FORMATS, "index")}
    for number in range(options.batches):
        batch = pictures(number, size, bundle.input_size)
        inputs = bundle.transform.normalise(torch.from_numpy(batch.pixels))
        for name, memory_format in FORMATS.items():
            prepared = inputs.contiguous(memory_format=memory_format)
            started = clock()
            run_bare(models[name], prepared)
            seconds[name].append(clock() - started)
        started = clock()
        index_pass.add(batch)
        seconds["index"].append(clock() - started)
    batches = [pictures(number, size, bundle.input_size) for number in range(2)]
    check = IndexPass(bundle, replace(empty, contents=np.zeros(2 * size, np.uint64)))
    for batch in batches:
        check.add(batch)
    compare(check.index(), names, naive_maxima(bundle, names, batches, bundle.transform))
    units = sum(info.channels for info in infos)
    print(f"{bundle.name}, {len(infos)} layers, {units:,} units, batches of {size}, k={options.k}, outputs equal")
    better = min(FORMATS, key=lambda name: median(seconds[name]))
    for name, measured in seconds.items():
        print(f"{name:>14}: {size / median(measured):7.1f} images/s ({options.clock} time)")
    paired = [bare / index for bare, index in zip(seconds[better], seconds["index"], strict=True)]
    whole = sum(seconds[better]) / sum(seconds["index"])
    print(f"index / bare in {better}: {median(paired):.1%} (median of pairs), {whole:.1%} (whole run)")


if __name__ == "__main__":
    main()
