"""Random splits of the published protocol: n training images per class, and at most 50 of the remaining images per class for testing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import HeadError

MAX_TESTS = 50  # per class (Zeiler & Fergus 2014, section 5.2, for Caltech-101)


@dataclass(frozen=True, slots=True)
class Fold:
    """A split: disjoint, ascending indices of the labels."""

    train: NDArray[np.int64]  # (training images,)
    test: NDArray[np.int64]  # (test images,)


def draw_fold(
    labels: Sequence[int] | NDArray[np.int64], images_per_class: int, seed: int, fold: int, max_tests: int | None = MAX_TESTS
) -> Fold:
    """Draw a random split (Zeiler & Fergus 2014, sections 5.2 and 5.3).

    The split depends on the arguments only and is the same on every machine. `max_tests` does not change the training images.

    Parameters
    ----------
    labels : sequence of int
        The class of each image; negative for images without a class, which are left out.
    images_per_class : int
        Number of training images per class.
    seed : int
        The seed of the run.
    fold : int
        The number of the split in the run.
    max_tests : int, optional
        Maximum number of test images per class, drawn at random from the remaining ones; None for all of them.

    Raises
    ------
    HeadError
        For invalid numbers, and if a class has no image left for testing.
    """
    if images_per_class < 1 or seed < 0 or fold < 0 or (max_tests is not None and max_tests < 1):
        raise HeadError(
            f"images_per_class={images_per_class}, seed={seed}, fold={fold}, max_tests={max_tests} define no split: images_per_class and "
            "max_tests must be at least 1, seed and fold at least 0."
        )
    members = _members(labels)
    short = [f"{label} ({len(indices)})" for label, indices in members.items() if len(indices) <= images_per_class]
    if short:
        named = ", ".join(short[:5]) + (", ..." if len(short) > 5 else "")
        raise HeadError(
            f"{images_per_class} training images per class leave nothing to test in {len(short)} of {len(members)} classes: {named} "
            "(images in brackets). Use fewer per class, or leave these classes out."
        )
    generator = np.random.default_rng([seed, fold])
    train, test = [], []
    for indices in members.values():
        shuffled = generator.permutation(indices)
        train.append(shuffled[:images_per_class])
        test.append(shuffled[images_per_class:][:max_tests])
    return Fold(_sorted(train), _sorted(test))


def hold_out(labels: Sequence[int] | NDArray[np.int64], share: float, seed: int, part: int = 0) -> Fold:
    """Hold out part of the training images, to choose a hyperparameter (the weight decay) without the test images.

    Parameters
    ----------
    labels : sequence of int
        The classes of the training images.
    share : float
        The share of each class that is held out, between 0 and 1. At least one image is held out and at least one is kept; a class of one
        image is kept.
    seed : int
        The random seed.
    part : int
        Which part of each class is held out: those of different numbers are disjoint. A class has no image in a part that it is too small
        for, and keeps all of them.

    Returns
    -------
    Fold
        Indices of `labels`; the held-out images are `test`.

    Raises
    ------
    HeadError
        For a share outside (0, 1) or a negative seed, and if no class has two images.
    """
    if not 0 < share < 1 or seed < 0 or part < 0:
        raise HeadError(f"share={share}, seed={seed}, part={part}: share must be between 0 and 1, seed and part at least 0.")
    generator = np.random.default_rng([seed])
    train, test = [], []
    for indices in _members(labels).values():
        held_out = min(max(1, round(share * len(indices))), len(indices) - 1)
        shuffled = generator.permutation(indices)
        chosen = np.zeros(len(indices), bool)
        chosen[part * held_out : (part + 1) * held_out] = True
        test.append(shuffled[chosen])
        train.append(shuffled[~chosen])
    if part == 0 and not sum(map(len, test)):
        raise HeadError("No class has two training images, so none can be held out: use at least 2 per class, or set weight_decay.")
    return Fold(_sorted(train), _sorted(test))


def _members(labels: Sequence[int] | NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """Return the indices of each class, in ascending order of the classes."""
    numbers = np.asarray(labels, np.int64)
    if numbers.ndim != 1 or not np.any(numbers >= 0):
        raise HeadError(f"Labels of shape {numbers.shape} contain no class: pass one class number per image, at least one from 0.")
    return {int(label): np.flatnonzero(numbers == label).astype(np.int64) for label in np.unique(numbers[numbers >= 0])}


def _sorted(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.sort(np.concatenate(parts)).astype(np.int64)
