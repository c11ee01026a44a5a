"""A model's network, traced once and shared by all bundles of that model."""

from __future__ import annotations

from threading import Lock
from typing import Any

from torch import nn

from deconvwidgets.engine import Network


class TracedNetwork:
    """A model's Network, which is traced on first use. Thread-safe: concurrent calls share one trace."""

    def __init__(self, network: Network | None = None) -> None:
        self._lock = Lock()
        self._network = network

    def get(self, model: nn.Module, input_size: tuple[int, int, int]) -> Network:
        """Return the Network of `model` for inputs of (C, H, W).

        Raises
        ------
        ModelError
            If the model is in training mode or rejects inputs of that size.
        """
        with self._lock:
            network = self._network
            if network is None or network.model is not model or network.input_size != tuple(input_size):
                self._network = network = Network.of(model, input_size)
            return network

    def __getstate__(self) -> dict[str, Any]:
        return {}  # a copy in another process traces its own model

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]

    def __deepcopy__(self, memo: dict[int, Any]) -> TracedNetwork:
        return TracedNetwork()
