"""A softmax head: a linear classifier on the features of one layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.repr import compact_repr


@dataclass(frozen=True, slots=True)
class Head:
    """A softmax classifier on the features of one layer, and the model it was trained on.

    The logits are `weight @ features + bias`. The features are the feature maps of the layer, reduced by adaptive average pooling to
    `pool` if it is given, and flattened in the order (channel, row, column). The centring and scaling of features during training
    are included in `weight` and `bias`.

    Attributes
    ----------
    model : str
        The name of the model.
    layer : str
        The dotted name of the layer ("features.12").
    alias : str or None
        The alias of the layer ("pool5").
    pool : tuple of (int, int) or None
        (rows, columns) of the pooled maps; None without pooling.
    weight : ndarray of shape (classes, features), float16 or float32
        The weights.
    bias : ndarray of shape (classes,), float32
        The biases.
    categories : tuple of str
        The names of the classes.
    digest : str
        The digest of the layer: it covers all weights and operations that the values of the layer depend on.
    dataset : str
        The data set, and the number of training images per class ("Caltech-101, 30 per class").
    report : mapping of str to float, int or str
        The accuracy and the protocol of the training.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> head = dw.load_model("alexnet").with_head("caltech101").head
    >>> head.layer, head.weight.shape
    ('features.12', (101, 9216))
    """

    model: str
    layer: str
    alias: str | None
    pool: tuple[int, int] | None
    weight: NDArray[np.float16] | NDArray[np.float32]
    bias: NDArray[np.float32]
    categories: tuple[str, ...]
    digest: str
    dataset: str
    report: Mapping[str, float | int | str]

    __repr__ = compact_repr
