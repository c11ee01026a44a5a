"""The base of models that extend another one and share its modules, parameters and names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import fx, nn

from deconvwidgets.engine.tracing import Trace
from deconvwidgets.engine.wrapped_model import WrappedModel


class ExtendedModel(WrappedModel):
    """A model with one more module.

    Modules and parameters are shared with `original`, which is not changed, and all layers keep their names.

    Parameters
    ----------
    original : torch.nn.Module
        The model.
    name : str
        The name of the module that is added; underscores are appended if the model has an attribute of that name.
    added : torch.nn.Module
        The module.
    """

    def __init__(self, original: nn.Module, name: str, added: nn.Module) -> None:
        super().__init__()
        self.training = False
        # The original is not registered as a submodule, which would prefix all names. The dictionaries are shared: moving this model to
        # another device replaces the buffers in them, and the original must not keep the old buffers.
        self.__dict__["original"] = original
        self._parameters, self._buffers = original._parameters, original._buffers
        self._non_persistent_buffers_set = original._non_persistent_buffers_set
        self._added_name = _unused_name(original, name)
        self._modules = {**original._modules, self._added_name: added}

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:  # an attribute that the operations of the original read
            return getattr(self.__dict__["original"], name)

    @property
    def added(self) -> nn.Module:
        """The module that was added."""
        added = self._modules[self._added_name]
        assert added is not None
        return added


def copied_trace(trace: Trace) -> tuple[Trace, Mapping[fx.Node, fx.Node]]:
    """Return a copy of a trace whose graph can be extended, and the copy of each node."""
    graph, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    output = graph.graph_copy(trace.graph, copies)
    graph.output(output)
    copied = replace(
        trace,
        module=fx.GraphModule(trace.module, graph),
        names={copies[node]: target for node, target in trace.names.items()},
        constants={copies[node]: value for node, value in trace.constants.items()},
        calls={call: copies[node] for call, node in trace.calls.items()},
        overwritten=tuple((copies[before], copies[after]) for before, after in trace.overwritten),
        added=frozenset(copies[node] for node in trace.added),
        views={copies[node]: copies[view] for node, view in trace.views.items()},
        scaled={copies[node]: copies[product] for node, product in trace.scaled.items()},
    )
    return copied, copies


def _unused_name(model: nn.Module, name: str) -> str:
    while hasattr(model, name):
        name += "_"
    return name
