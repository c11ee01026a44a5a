"""The digest of everything that decides what a model returns, to recognise outputs that are stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from torch import fx, nn

from deconvwidgets.engine.digests import model_digest, node_digest
from deconvwidgets.engine.wrapped_model import WrappedModel
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.output_selection import Part
from deconvwidgets.models.selected_output import SelectedOutput


def prediction_digest(bundle: ModelBundle) -> str | None:
    """Return the SHA-256 (hexadecimal) of a bundle's model up to its output, with its head; None if the output cannot be identified.

    Parameters
    ----------
    bundle : ModelBundle
        A model that can be traced is identified by its operations and weights. Of any other, the modules, their source and weights count,
        the head, and other changes of the model by their representations. It cannot be identified if a function of the caller chooses the
        output.
    """
    network = bundle.network
    graph = network.graph
    if graph is not None:
        nodes = [value for value in graph.trace.outputs if isinstance(value, fx.Node)]
        return _digest([node_digest(graph.trace, network.model, node) for node in nodes])
    parts = [model_digest(bundle.model, "output")]
    for module in _wrappers(bundle.model):
        if isinstance(module, SelectedOutput):
            if not isinstance(module.select, Part):
                return None
            parts.append(repr(vars(module.select)))
    if bundle.head is not None:
        head = bundle.head
        parts += [head.digest, head.layer, repr(head.pool), head.weight.tobytes().hex(), head.bias.tobytes().hex()]
    parts.append(repr(sorted(getattr(bundle, "units", {}).items())))
    return _digest(parts)


def _wrappers(model: nn.Module) -> Iterator[nn.Module]:
    while isinstance(model, WrappedModel | SelectedOutput):
        yield model
        model = model.original


def _digest(parts: list[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
