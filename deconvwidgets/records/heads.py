"""A softmax head: a linear classifier on the features of one layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.repr import compact_repr


@dataclass(frozen=True, slots=True)
class Head:
    """A softmax classifier on the features of one layer, with what is needed to tell which model it fits.

    Its logits are `weight @ features + bias`, where the features are the layer's map, averaged down to `pool` (rows,
    columns; adaptive average pooling, None: as it is) and flattened in the order (channel, row, column). What training did to the
    features (centring, scaling) is folded into `weight` and `bias`.
    """

    model: str  # the name of the model it was trained on, in words
    layer: str  # the layer's dotted name ("features.12")
    alias: str | None  # its paper name ("pool5")
    pool: tuple[int, int] | None
    weight: NDArray[np.float16] | NDArray[np.float32]  # (classes, features); shipped heads have float16
    bias: NDArray[np.float32]  # (classes,)
    categories: tuple[str, ...]
    digest: str  # of everything that decides the layer's values
    dataset: str  # what it was trained on, in words ("caltech101, 30 a class")
    report: Mapping[str, float | int | str]  # accuracy and protocol, as the panel prints them

    __repr__ = compact_repr
