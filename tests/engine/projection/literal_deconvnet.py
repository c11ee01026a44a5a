"""A reference implementation of the deconvnet: loops over NumPy float64, without autograd and torch.

The engine is compared with it (Zeiler & Fergus 2014, section 2.1). The `forward` of each step takes the maps (C, H, W) of one image, and
saves its switches and inputs; `backward` propagates a signal. It is slow, because it is written to be obviously right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float64]


class Step(Protocol):
    def forward(self, x: Maps) -> Maps: ...

    def backward(self, signal: Maps, rule: str) -> Maps: ...


def project(network: Step, image: Maps, unit: int, row: int, column: int, rule: str, seed: float | None = None) -> Maps:
    """Set all activations but one to zero, and propagate the signal to the pixels (C, H, W)."""
    maps = network.forward(image)
    signal = np.zeros_like(maps)
    signal[unit, row, column] = maps[unit, row, column] if seed is None else seed
    return network.backward(signal, rule)


def windows(height: int, width: int, stride: int, kernel: int, dilation: int) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Yield (row, column, i, j, input row, input column) for every output position and every tap (i, j) of its window."""
    for row in range(height):
        for column in range(width):
            for i in range(kernel):
                for j in range(kernel):
                    yield row, column, i, j, row * stride + i * dilation, column * stride + j * dilation


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool = False) -> int:
    length = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (-(-length // stride) if ceil else length // stride) + 1
    if ceil and (count - 1) * stride >= size + padding:
        count -= 1  # a window must not start beyond the map and its left padding
    return count


@dataclass
class Conv:
    weight: Maps  # (out, in / groups, k, k)
    bias: Maps | None = None
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    input_shape: tuple[int, ...] = field(default=(), repr=False)

    def forward(self, x: Maps) -> Maps:
        self.input_shape = x.shape
        p, kernel = self.padding, self.weight.shape[2]
        padded = np.pad(x, ((0, 0), (p, p), (p, p)))
        height, width = (output_size(size, kernel, self.stride, p, self.dilation) for size in x.shape[1:])
        result = np.zeros((len(self.weight), height, width))
        for filters, channels in self._groups():
            for row, column, i, j, y, z in windows(height, width, self.stride, kernel, self.dilation):
                result[filters, row, column] += self.weight[filters, :, i, j] @ padded[channels, y, z]
        return result if self.bias is None else result + self.bias[:, None, None]

    def backward(self, signal: Maps, rule: str) -> Maps:
        """Transpose the filters: each position adds its filter, times its signal, to the positions that it read."""
        p, kernel = self.padding, self.weight.shape[2]
        channels_in, height_in, width_in = self.input_shape
        padded = np.zeros((channels_in, height_in + 2 * p, width_in + 2 * p))
        for filters, channels in self._groups():
            for row, column, i, j, y, z in windows(signal.shape[1], signal.shape[2], self.stride, kernel, self.dilation):
                padded[channels, y, z] += self.weight[filters, :, i, j].T @ signal[filters, row, column]
        return padded[:, p : p + height_in, p : p + width_in]

    def _groups(self) -> Iterator[tuple[slice, slice]]:
        out, into = len(self.weight) // self.groups, self.weight.shape[1]
        for group in range(self.groups):
            yield slice(group * out, (group + 1) * out), slice(group * into, (group + 1) * into)


@dataclass
class BatchNorm:
    mean: Maps
    variance: Maps
    weight: Maps
    bias: Maps
    eps: float = 1e-5

    def forward(self, x: Maps) -> Maps:
        return (x - self.mean[:, None, None]) * self._scale() + self.bias[:, None, None]

    def backward(self, signal: Maps, rule: str) -> Maps:
        return signal * self._scale()

    def _scale(self) -> Maps:
        return (self.weight / np.sqrt(self.variance + self.eps))[:, None, None]


@dataclass
class Rectifier:
    """ReLU, ReLU6 (with a ceiling) and leaky ReLU (with a slope below zero)."""

    ceiling: float = np.inf
    slope: float = 0.0
    x: Maps = field(default_factory=lambda: np.zeros(0), repr=False)

    def forward(self, x: Maps) -> Maps:
        self.x = x.copy()
        return np.minimum(np.where(x > 0, x, self.slope * x), self.ceiling)

    def backward(self, signal: Maps, rule: str) -> Maps:
        derivative = np.where((self.x > 0) & (self.x < self.ceiling), 1.0, np.where(self.x > 0, 0.0, self.slope))
        if rule == "gradient":
            return signal * derivative
        rectified = np.where(signal > 0, signal, 0.0)
        return rectified * derivative if rule == "guided" else rectified


@dataclass
class MaxPool:
    kernel: int
    stride: int
    padding: int = 0
    dilation: int = 1
    ceil: bool = False
    switches: dict[tuple[int, int, int], tuple[int, int]] = field(default_factory=dict, repr=False)
    input_shape: tuple[int, ...] = field(default=(), repr=False)

    def forward(self, x: Maps) -> Maps:
        self.switches, self.input_shape = {}, x.shape
        height, width = (output_size(size, self.kernel, self.stride, self.padding, self.dilation, self.ceil) for size in x.shape[1:])
        result = np.full((len(x), height, width), -np.inf)  # padding is never the maximum
        for row, column, _, _, y, z in windows(height, width, self.stride, self.kernel, self.dilation):
            y, z = y - self.padding, z - self.padding
            if 0 <= y < x.shape[1] and 0 <= z < x.shape[2]:
                for channel in range(len(x)):
                    if x[channel, y, z] > result[channel, row, column]:  # of equal values, the first is the switch
                        result[channel, row, column] = x[channel, y, z]
                        self.switches[channel, row, column] = (y, z)
        return result

    def backward(self, signal: Maps, rule: str) -> Maps:
        """Unpool by the switches. The signals of overlapping windows that share a switch are added."""
        result = np.zeros(self.input_shape)
        for (channel, row, column), (y, z) in self.switches.items():
            result[channel, y, z] += signal[channel, row, column]
        return result


@dataclass
class AvgPool:
    kernel: int
    stride: int
    padding: int = 0
    ceil: bool = False
    count_include_pad: bool = True
    input_shape: tuple[int, ...] = field(default=(), repr=False)

    def forward(self, x: Maps) -> Maps:
        self.input_shape = x.shape
        height, width = (output_size(size, self.kernel, self.stride, self.padding, 1, self.ceil) for size in x.shape[1:])
        result = np.zeros((len(x), height, width))
        for row, column, y, z, share in self._shares(height, width):
            result[:, row, column] += x[:, y, z] * share
        return result

    def backward(self, signal: Maps, rule: str) -> Maps:
        """Distribute the signal of each position equally over its window."""
        result = np.zeros(self.input_shape)
        for row, column, y, z, share in self._shares(signal.shape[1], signal.shape[2]):
            result[:, y, z] += signal[:, row, column] * share
        return result

    def _shares(self, height: int, width: int) -> Iterator[tuple[int, int, int, int, float]]:
        """Yield the output position, the input position inside the map, and one over the window's divisor."""
        rows, columns = self.input_shape[1:]
        p = self.padding
        counted = np.zeros((height, width))
        inside = []
        for row, column, _, _, y, z in windows(height, width, self.stride, self.kernel, 1):
            y, z = y - p, z - p
            in_image = 0 <= y < rows and 0 <= z < columns
            in_padding = y < rows + p and z < columns + p  # positions beyond the padding, in ceil mode, are not counted
            counted[row, column] += in_image or (self.count_include_pad and in_padding)
            if in_image:
                inside.append((row, column, y, z))
        for row, column, y, z in inside:
            yield row, column, y, z, 1.0 / counted[row, column]


@dataclass
class LocalResponseNorm:
    """Normalisation across channels. It passes the signal on unchanged, except with the rule "gradient"."""

    size: int
    alpha: float
    beta: float
    k: float
    x: Maps = field(default_factory=lambda: np.zeros(0), repr=False)

    def forward(self, x: Maps) -> Maps:
        self.x = x.copy()
        return x * self._divisor() ** -self.beta

    def backward(self, signal: Maps, rule: str) -> Maps:
        if rule != "gradient":
            return signal
        divisor = self._divisor()
        result = signal * divisor**-self.beta
        for channel in range(len(self.x)):
            for other in self._neighbours(channel):
                slope = -self.beta * self.x[channel] * divisor[channel] ** (-self.beta - 1) * 2 * self.alpha / self.size * self.x[other]
                result[other] += signal[channel] * slope
        return result

    def _divisor(self) -> Maps:
        squares = [sum((self.x[other] ** 2 for other in self._neighbours(channel)), np.zeros(1)) for channel in range(len(self.x))]
        return self.k + self.alpha / self.size * np.stack(squares)

    def _neighbours(self, channel: int) -> range:
        return range(max(0, channel - self.size // 2), min(len(self.x), channel + (self.size - 1) // 2 + 1))


@dataclass
class FullyConnected:
    """A linear layer on the flattened maps. Its units are maps of one position."""

    weight: Maps  # (out, in)
    bias: Maps
    input_shape: tuple[int, ...] = field(default=(), repr=False)

    def forward(self, x: Maps) -> Maps:
        self.input_shape = x.shape
        return (self.weight @ x.reshape(-1) + self.bias)[:, None, None]

    def backward(self, signal: Maps, rule: str) -> Maps:
        return (self.weight.T @ signal[:, 0, 0]).reshape(self.input_shape)


@dataclass
class Chain:
    steps: list[Any]

    def forward(self, x: Maps) -> Maps:
        for step in self.steps:
            x = step.forward(x)
        return x

    def backward(self, signal: Maps, rule: str) -> Maps:
        for step in reversed(self.steps):
            signal = step.backward(signal, rule)
        return signal


@dataclass
class Sum:
    """The sum of branches with one input: a residual block is Sum([body, Chain([])]). Their signals are added in the backward pass."""

    branches: list[Any]

    def forward(self, x: Maps) -> Maps:
        return sum((branch.forward(x) for branch in self.branches[1:]), self.branches[0].forward(x))

    def backward(self, signal: Maps, rule: str) -> Maps:
        return sum((branch.backward(signal, rule) for branch in self.branches[1:]), self.branches[0].backward(signal, rule))


@dataclass
class Concat:
    """The concatenated channels of branches with one input."""

    branches: list[Any]
    widths: list[int] = field(default_factory=list, repr=False)

    def forward(self, x: Maps) -> Maps:
        results = [branch.forward(x) for branch in self.branches]
        self.widths = [len(result) for result in results]
        return np.concatenate(results)

    def backward(self, signal: Maps, rule: str) -> Maps:
        pieces = np.split(signal, np.cumsum(self.widths)[:-1])
        return sum((branch.backward(piece, rule) for branch, piece in zip(self.branches, pieces, strict=True)), np.zeros(1))
