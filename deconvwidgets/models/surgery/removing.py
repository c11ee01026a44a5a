"""Networks without some of their layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from deconvwidgets.arguments import integer
from deconvwidgets.engine.graph import Graph
from deconvwidgets.errors import LayerError, ModelError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.surgery.channels import Dependence, dependence_of
from deconvwidgets.models.surgery.modules import in_evaluation
from deconvwidgets.models.surgery.operation import Change, operable, operated
from deconvwidgets.models.surgery.parts import parts_of
from deconvwidgets.models.surgery.sites import checked_layers, weighted_of_layer
from deconvwidgets.models.surgery.units import head_reading, with_parameters


@dataclass(frozen=True, slots=True)
class _Input:
    """What a layer reads after the removal: how many values, and whether they are those that it read before."""

    size: int
    same: bool


def remove_layers(bundle: ModelBundle, layers: str | Sequence[str], *, seed: int = 0) -> ModelBundle:
    """Return a new bundle without some layers, as in Zeiler & Fergus 2014, table 3: "Removed layers 3, 4".

    A layer is a convolution or a linear layer with its batch norm, its activation (any non-linear operation on single values before the
    next layer) and the dropout after that. Pooling and response normalisation stay, and so does dropout whose module is called elsewhere,
    too. What follows reads what the layer read. It keeps its weights if the numbers of units agree, and gets new random ones otherwise
    (normal, variance 2 / inputs; He et al. 2015), which have to be trained.

    Parameters
    ----------
    bundle : ModelBundle
        The network. It is not changed. Modules that are removed become torch.nn.Identity, so that all others keep their names.
    layers : str or sequence of str
        Layers, such as ["conv3", "conv4"]. Each must return maps of the size that it reads.
    seed : int
        Decides the new weights.

    Returns
    -------
    ModelBundle
        With one more step in `surgery`.

    Raises
    ------
    LayerError
        If a layer does not exist, subsamples, is the model's answer, its units reach an operation that ties them to others, or its
        activation would remain: it is a function call, a module that is called more than once, or not all that reads the layer reads it.
    ModelError
        If an argument is invalid, the model cannot be traced, or the new model does not run.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> shorter = dw.surgery.remove_layers(dw.load_model("alexnet", weights=None), ["conv3", "conv4"])
    >>> [info.alias for info in shorter.network.feature_map_layers]
    ['conv1', 'conv2', 'conv3']
    >>> shorter.label
    'alexnet (random weights, without conv3 and conv4)'
    """
    bundle, base, graph = operable(bundle)
    number = integer(seed, "seed", 0, None, ModelError)
    sites = {}
    for layer in checked_layers(base, layers):
        site = weighted_of_layer(base, graph, layer)
        sites[site.path] = dependence_of(base, graph, site)
    removed = dict(sorted(sites.items(), key=lambda item: list(graph.operations).index(item[1].source.node)))
    for found in removed.values():
        _check_size(base, graph, found)
    parts = parts_of(base, graph, list(removed.values()))
    modules: dict[str, nn.Module] = {path: in_evaluation(nn.Identity()) for path in parts.paths}
    generator = torch.Generator().manual_seed(number)
    inputs = _inputs(removed)
    made, head = _new_readers(removed, inputs, generator), _new_head(bundle, removed, inputs, generator)
    names = [found.source.name for found in removed.values()]
    change = Change(modules | {path: module for path, (module, _) in made.items()}, head=None if head is None else (head, 0))
    new = [*(name for _, name in made.values()), *(["the head"] if head is not None else [])]
    after = f" {_and(new)} {'reads' if len(new) == 1 else 'read'} another number of units, with new random weights." if new else ""
    description = f"{_and(names)} removed.{after or ' All other weights are kept.'}{_stay(parts.shared_dropouts)}"
    return operated(bundle, change, "remove_layers", f"without {_and(names)}", description, {"layers": names, "seed": number})


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _stay(dropouts: Sequence[str]) -> str:
    """Return the sentence of the description about dropout modules that are not removed."""
    if not dropouts:
        return ""
    verbs = ("are", "stay") if len(dropouts) > 1 else ("is", "stays")
    return f" The dropout {_and([repr(path) for path in dropouts])} {verbs[0]} called more than once, and {verbs[1]}."


def _check_size(base: ModelBundle, graph: Graph, found: Dependence) -> None:
    """Raise LayerError unless a layer returns maps of the size that it reads."""
    name, node = found.source.name, found.source.node
    if not found.readers and base.classifier is not None and base.headless is None:
        raise LayerError(f"No other layer of {base.name} reads {name}: it cannot be removed.")
    source = graph.operations[node.args[0]].shape or ()  # type: ignore[index]
    output = graph.operations[graph.calls.get(found.source.path, node)].shape or ()
    if len(source) != len(output) or source[2:] != output[2:]:
        sizes = [" x ".join(map(str, shape[2:])) or "single" for shape in (source, output)]
        raise LayerError(
            f"{name} of {base.name} maps {sizes[0]} to {sizes[1]} positions: without it, all later maps would have other sizes, so it "
            "cannot be removed."
        )


def _inputs(removed: Mapping[str, Dependence]) -> dict[str, _Input]:
    """Return what takes the place of the units of each removed layer, in order: what it read itself."""
    inputs: dict[str, _Input] = {}
    for path, found in removed.items():
        own = _Input(found.source.weight.shape[1], same=found.source.weight.shape[1] == found.units)
        for below, other in removed.items():
            for reader in other.readers:
                if reader.site.path == path:
                    size = inputs[below].size * reader.positions
                    own = _Input(size, same=size == found.units)
        inputs[path] = own
    return inputs


def _new_readers(
    removed: Mapping[str, Dependence], inputs: Mapping[str, _Input], generator: torch.Generator
) -> dict[str, tuple[nn.Module, str]]:
    """Return the layers that need other weights, with their names, by the dotted names of their modules."""
    made: dict[str, tuple[nn.Module, str]] = {}
    for path, found in removed.items():
        for reader in found.readers:
            site = reader.site
            if site.path in removed or inputs[path].same:
                continue
            shape = (site.weight.shape[0], inputs[path].size * reader.positions, *site.weight.shape[2:])
            parameters = {"weight": _random(shape, site.weight, generator)}
            if site.bias is not None:
                parameters["bias"] = torch.zeros_like(site.bias)
            made[site.path] = (with_parameters(site.module, parameters, inputs=shape[1]), site.name)
    return made


def _new_head(
    bundle: ModelBundle, removed: Mapping[str, Dependence], inputs: Mapping[str, _Input], generator: torch.Generator
) -> Tensor | None:
    """Return the weight of the softmax head if it read a removed layer and the numbers of units differ; else None."""
    for path, found in removed.items():
        positions = head_reading(bundle, found)
        top = not any(reader.site.path in removed for reader in found.readers)
        if positions is not None and top and not inputs[path].same:
            shape = (len(bundle.head.weight), inputs[path].size * positions)  # type: ignore[union-attr]
            return _random(shape, torch.zeros(()), generator)
    return None


def _random(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Return normal values with a variance of 2 / inputs, on the device and in the type of another tensor."""
    deviation = float((2 / prod(shape[1:])) ** 0.5)
    values = torch.randn(shape, generator=generator) * deviation
    return values.to(like.device, like.dtype)
