"""The structure of a model: its graph and layers, without its parameters. It is made once for a model and an input size."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable, Sequence
from weakref import WeakKeyDictionary

from torch import nn

from deconvwidgets.engine.example import example_batch, run_example
from deconvwidgets.engine.fingerprint import fingerprint
from deconvwidgets.engine.graph import Graph, build_graph
from deconvwidgets.engine.layers import Layer, find_aliases, layers_of_graph
from deconvwidgets.engine.map_views import with_map_views
from deconvwidgets.engine.module_calls import layers_of_calls
from deconvwidgets.engine.projection.local import LocalPlan
from deconvwidgets.engine.trace_check import check_trace, couples_batch
from deconvwidgets.engine.tracing import Trace, trace_model
from deconvwidgets.engine.wrapped_model import WrappedModel
from deconvwidgets.errors import GraphError

Size = tuple[int, int, int]


class Structure:
    """A model's graph and layers. It holds neither the model nor its parameters, so that it does not keep them alive.

    Parameters
    ----------
    graph : Graph or None
        None if the model cannot be traced.
    reason : str or None
        Why it cannot be traced.
    layers : sequence of Layer

    Attributes
    ----------
    plans : dict of str to LocalPlan or None
        The plans for receptive-field crops that were made so far.
    single : bool
        Whether a batch has to be run image by image.
    """

    def __init__(self, graph: Graph | None, reason: str | None, layers: Sequence[Layer]) -> None:
        self._lock = threading.Lock()
        self._checked = False
        self.single = False
        self._set(graph, reason, layers)

    def _set(self, graph: Graph | None, reason: str | None, layers: Sequence[Layer]) -> None:
        self.graph, self.reason = graph, reason
        self.layers = {layer.info.name: layer for layer in layers}
        self.names = dict(self._other_names())
        self.plans: dict[str, LocalPlan | None] = {}

    @classmethod
    def of(cls, model: nn.Module, size: Size) -> Structure:
        """Trace a model, or list its module calls if it cannot be traced. Raises ModelError if it rejects inputs of that size."""
        try:
            graph = build_graph(_trace(model, size))
        except GraphError as error:
            return cls(None, str(error), _layers_by_hooks(model, size))
        return cls(graph, None, layers_of_graph(graph))

    def check(self, model: nn.Module, size: Size) -> None:
        """Check the graph against the model, once. If it does not compute the same, it is dropped.

        Parameters
        ----------
        model : nn.Module
            The model, or one of the same structure.
        size : (int, int, int)
        """
        with self._lock:
            if self._checked:
                return
            if isinstance(model, WrappedModel):
                self._take_check_of(structure_of(model.original, size), model, size)
            elif self.graph is None:
                self.single = couples_batch(model, size)
            else:
                self._check_graph(self.graph, model, size)
            self._checked = True

    def _check_graph(self, graph: Graph, model: nn.Module, size: Size) -> None:
        try:
            self.single = check_trace(graph, model, size)
        except GraphError as error:
            try:
                single_graph = build_graph(with_map_views(trace_model(model, size, single=True)))
                check_trace(single_graph, model, size)
            except GraphError:
                self._set(None, str(error), _layers_by_hooks(model, size))
                self.single = couples_batch(model, size)
            else:
                self._set(single_graph, None, layers_of_graph(single_graph))
                self.single = True

    def _take_check_of(self, other: Structure, model: WrappedModel, size: Size) -> None:
        other.check(model.original, size)
        self.single = other.single
        if other.graph is None and self.graph is not None:
            self._set(None, other.reason, _layers_by_hooks(model, size))

    def _other_names(self) -> Iterable[tuple[str, str]]:
        by_node = {layer.node: name for name, layer in self.layers.items() if layer.node is not None}
        if self.graph is not None:
            for call, output in self.graph.calls.items():
                node = self.graph.trace.views.get(output, output)
                if node in by_node:
                    yield call, by_node[node]
            for alias, node in find_aliases(self.graph).items():
                if node in by_node:
                    yield alias, by_node[node]
        for name, layer in self.layers.items():
            if layer.info.alias is not None:
                yield layer.info.alias, name


# The structures of models that are in use. An entry is valid as long as the model's fingerprint is the same.
_STRUCTURES: WeakKeyDictionary[nn.Module, dict[Size, tuple[Hashable, Structure]]] = WeakKeyDictionary()
_MAKING = threading.RLock()
# The models that others are copies of: a copy has the structure of its original, as long as their fingerprints are equal.
_ORIGINALS: WeakKeyDictionary[nn.Module, nn.Module] = WeakKeyDictionary()


def share_structure(original: nn.Module, copied: nn.Module) -> None:
    """Let a copy of a model have its structure, so that it is traced once for both. The values of their tensors may differ.

    A copy whose settings, hooks or modes differ when its structure is needed is traced itself.
    """
    _ORIGINALS[copied] = original


def structure_of(model: nn.Module, size: Size) -> Structure:
    """Return the structure of a model. It is made anew if modules, settings, hooks or modes have changed; parameters may change."""
    current = fingerprint(model)
    known = _STRUCTURES.get(model, {}).get(size)
    if known is None or known[0] != current:
        with _MAKING:
            known = _STRUCTURES.get(model, {}).get(size)  # another thread may have made it meanwhile
            if known is None or known[0] != current:
                known = (current, _structure_of_original(model, size, current) or Structure.of(model, size))
                _STRUCTURES.setdefault(model, {})[size] = known
    return known[1]


def _structure_of_original(model: nn.Module, size: Size, current: Hashable) -> Structure | None:
    original = _ORIGINALS.get(model)
    return None if original is None or fingerprint(original) != current else structure_of(original, size)


def _trace(model: nn.Module, size: Size) -> Trace:
    if isinstance(model, WrappedModel):
        original = structure_of(model.original, size)
        if original.graph is None:
            raise GraphError(original.reason or "")
        return model.extend(original.graph.trace, {name: layer.node for name, layer in original.layers.items() if layer.node is not None})
    try:
        return with_map_views(trace_model(model, size))
    except GraphError as error:
        try:
            return with_map_views(trace_model(model, size, single=True))
        except GraphError:
            raise error from None


def _layers_by_hooks(model: nn.Module, size: Size) -> list[Layer]:
    return run_example(model, example_batch(model, size), layers_of_calls)
