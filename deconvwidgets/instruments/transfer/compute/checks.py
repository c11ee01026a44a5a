"""Checks of the arguments that all training functions share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from deconvwidgets.arguments import describe, integer
from deconvwidgets.errors import HeadError

_MAX_IMAGES = 1_000_000
_MAX_FOLDS = 10_000
Callback = TypeVar("Callback", bound=Callable[..., object] | None)


def checked_protocol(images_per_class: object, folds: object, seed: object) -> tuple[int, int, int]:
    """Return the numbers of a run as Python integers. Raises HeadError for anything but integers in their ranges."""
    return (
        integer(images_per_class, "images_per_class", 1, _MAX_IMAGES, HeadError),
        integer(folds, "folds", 1, _MAX_FOLDS, HeadError),
        integer(seed, "seed", 0, error=HeadError),
    )


def checked_curve(images_per_class: object, folds: object, seed: object) -> tuple[tuple[int, ...], int, int]:
    """Return the numbers of a learning curve, those of training images ascending and without repeats. Raises HeadError for any other."""
    listed = images_per_class.tolist() if isinstance(images_per_class, np.ndarray) else images_per_class
    if not isinstance(listed, list | tuple | set | range) or not listed:
        raise HeadError(
            "images_per_class must be a sequence of numbers of training images, at least one number, such as (5, 15, 30), "
            f"not {describe(images_per_class)}."
        )
    sizes = tuple(sorted({integer(number, "a number of images_per_class", 1, _MAX_IMAGES, HeadError) for number in listed}))
    return sizes, *checked_protocol(sizes[-1], folds, seed)[1:]


def checked_callback(callback: Callback, name: str, required: bool = False) -> Callback:
    """Return a callable, or None unless it is required. Raises HeadError for anything else."""
    if (required or callback is not None) and not callable(callback):
        raise HeadError(f"{name} must be a callable, not {describe(callback)}.")
    return callback
