"""The main computations on a GPU, each beside the plain PyTorch that a user would write, in one run of about five minutes.

    python benchmarks/gpu.py [--device cuda] [--photographs 4096] [--rounds 3] [--only index projections occlusion training]

It needs no network and no data set: weights are random, and photographs are JPEG files that it draws. `--quick` makes it small enough to
try the script itself on a CPU. Printed are medians of interleaved rounds, ratios within a round, and how far the outputs differ.

index        top 9 of all convN layers, from decoded pixels and from JPEG files, against the bare forward pass in its faster memory format
projections  nine projections of a unit, against autograd through the whole model with guided rectifiers as the deconvnet rule says
occlusion    a map of all positions, against whole images in batches
training     the features of a head, against the bare forward pass

Training a whole network is measured by `benchmarks/train.py --input-size 224 --images 8192`.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

import deconvwidgets as dw
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.torchvision_import import import_torchvision

MODELS = ("alexnet", "resnet50")
CLASSES = 4
SIZE = (300, 260)  # of the photographs, about Caltech-101's


def synchronized(device: torch.device) -> None:
    """Wait until the device has computed what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(work: Callable[[], Any], device: torch.device) -> tuple[float, Any]:
    """Return the seconds of a call and its result."""
    synchronized(device)
    started = time.perf_counter()
    result = work()
    synchronized(device)
    return time.perf_counter() - started, result


def interleaved(rounds: int, device: torch.device, **works: Callable[[], Any]) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Run each call once to warm up, and then `rounds` times in turn. Return the seconds and the last results."""
    results = {name: work() for name, work in works.items()}
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            spent, results[name] = timed(work, device)
            seconds[name].append(spent)
    return seconds, results


def median_ratio(slower: list[float], faster: list[float]) -> float:
    """Return the median of the ratios within a round."""
    return statistics.median(one / other for one, other in zip(slower, faster, strict=True))


def bundle_of(name: str, device: torch.device) -> ModelBundle:
    """Return a torchvision model with random weights on the device."""
    torch.manual_seed(0)
    model = getattr(import_torchvision().models, name)(weights=None).eval().to(device)
    return dw.ModelBundle.from_module(model, categories=[f"class {number}" for number in range(1000)], name=name)


def draw_photographs(folder: Path, count: int) -> ImageSet:
    """Write JPEG files of smooth noise, in folders of classes, and open them."""
    generator = np.random.default_rng(0)
    for number in range(count):
        parent = folder / f"class {number % CLASSES}"
        parent.mkdir(exist_ok=True)
        coarse = Image.fromarray(generator.integers(0, 256, (13, 15, 3), dtype=np.uint8))
        fine = generator.normal(0, 12, (SIZE[1], SIZE[0], 3))
        pixels = np.asarray(coarse.resize(SIZE, Image.Resampling.BICUBIC), np.float64) + fine
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(parent / f"{number:05d}.jpg", quality=90)
    return dw.open_images(folder)


def inputs_of(bundle: ModelBundle, images: ImageSet, count: int) -> Tensor:
    """Return the model's inputs for the first photographs, on its device."""
    batch = torch.stack([bundle.prepare(images.open_crop(number)) for number in range(min(count, len(images)))])
    return batch.to(next(bundle.model.parameters()).device)


def bare_passes(bundle: ModelBundle, batch: Tensor, total: int) -> dict[str, Callable[[], None]]:
    """Return the bare forward pass over `total` images in both memory formats."""

    def run(model: nn.Module, pixels: Tensor) -> None:
        with torch.no_grad():
            for _ in range(0, total, len(pixels)):
                model(pixels)

    last = copy.deepcopy(bundle.model).to(memory_format=torch.channels_last)
    in_last = batch.contiguous(memory_format=torch.channels_last)
    return {"contiguous": lambda: run(bundle.model, batch), "channels_last": lambda: run(last, in_last)}


def naive_maxima(bundle: ModelBundle, images: ImageSet, layer: str, count: int) -> np.ndarray[Any, Any]:
    """Return the maxima of a layer's units over the first photographs, by a forward hook."""
    found: list[Tensor] = []
    module = bundle.model.get_submodule(bundle.network.layer(layer).name)
    hook = module.register_forward_hook(lambda _module, _args, output: found.append(output.amax((2, 3))))
    with torch.no_grad():
        for start in range(0, count, 64):
            bundle.model(inputs_of(bundle, images.subset(range(start, min(start + 64, count))), 64))
    hook.remove()
    return torch.cat(found).float().cpu().numpy().max(axis=0)


def index(bundle: ModelBundle, images: ImageSet, options: argparse.Namespace, cache: Path) -> None:
    """Compare the index with the bare forward pass."""
    device, size = next(bundle.model.parameters()).device, options.batch
    settings: dict[str, Any] = {"batch_size": size, "device": str(device), "progress": False}
    works: dict[str, Callable[[], Any]] = {
        "JPEG files": lambda: dw.ActivationIndex.build(bundle, images, **settings),
        "decoded": lambda: dw.ActivationIndex.build(bundle, images, decoded_cache=cache, **settings),
        **bare_passes(bundle, inputs_of(bundle, images, size), len(images)),
    }
    seconds, results = interleaved(options.rounds, device, **works)
    bare = min(("contiguous", "channels_last"), key=lambda name: statistics.median(seconds[name]))
    for name, values in seconds.items():
        print(f"  {name:14} {len(images) / statistics.median(values):9.0f} photographs/s")
    for name in ("decoded", "JPEG files"):
        print(f"  {name}: {median_ratio(seconds[bare], seconds[name]):.0%} of the bare forward pass ({bare})")
    layer = bundle.network.feature_map_layers[0].name
    count = min(256, len(images))
    expected = naive_maxima(bundle, images, layer, count)
    found = dw.ActivationIndex.build(bundle, images, [layer], crops=range(count), **settings).stats(layer).maximum
    print(
        f"  maxima of {layer} differ from a forward hook's by {np.abs(found - expected).max() / np.abs(expected).max():.1e} of the largest"
    )
    same = np.array_equal(results["decoded"].values(layer), results["JPEG files"].values(layer))
    print(f"  decoded and JPEG files give {'equal' if same else 'DIFFERENT'} values")


def deconvnet_by_autograd(model: nn.Module, module: nn.Module, batch: Tensor, unit: int) -> Tensor:
    """Return deconvnet projections through the whole model: a rectifier passes on the positive part of what comes back."""
    maps: list[Tensor] = []
    hooks = [module.register_forward_hook(lambda _module, _args, output: maps.append(output))]
    for part in model.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False
            hooks.append(part.register_full_backward_hook(lambda _module, _inputs, outputs: (outputs[0].clamp(min=0),)))
    pixels = batch.clone().requires_grad_(True)
    model(pixels)
    chosen = maps[0][:, unit].flatten(1)
    seed = torch.zeros_like(chosen).scatter_(1, chosen.argmax(dim=1, keepdim=True), 1.0) * chosen.detach()
    (chosen * seed).sum().backward()
    for hook in hooks:
        hook.remove()
    assert pixels.grad is not None
    return pixels.grad


def projections(bundle: ModelBundle, images: ImageSet, options: argparse.Namespace, _cache: Path) -> None:
    """Compare nine projections with autograd through the whole model."""
    layers = bundle.network.feature_map_layers
    info = layers[min(3, len(layers) - 1)]
    batch = inputs_of(bundle, images, 9)
    plain = copy.deepcopy(bundle.model)
    module = plain.get_submodule(info.name.partition("#")[0])
    seconds, _ = interleaved(
        max(options.rounds, 5),
        batch.device,
        deconvwidgets=lambda: dw.engine.project(bundle.network, batch, info.name, unit=3),
        autograd=lambda: deconvnet_by_autograd(plain, module, batch, 3),
    )
    ours, theirs = (1000 * statistics.median(seconds[name]) for name in ("deconvwidgets", "autograd"))
    ratio = median_ratio(seconds["autograd"], seconds["deconvwidgets"])
    print(f"  nine projections of {info.short_name}: {ours:.1f} ms, autograd {theirs:.1f} ms, {ratio:.1f} times")


def occlusion(bundle: ModelBundle, images: ImageSet, options: argparse.Namespace, _cache: Path) -> None:
    """Compare an occlusion map with whole images in batches."""
    image = images.open_source(0)
    pixels = inputs_of(bundle, images, 1)
    stride = 16 if options.quick else 4

    def whole() -> np.ndarray[Any, Any]:
        boxes = [(row, column) for row in range(0, 224 - 47, stride) for column in range(0, 224 - 47, stride)]
        logits = []
        with torch.no_grad():
            for start in range(0, len(boxes), 128):
                part = pixels.repeat(len(boxes[start : start + 128]), 1, 1, 1)
                for number, (row, column) in enumerate(boxes[start : start + 128]):
                    part[number, :, row : row + 48, column : column + 48] = 0
                logits.append(bundle.model(part)[:, 3])
        return torch.cat(logits).cpu().numpy()

    seconds, results = interleaved(
        options.rounds,
        pixels.device,
        deconvwidgets=lambda: dw.occlude(bundle, image, 48, stride, target=3, logits=True, progress=False),
        whole=whole,
    )
    ours, theirs = (statistics.median(seconds[name]) for name in ("deconvwidgets", "whole"))
    found = results["deconvwidgets"].logits[:, :, 3].ravel()
    difference = np.abs(found - results["whole"]).max() / np.abs(results["whole"]).max() if len(found) == len(results["whole"]) else np.nan
    ratio = median_ratio(seconds["whole"], seconds["deconvwidgets"])
    print(f"  {len(found)} positions: {ours:.2f} s, whole images {theirs:.2f} s, {ratio:.1f} times")
    print(f"  logits differ by {difference:.1e} of the largest")


def training(bundle: ModelBundle, images: ImageSet, options: argparse.Namespace, _cache: Path) -> None:
    """Compare training a head, most of which is computing features, with the bare forward pass."""
    device, per_class = next(bundle.model.parameters()).device, min(30, len(images) // CLASSES // 2)

    def train() -> Any:
        return dw.train_softmax_head(
            bundle, images, images_per_class=per_class, folds=1, store="memory", device=str(device), progress=False
        )

    seconds, results = interleaved(
        options.rounds, device, train=train, **bare_passes(bundle, inputs_of(bundle, images, options.batch), len(images))
    )
    bare = min(("contiguous", "channels_last"), key=lambda name: statistics.median(seconds[name]))
    trained, passed = statistics.median(seconds["train"]), statistics.median(seconds[bare])
    print(f"  head of {results['train'].layer}: {trained:.1f} s; the bare forward pass over all photographs ({bare}): {passed:.1f} s")


PARTS: dict[str, Callable[[ModelBundle, ImageSet, argparse.Namespace, Path], None]] = {
    "index": index,
    "projections": projections,
    "occlusion": occlusion,
    "training": training,
}


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--photographs", type=int, default=4096)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="64 photographs, one round, AlexNet: to try the script")
    options = parser.parse_args()
    if options.quick:
        options.photographs, options.batch, options.rounds, options.models = 64, 32, 1, ["alexnet"]
    return options


def cases(options: argparse.Namespace) -> Iterator[tuple[str, ModelBundle]]:
    device = torch.device(options.device)
    for name in options.models:
        yield name, bundle_of(name, device)


def main() -> None:
    options = parsed()
    name = torch.cuda.get_device_name() if options.device.startswith("cuda") else "CPU"
    print(f"{name}, torch {torch.__version__}, {options.photographs} photographs, batches of {options.batch}")
    with tempfile.TemporaryDirectory() as folder:
        images = draw_photographs(Path(folder), options.photographs)
        for model, bundle in cases(options):
            for part in options.only:
                print(f"{model}: {part}", flush=True)
                PARTS[part](bundle, images, options, Path(folder).with_suffix(f".{model}"))


if __name__ == "__main__":
    main()
