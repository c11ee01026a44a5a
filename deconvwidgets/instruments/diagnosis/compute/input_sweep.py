"""Other ways to prepare photographs for a model, and its accuracy with each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.scores import most_probable, require_outputs, scores_of
from deconvwidgets.engine.executor import run_each
from deconvwidgets.instruments.diagnosis.input_records import InputVariant
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess

_SIZES = (0.75, 0.875, 1.25, 1.5)  # of photographs before the crop, relative to the given size
_SMALLEST = 1e-12  # probability whose logarithm is taken


@dataclass(frozen=True, slots=True)
class Preparation:
    """A way to prepare photographs: a transform, and whether the channels are reversed before."""

    label: str
    kind: str
    transform: Preprocess | None  # None for the bundle's own
    reversed: bool = False


def preparations(bundle: ModelBundle) -> list[Preparation]:
    """Return the ways to try, the given one first: those that the bundle's transform can be changed to."""
    given = bundle.transform
    own = [Preparation("as given", "given", None)]
    if bundle.input_size[0] == 3:
        own.append(Preparation("channels reversed (BGR for RGB)", "channels", None, reversed=True))
    if not isinstance(given, Preprocess):
        return own
    found = [*own, *_sizes(given)]
    for label, kind, mean, std in _normalisations(len(given.mean)):
        changed = replace(given, mean=mean, std=std)
        if not (np.allclose(mean, given.mean, atol=0.01) and np.allclose(std, given.std, rtol=0.05)):
            found.append(Preparation(label, kind, changed))
            if bundle.input_size[0] == 3:
                found.append(Preparation(f"{label}, channels reversed", kind, changed, reversed=True))
    return found


def _normalisations(channels: int) -> Iterator[tuple[str, str, tuple[float, ...], tuple[float, ...]]]:
    imagenet = (IMAGENET_MEAN, IMAGENET_STD) if channels == 3 else ((0.449,), (0.226,))
    same = [(value,) * channels for value in (0.0, 1.0, 0.5, 1 / 255)]
    yield "ImageNet's mean and deviation", "mean", *imagenet
    yield "0 to 1", "range", same[0], same[1]
    yield "-1 to 1", "range", same[2], same[2]
    yield "0 to 255", "range", same[0], same[3]
    yield "0 to 255 minus ImageNet's mean", "range", imagenet[0], same[3]


def _sizes(given: Preprocess) -> Iterator[Preparation]:
    shorter = given.resize or min(given.crop)
    for factor in _SIZES:
        size = round(shorter * factor)
        yield Preparation(f"photographs resized to {size} before the crop", "size", replace(given, resize=size))


class Sweep:
    """The outputs of a model for photographs that are prepared in several ways.

    Parameters
    ----------
    bundle : ModelBundle
        A model that predicts probabilities of classes.
    """

    def __init__(self, bundle: ModelBundle) -> None:
        self.bundle, self.ways = bundle, preparations(bundle)
        self._ranks: list[list[NDArray[np.int64]]] = [[] for _ in self.ways]
        self._losses: list[list[NDArray[np.float64]]] = [[] for _ in self.ways]
        self._classes = 0

    def inputs(self, way: Preparation, images: Sequence[Image.Image]) -> Tensor:
        """Return photographs in RGB as inputs (N, C, H, W), prepared in a way."""
        ordered = [Image.fromarray(np.asarray(image)[:, :, ::-1].copy()) if way.reversed else image for image in images]
        return torch.stack([self.bundle.prepare(image) if way.transform is None else way.transform(image) for image in ordered])

    def add(self, images: Sequence[Image.Image], labels: Sequence[int], number: int) -> None:
        """Add photographs with their classes, prepared in the way of a number."""
        bundle, quantity = self.bundle, self.bundle.quantity
        assert quantity is not None

        def run(part: Tensor) -> Tensor:
            return require_outputs(bundle.model(part), bundle)

        batch = to_model(self.inputs(self.ways[number], images), bundle.model)
        with torch.no_grad():
            outputs = run_each(run, batch) if bundle.network.single else run(batch)
        scores = scores_of(outputs, quantity, bundle.name)
        rows, truths = np.arange(len(scores)), np.asarray(labels)
        own = scores[rows, truths]
        ranks = (scores > own[:, None]).sum(axis=1)
        self._classes = scores.shape[1]
        self._ranks[number].append(np.where(most_probable(scores) == truths, 0, np.maximum(ranks, 1)))
        self._losses[number].append(-np.log(np.maximum(own, _SMALLEST)))

    def right(self, number: int) -> NDArray[np.bool_]:
        """Return which photographs are classified as their label, with the way of a number."""
        return np.asarray(np.concatenate(self._ranks[number]) == 0, np.bool_)

    def variants(self) -> tuple[InputVariant, ...]:
        """Return the results, in the order of `ways`."""
        found = []
        for way, ranks, losses in zip(self.ways, self._ranks, self._losses, strict=True):
            joined = np.concatenate(ranks)
            top5 = float((joined < 5).mean()) if self._classes > 5 else float("nan")
            found.append(InputVariant(way.label, way.kind, float((joined == 0).mean()), top5, float(np.concatenate(losses).mean())))
        return tuple(found)
