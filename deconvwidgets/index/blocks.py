"""The blocks of crops that a model takes at once in a pass.

The last bits of an activation may depend on how many images a batch has, and on the place of the image in it: matrix products are
computed by other routines for other sizes. So a model always takes blocks of the same size, and a crop always has the same row in its
block, its number modulo the size. Rows without a crop are zero. This makes an index independent of batch sizes, parts and order.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.decoded import DecodedBatch
from deconvwidgets.engine import Network
from deconvwidgets.engine.example import reference_tensor

_MAX_SIZE = {"cpu": 32, "cuda": 128}  # beyond these, larger blocks are not faster
_MAX_PRODUCTS = {"cpu": 80e9, "cuda": 4e12}  # in a block: others may use the device between two
_UNTRACED_SIZE = 8


def block_size(network: Network, device: str | None = None) -> int:
    """Return the number of crops in a block, a power of two, by a rule: smaller for models with more multiplications.

    `device` is "cuda" for a pass on a GPU; by default it is where the model is.
    """
    if network.single:
        return 1
    if network.graph is None:
        return _UNTRACED_SIZE
    device = "cuda" if (device or reference_tensor(network.model).device.type) == "cuda" else "cpu"
    size, products = _MAX_SIZE[device], _convolution_products(network)
    while size > 1 and size * products > _MAX_PRODUCTS[device]:
        size //= 2
    return size


def _convolution_products(network: Network) -> float:
    """Return the number of multiplications in the convolutions of one image."""
    graph, total = network.graph, 0.0
    assert graph is not None
    for node, operation in graph.operations.items():
        shapes = [graph.operations[value].shape for value in node.all_input_nodes if not graph.operations[value].varies]
        weight = next((shape for shape in shapes if shape is not None and len(shape) == 4), None)
        if operation.op.role == "convolution" and operation.shape is not None and weight is not None:
            total += prod(operation.shape) * prod(weight[1:])
    return total


def block_parts(batch: DecodedBatch, size: int) -> Iterator[DecodedBatch]:
    """Cut a batch where its crops are of another block."""
    numbers = batch.crops // size
    for start, stop in pairwise([0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(batch)]):
        if stop > start:
            yield batch.part(start, stop)


def is_full(part: DecodedBatch, size: int) -> bool:
    """Return whether no further crop of ascending ones belongs to a part's block."""
    return bool((part.crops[-1] + 1) % size == 0)


def in_rows(values: NDArray[np.generic], rows: NDArray[np.int64], size: int) -> Tensor:
    """Return `size` rows, zero but for the given ones."""
    if len(values) == size and (rows[:-1] < rows[1:]).all():
        return torch.from_numpy(values)
    block = np.zeros((size, *values.shape[1:]), values.dtype)
    block[rows] = values
    return torch.from_numpy(block)
