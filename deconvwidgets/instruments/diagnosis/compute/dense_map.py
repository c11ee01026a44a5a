"""The feature map of the first convolution at every pixel: what its stride, or the subsampling after a blur, keeps a part of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx

from deconvwidgets.compute.devices import to_model
from deconvwidgets.engine.blur import Blur
from deconvwidgets.engine.executor import Executor
from deconvwidgets.engine.filters import ConvolutionFilters
from deconvwidgets.engine.graph import Operation
from deconvwidgets.engine.network import Network


class DenseMap:
    """The feature map of a convolution with the stride, or the one of a blur (`engine.blur.Blur`) before or after the activation, set to 1.

    Every stride-th position of it, from the first, is the feature map of the network.

    Parameters
    ----------
    network : Network
        It can be traced.
    filters : ConvolutionFilters
        Those of the convolution.
    """

    def __init__(self, network: Network, filters: ConvolutionFilters) -> None:
        graph, target = network.graph, network.node(filters.layer.name)
        assert graph is not None
        assert target is not None
        self._model, self._target = network.model, target
        self._graph, self._values = graph, graph.trace.bind(network.model)
        self._chain = tuple(self._operations(filters.node))
        self._strided = [operation for operation in self._chain if _stride(operation) != (1, 1)]
        self._blurs = {operation.node for operation in self._chain if operation.module_type == Blur.__name__}

    @property
    def stride(self) -> tuple[int, int]:
        """By how much the map is subsampled, (rows, columns)."""
        return _product(self._strided)

    @property
    def blur(self) -> tuple[int, int]:
        """By how much a blur subsamples it, (rows, columns)."""
        return _product([operation for operation in self._strided if operation.node in self._blurs])

    @property
    def blurred(self) -> bool:
        """Whether a blur subsamples it."""
        return self.blur != (1, 1)

    @property
    def problem(self) -> str:
        """Why the map at every pixel does not tell what is aliased; "" if it does."""
        if len(self._strided) > 1:
            return "The map of the first layer is subsampled more than once, and only a single subsampling is measured."
        after = self._chain[self._chain.index(self._strided[0]) + 1 :] if self._strided else ()
        other = next((operation for operation in after if operation.kind != "pointwise"), None)
        by = "" if other is None else other.name
        return by and f"After it is subsampled, the map of the first layer is not computed position by position, but by {by}."

    def of(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Return the map at every pixel (U, h, w) of an input (C, H, W), and if it is blurred, the same without the blur.

        It runs the model: hold the device lease.
        """
        batch = to_model(pixels[None], self._model)
        with torch.no_grad():
            dense = self._run(batch, blur=True)
            if not self.blurred:
                return (dense,)
            return dense, self._run(batch, blur=False)[:, : dense.shape[1], : dense.shape[2]]

    def _operations(self, convolution: fx.Node) -> Iterator[Operation]:
        """Iterate over the convolution and what is computed from it, to the feature map, in order of execution."""
        computed = {convolution}
        for operation in self._graph.ancestors([self._target]):
            if operation.node is convolution or not computed.isdisjoint(operation.node.all_input_nodes):
                computed.add(operation.node)
                yield operation

    def _run(self, batch: Tensor, blur: bool) -> Tensor:
        strided = {operation.node for operation in self._strided}

        def call(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if not blur and operation.node in self._blurs:
                return args[0]
            if operation.node in strided:
                return _at_stride_1(operation, args, kwargs)
            assert callable(operation.node.target)
            return operation.node.target(*args, **kwargs)

        for operation, value in Executor(self._graph, self._graph.ancestors([self._target]), self._values, call).execute(batch):
            if operation.node is self._target:
                return torch.as_tensor(value)[0]
        raise AssertionError("a feature map is its own ancestor")


def _at_stride_1(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Return a convolution or pooling at all positions between the first and the last one that its stride keeps."""
    window, maps = operation.window, args[0]
    assert window is not None
    given = dict(zip(("input", "weight", "bias"), args, strict=False)) | kwargs
    weight, bias = (given.get("weight"), given.get("bias")) if window.kind == "conv" else (None, None)
    size = [(extent - 1) * stride + 1 for extent, stride in zip(operation.extent, window.stride, strict=True)]
    above, below, left, right = window.margins(operation.extent, tuple(maps.shape[-2:]))
    dense, padded = replace(window, stride=(1, 1)), F.pad(maps, (left, right, above, below), value=window.fill)
    divisors = None
    if window.kind == "average":
        start = torch.zeros(1, dtype=torch.long, device=maps.device)
        rows, columns = (dense.divisors(start, size[axis], maps.shape[-2 + axis], axis) for axis in (0, 1))
        divisors = (rows[:, None, :, None] * columns[:, None, None]).to(maps.dtype)
        padded = padded[..., : size[0] + window.kernel[0] - 1, : size[1] + window.kernel[1] - 1]
    return dense.run(padded, weight, bias, divisors)[..., : size[0], : size[1]]


def _product(strided: Sequence[Operation]) -> tuple[int, int]:
    strides = [_stride(operation) for operation in strided]
    return (prod(rows for rows, _ in strides), prod(columns for _, columns in strides))


def _stride(operation: Operation) -> tuple[int, int]:
    return (1, 1) if operation.window is None else operation.window.stride
