"""What the first convolution reads of a photograph, where the model changes its input before it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.devices import to_model
from deconvwidgets.engine.executor import Executor
from deconvwidgets.engine.filters import ConvolutionFilters, value_read
from deconvwidgets.models.bundle import ModelBundle


class ReadValue:
    """The value that the first convolution reads, before its padding.

    Parameters
    ----------
    bundle : ModelBundle
        Its model can be traced.
    filters : ConvolutionFilters
        Those of a convolution that reads the input.
    """

    def __init__(self, bundle: ModelBundle, filters: ConvolutionFilters) -> None:
        graph = bundle.network.graph
        assert graph is not None
        self._bundle, self._graph, self._alias = bundle, graph, filters.layer.short_name
        self._node = value_read(graph, filters.node)
        self._values = graph.trace.bind(bundle.network.model)

    @property
    def is_input(self) -> bool:
        """Whether it is the model's input, unchanged."""
        return self._node is self._graph.input_node

    @property
    def size(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        shape = self._graph.operations[self._node].shape
        assert shape is not None
        _, channels, height, width = shape
        return (channels, height, width)

    def of(self, pixels: Tensor) -> NDArray[np.floating]:
        """Return what is read of an input (C, H, W). Unless it is the input, the model computes it: hold the device lease."""
        return np.asarray((pixels if self.is_input else self._computed(pixels)[0]).cpu().double().numpy())

    def notes(self) -> tuple[str, ...]:
        """Return that the filters' channels are not those of the input, if one that is displayed depends on another channel."""
        channels = self.size[0]
        if self.is_input or not any(self._depends_on_others(channel) for channel in self._bundle.channels_to_display if channel < channels):
            return ()
        return (
            f"The model reorders or mixes the channels of its input before {self._alias}: the colours of its filters are of the channels "
            "as the convolution reads them.",
        )

    def _depends_on_others(self, channel: int) -> bool:
        """Return whether a channel changes when all others of the input change."""
        generator = torch.Generator().manual_seed(0)
        pixels, other = (torch.rand(self._bundle.input_size, generator=generator) for _ in range(2))
        other[channel] = pixels[channel]
        before, after = (self._computed(one)[0, channel] for one in (pixels, other))
        return not torch.allclose(before, after, rtol=0, atol=0, equal_nan=True)

    def _computed(self, pixels: Tensor) -> Tensor:
        """Return the value (1, C, H, W) for an input (C, H, W)."""
        operations = self._graph.ancestors([self._node])
        batch = to_model(pixels[None], self._bundle.model)
        with torch.no_grad():
            for operation, value in Executor(self._graph, operations, self._values).execute(batch):
                if operation.node is self._node:
                    return torch.as_tensor(value)
        raise AssertionError("the value is one of its own ancestors")
