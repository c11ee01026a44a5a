"""The base of models whose trace is made from that of another model."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, fx, nn

from deconvwidgets.engine.tracing import Trace


class WrappedModel(nn.Module):
    """A model that extends another one, and whose trace is made from the other's.

    Attributes
    ----------
    original : nn.Module
        The model that it extends.
    """

    original: nn.Module

    def extend(self, trace: Trace, layers: Mapping[str, fx.Node]) -> Trace:
        """Return the trace of this model, given that of `original` and the nodes of its layers."""
        raise NotImplementedError

    def changed_layers(self) -> Mapping[str, Tensor]:
        """Return what changes the values of layers of `original`, by the names of the layers."""
        return {}
