"""The published protocol's random splits: n training images a class, at most 50 test images a class from the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import HeadError

MOST_TESTS = 50  # a class (Zeiler & Fergus 2014, section 5.2, for Caltech-101)


@dataclass(frozen=True, slots=True)
class Fold:
    """One split: positions in the labels that it was drawn from, ascending and without an overlap."""

    train: NDArray[np.int64]  # (training images,)
    test: NDArray[np.int64]  # (test images,)


def draw_fold(
    labels: Sequence[int] | NDArray[np.int64], images_per_class: int, seed: int, fold: int, most_tests: int | None = MOST_TESTS
) -> Fold:
    """Split number `fold` of the run `seed`: `images_per_class` training images of every class at random, and of the rest at most
    `most_tests` test images a class, at random too (None: all the rest). Zeiler & Fergus 2014, sections 5.2 and 5.3.

    `labels` holds each image's class; negative ones have none and are left out. The split follows from the labels and the four
    numbers alone, on any machine; `most_tests` changes nothing in the training images.

    Raises HeadError for numbers out of range, and where a class has no image left to test.
    """
    if images_per_class < 1 or seed < 0 or fold < 0 or (most_tests is not None and most_tests < 1):
        raise HeadError(
            f"images_per_class={images_per_class}, seed={seed}, fold={fold}, most_tests={most_tests} make no split: give at least 1 "
            "image a class and 1 test image, and seed and fold from 0 on."
        )
    members = _members(labels)
    short = [f"{label} ({len(own)})" for label, own in members.items() if len(own) <= images_per_class]
    if short:
        named = ", ".join(short[:5]) + (", ..." if len(short) > 5 else "")
        raise HeadError(
            f"{images_per_class} training images a class leave nothing to test in {len(short)} of {len(members)} classes: {named} "
            "(images in brackets). Take fewer a class, or leave these classes out."
        )
    draw = np.random.default_rng([seed, fold])
    train, test = [], []
    for own in members.values():
        shuffled = draw.permutation(own)
        train.append(shuffled[:images_per_class])
        test.append(shuffled[images_per_class:][:most_tests])
    return Fold(_sorted(train), _sorted(test))


def hold_out(labels: Sequence[int] | NDArray[np.int64], share: float, seed: int) -> Fold:
    """Part of the training images set aside, so that a setting (the weight decay) is never chosen on test images.

    `labels` are the training images' classes; of each class `share` (0 to 1, rounded) is held out as `test`, at least one image, and at
    least one stays as `train`. A class of a single image is kept for training. The positions count within `labels`.

    Raises HeadError for a share outside (0, 1), a negative seed, or where no class has two images.
    """
    if not 0 < share < 1 or seed < 0:
        raise HeadError(f"share={share}, seed={seed} hold nothing out: give a share between 0 and 1, and a seed from 0 on.")
    draw = np.random.default_rng([seed])
    train, test = [], []
    for own in _members(labels).values():
        held = min(max(1, round(share * len(own))), len(own) - 1)
        shuffled = draw.permutation(own)
        test.append(shuffled[:held])
        train.append(shuffled[held:])
    if not sum(map(len, test)):
        raise HeadError("No class has two training images, so none can be held out: take at least 2 a class, or name the weight decay.")
    return Fold(_sorted(train), _sorted(test))


def _members(labels: Sequence[int] | NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """The positions of each class, classes ascending."""
    numbers = np.asarray(labels, np.int64)
    if numbers.ndim != 1 or not np.any(numbers >= 0):
        raise HeadError(f"Labels of shape {numbers.shape} name no class: a split needs one class number an image, at least one from 0 on.")
    return {int(label): np.flatnonzero(numbers == label).astype(np.int64) for label in np.unique(numbers[numbers >= 0])}


def _sorted(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.sort(np.concatenate(parts)).astype(np.int64)
