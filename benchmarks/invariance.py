"""Time invariance curves of AlexNet, 20 amounts x 5 photographs, next to a naive loop, and check the paper's observations with numbers.

Run it with `python benchmarks/invariance.py [--model alexnet] [--images photos] [--photographs 5] [--repeats 3] [--observations 40]`. The
naive loop transforms one photograph at a time with torchvision, runs the whole model with forward hooks for each amount, and computes
the distances with NumPy; its distances and probabilities are compared. `--observations N` then measures, over N photographs, what Zeiler &
Fergus 2014 say of figure 5: small transformations change the lowest layer most; upper layers change nearly linearly with translation and
scale; the output is not invariant to rotation. `--observations 0` leaves that out.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import deconvwidgets as dw
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.torchvision_import import import_torchvision

AMOUNTS = {"translate": np.linspace(-60, 60, 21)[1:], "scale": np.linspace(1, 1.8, 20), "rotate": np.linspace(0, 345, 24)[:20]}

NEUTRAL = {"translate": 0, "scale": 1, "rotate": 0}


def transformed(image: Any, name: str, amount: float, preprocess: Preprocess) -> torch.Tensor:
    """Return the model's input as torchvision computes it."""
    functional = import_torchvision().transforms.functional
    bilinear = import_torchvision().transforms.InterpolationMode.BILINEAR
    fill = [round(255 * value) for value in preprocess.mean]
    resized = functional.resize(image, preprocess.resize, bilinear)
    if name == "translate":
        resized = functional.affine(resized, 0, [0, int(amount)], 1, [0.0, 0.0], fill=fill)
    elif name == "scale" and amount != 1:
        resized = functional.affine(resized, 0, [0, 0], float(amount), [0.0, 0.0], bilinear, fill=fill)
    elif name == "rotate" and amount:
        resized = functional.rotate(resized, float(amount), bilinear, fill=fill)
    cropped = functional.center_crop(resized, list(preprocess.crop))
    normalised: torch.Tensor = functional.normalize(functional.to_tensor(cropped), preprocess.mean, preprocess.std)
    return normalised


class PlainModel:
    """A model without this package: its modules with forward hooks, and the linear head if it has one of this package's.

    Parameters
    ----------
    bundle : ModelBundle
    layers : list of str
    """

    def __init__(self, bundle: ModelBundle, layers: list[str]) -> None:
        self.model, self.head = (bundle.headless or bundle).model, bundle.head
        self.found: list[NDArray[Any]] = []
        self.below_head = torch.zeros(0)
        modules = [self.model.get_submodule(bundle.network.layer(layer).name) for layer in layers]
        self.handles = [module.register_forward_hook(lambda _m, _i, output: self.found.append(output.numpy().copy())) for module in modules]
        if self.head is not None:
            self.weight, self.bias = torch.tensor(self.head.weight).float(), torch.tensor(self.head.bias)
            module = self.model.get_submodule(self.head.layer)
            self.handles.append(module.register_forward_hook(lambda _m, _i, output: setattr(self, "below_head", output)))

    def run(self, pixels: torch.Tensor) -> tuple[list[NDArray[Any]], NDArray[Any]]:
        """Return the layers' features of one image, and the probabilities."""
        self.found.clear()
        outputs = self.model(pixels[None])
        if self.head is not None:
            pooled = torch.nn.functional.adaptive_avg_pool2d(self.below_head, self.head.pool or self.below_head.shape[-2:])
            outputs = torch.nn.functional.linear(pooled.flatten(1), self.weight, self.bias)
        return list(self.found), outputs.softmax(1)[0].numpy()

    def close(self) -> None:
        """Remove the hooks."""
        for handle in self.handles:
            handle.remove()


@torch.no_grad()
def naive(bundle: ModelBundle, images: ImageSet, sources: list[int], name: str, layers: list[str]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return distances (photographs, layers, amounts) and probabilities of the predicted class (photographs, amounts)."""
    assert isinstance(bundle.transform, Preprocess)
    plain, distances, scores = PlainModel(bundle, layers), [], []
    for source in sources:
        image = images.open_crop(images.crops_of(source)[0])
        before, probabilities = plain.run(transformed(image, name, NEUTRAL[name], bundle.transform))
        label, row, curve = int(probabilities.argmax()), [], []
        for amount in AMOUNTS[name]:
            after, probabilities = plain.run(transformed(image, name, amount, bundle.transform))
            curve.append(float(probabilities[label]))
            row.append([float(np.linalg.norm((now - then).ravel())) for now, then in zip(after, before, strict=True)])
        distances.append(np.array(row).T)
        scores.append(curve)
    plain.close()
    return np.array(distances), np.array(scores)


def timed(work: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[float, float, Any]:
    """Return the seconds that a call takes, those of the processor, and its result."""
    start, cpu = time.perf_counter(), time.process_time()
    result = work(*arguments, **options)
    return time.perf_counter() - start, time.process_time() - cpu, result


def compare(bundle: ModelBundle, images: ImageSet, photographs: int, repeats: int, layers: list[str]) -> None:
    """Print the times of both, in turn, and the largest differences."""
    sources = [number * images.source_count // photographs for number in range(photographs)]
    print(f"load {os.getloadavg()[0]:.1f}, {torch.get_num_threads()} threads; {photographs} photographs, layers {', '.join(layers)}")
    for name, amounts in AMOUNTS.items():
        ours, plain = [], []
        for _ in range(repeats):
            options: dict[str, Any] = {"layers": layers, "photographs": sources, "progress": False}
            seconds, cpu, curves = timed(dw.invariance, bundle, images, name, amounts, **options)
            ours.append(seconds)
            seconds, plain_cpu, (distances, scores) = timed(naive, bundle, images, sources, name, layers)
            plain.append(seconds)
        unlabelled = [number for number, one in enumerate(curves.photographs) if not one.labelled]
        norms = np.stack([one.norms for one in curves.photographs])[:, :, None]
        difference = np.abs((curves.distances - distances) / norms).max()
        probability = np.abs(curves.scores - scores)[unlabelled].max(initial=0.0)
        print(
            f"{name}, {len(amounts)} amounts: {statistics.median(ours):.2f} s, naive loop {statistics.median(plain):.2f} s "
            f"({statistics.median(plain) / statistics.median(ours):.1f}x); processor time of the last {cpu:.2f} s, {plain_cpu:.2f} s; "
            f"largest difference: relative distance {difference:.1e}, probability {probability:.1e}"
        )


def linearity(x: NDArray[Any], y: NDArray[Any]) -> float:
    """Return R^2 of the best line through the origin: 1 if y is proportional to x; it may be negative."""
    slope = (x * y).sum() / (x * x).sum()
    return float(1 - ((y - slope * x) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def observe(bundle: ModelBundle, images: ImageSet, photographs: int, layers: list[str]) -> None:
    """Print the paper's observations in numbers, means over the photographs."""
    print(f"\nObservations, {bundle.label}, {images.name}, {photographs} photographs, {', '.join(layers)}")
    ranges = {"translate": np.arange(0, 61, 4.0), "scale": np.linspace(1, 1.8, 17), "rotate": np.arange(0, 360, 15.0)}
    for name, amounts in ranges.items():
        curves = dw.invariance(bundle, images, name, amounts, layers=layers, photographs=photographs, progress=False)
        mean = curves.relative.mean(axis=0)
        away = amounts - (1 if name == "scale" else 0)
        for layer, row in zip(curves.layers, mean, strict=True):
            share = row[1] / row.max()
            parts = [f"{name} {layer}: relative distance at {amounts[1]:g} is {row[1]:.3f}, {100 * share:.0f}% of the largest"]
            near = away <= 180  # beyond, a rotation comes back
            parts.append(
                f"R^2 of a line through 0{' up to 180 degrees' if name == 'rotate' else ''}: {linearity(away[near], row[near]):.2f}"
            )
            print(", ".join(parts))
        kept = curves.scores.mean(axis=0) if curves.scores is not None else None
        if kept is not None:
            print(f"{name}: mean probability {np.array2string(kept, precision=2)}")


def main() -> None:
    """Read the options, and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="alexnet")
    parser.add_argument("--images", default="photos")
    parser.add_argument("--photographs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--observations", type=int, default=40)
    parser.add_argument("--layers", nargs="+", default=["conv1", "conv5"])
    options = parser.parse_args()
    bundle, images = dw.load_model(options.model), dw.open_images(options.images)
    bundle.network.graph  # noqa: B018 - traced before anything is timed
    if options.repeats:
        compare(bundle, images, options.photographs, options.repeats, options.layers)
    if options.observations:
        observe(bundle, images, options.observations, options.layers)


if __name__ == "__main__":
    main()
