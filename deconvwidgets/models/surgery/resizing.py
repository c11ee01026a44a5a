"""Layers with fewer or more units, and units that are merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, fx, nn

from deconvwidgets.arguments import integer, integers
from deconvwidgets.engine.graph import Graph
from deconvwidgets.errors import LayerError, ModelError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.surgery.channels import Dependence, dependence_of, norm_at
from deconvwidgets.models.surgery.operation import operable, operated
from deconvwidgets.models.surgery.sites import checked_layer, varying_users, weighted_of_layer
from deconvwidgets.models.surgery.units import NewUnits, change_units, strengths
from deconvwidgets.models.surgery.units_apart import MAPS_RESIZED, pads_maps

MAX_UNITS = 2**16


def resize_layer(bundle: ModelBundle, layer: str, units: int, *, seed: int = 0) -> ModelBundle:
    """Return a new bundle in which a layer has fewer or more units.

    Fewer: the strongest are kept, by the norm of their incoming weights times that of their outgoing ones, which does not depend on
    photographs, nor on how a unit's scale is divided between the two. More: units are copied, and their outgoing weights are divided among
    the copies at random, so that the network computes the same (Chen et al. 2016, Net2WiderNet; checked), but the copies learn differently.
    Zeiler & Fergus 2014, table 3, resize layers and train anew.

    Parameters
    ----------
    bundle : ModelBundle
        The network. It is not changed.
    layer : str
        A convolutional or fully connected layer, such as "conv3" or "fc6".
    units : int
        The new number of units.
    seed : int
        Decides which units are copied, and how outgoing weights are divided.

    Returns
    -------
    ModelBundle
        With one more step in `surgery`.

    Raises
    ------
    LayerError
        If the layer does not exist, its units are the model's answer, or they reach an operation that ties them to others.
    ModelError
        If an argument is invalid, the model cannot be traced, or the new model does not run.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> smaller = dw.surgery.resize_layer(dw.load_model("alexnet", weights=None), "conv3", 192)
    >>> smaller.network.layer("conv3").channels
    192
    >>> smaller.surgery[0].cut[0]
    ('features.6.weight', 331776)
    """
    bundle, base, graph = operable(bundle)
    count = integer(units, "units", 1, MAX_UNITS, ModelError)
    number = integer(seed, "seed", 0, None, ModelError)
    found = _dependence(base, graph, layer)
    name, old = found.source.name, found.units
    if count == old:
        raise ModelError(f"{name} of {bundle.name} has {old} units already: give another number.")
    arguments = {"layer": name, "units": count, "seed": number}
    if count < old:
        kept = sorted(torch.argsort(strengths(bundle, found), descending=True, stable=True)[:count].tolist())
        new = NewUnits(kept, [{unit: 1.0} for unit in kept])
        description = f"{name} has {count:,} of its {old:,} units: those whose incoming and outgoing weights are the strongest."
    else:
        if found.mixed:
            raise LayerError(
                f"The units of {name} of {bundle.name} are normalised by those beside them (local response normalisation), so it cannot "
                "have more of them without computing something else: build the network anew."
            )
        new = _grown(old, count, number)
        description = f"{name} has {count:,} units: its {old:,}, and {count - old:,} copies that share their outgoing weights."
    change = change_units(bundle, found, new, same_function=count > old)
    return operated(bundle, change, "resize_layer", f"{name}: {count} units", description, arguments)


def _dependence(base: ModelBundle, graph: Graph, layer: object) -> Dependence:
    return dependence_of(base, graph, weighted_of_layer(base, graph, checked_layer(base, layer)))


def _grown(old: int, count: int, seed: int) -> NewUnits:
    generator = torch.Generator().manual_seed(seed)
    rounds = [torch.randperm(old, generator=generator) for _ in range(-(-(count - old) // old))]
    sources = [*range(old), *torch.cat(rounds)[: count - old].tolist()]
    shares = torch.rand(count, generator=generator, dtype=torch.float64) + 0.5
    sums = torch.zeros(old, dtype=torch.float64).index_add(0, torch.tensor(sources), shares)
    factors = [float(share / sums[source]) for share, source in zip(shares, sources, strict=True)]
    return NewUnits(sources, [{source: factor} for source, factor in zip(sources, factors, strict=True)])


def merge_units(bundle: ModelBundle, layer: str, units: Sequence[int]) -> ModelBundle:
    """Return a new bundle in which units that are near-copies of each other are one unit.

    The strongest stays. The outgoing weights of the others are added to its own, each multiplied by how much stronger that unit's incoming
    weights are along those of the one that stays, if the activation allows it (a rectifier does). Merging exact copies changes nothing of
    what the network computes, unless local response normalisation reads them. This is our extension of the paper.

    Parameters
    ----------
    bundle : ModelBundle
        The network. It is not changed.
    layer : str
        A convolutional or fully connected layer, such as "conv3".
    units : sequence of int
        At least two units of the layer.

    Returns
    -------
    ModelBundle
        With one more step in `surgery`, whose description says how alike the units are (the cosine between their incoming weights).

    Raises
    ------
    LayerError
        If the layer or a unit does not exist, if units are not alike (cosine of at most 0), or they reach an
        operation that ties them, or a batch norm after their activation that treats them differently.
    ModelError
        If the model cannot be traced, or the new model does not run.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> grown = dw.surgery.resize_layer(dw.load_model("alexnet", weights=None), "conv3", 385)
    >>> from torch import nn, equal
    >>> weight = grown.model.features[6].weight
    >>> copied = next(unit for unit in range(384) if equal(weight[unit], weight[384]))
    >>> dw.surgery.merge_units(grown, "conv3", [copied, 384]).network.layer("conv3").channels
    384
    """
    bundle, base, graph = operable(bundle)
    found = _dependence(base, graph, layer)
    name = found.source.name
    chosen = integers(
        units, "units", f"at least two different units of {name}, from 0 to {found.units - 1}", 0, found.units - 1, LayerError
    )
    if len(set(chosen)) != len(chosen) or len(chosen) < 2:
        raise LayerError(f"units must be at least two different units of {name}, not {chosen}.")
    strength = strengths(bundle, found)
    stays = max(chosen, key=lambda unit: float(strength[unit]))
    parts, cosine = _parts(base, graph, found, chosen, stays)
    remaining = [unit for unit in range(found.units) if unit == stays or unit not in chosen]
    new = NewUnits(remaining, [parts if unit == stays else {unit: 1.0} for unit in remaining])
    others = ", ".join(str(unit) for unit in chosen if unit != stays)
    description = (
        f"Of {name}, unit{'s' if len(chosen) > 2 else ''} {others} merged into unit {stays} (cosine between their incoming weights: "
        f"{cosine:.3f} or more)."
    )
    label = f"{name}: {len(chosen)} units merged"
    return operated(bundle, change_units(bundle, found, new), "merge_units", label, description, {"layer": name, "units": chosen})


def _parts(base: ModelBundle, graph: Graph, found: Dependence, chosen: list[int], stays: int) -> tuple[dict[int, float], float]:
    """Return the factors of the outgoing weights of merged units, and the least cosine between incoming weights."""
    folded = _folded(graph, found)
    before: dict[str, nn.Module] = {}
    for node in folded:
        before |= norm_at(base, graph, node)
    _check_later_norms(found, chosen, before)
    vectors = {unit: _incoming_of(found, unit, before.values()) for unit in chosen}
    reference = vectors[stays]
    norms = {unit: float(vector.norm()) for unit, vector in vectors.items()}
    if not all(norms.values()):
        raise LayerError(f"A unit of {found.source.name} among {chosen} has incoming weights of 0: it is no copy of another unit.")
    cosines = {unit: float(vector @ reference) / norms[unit] / norms[stays] for unit, vector in vectors.items()}
    opposite = [unit for unit in chosen if cosines[unit] <= 0]
    if opposite:
        raise LayerError(
            f"Unit {opposite[0]} of {found.source.name} is no copy of unit {stays} (cosine {cosines[opposite[0]]:.2f} between their "
            "incoming weights), so they cannot be merged."
        )
    scales = _is_homogeneous(graph, found, folded)
    return {unit: cosines[unit] * norms[unit] / norms[stays] if scales and unit != stays else 1.0 for unit in chosen}, min(cosines.values())


def _incoming_of(found: Dependence, unit: int, norms: Iterable[nn.Module]) -> Tensor:
    """Return the incoming weights and the bias of a unit, with its batch norms before the activation applied, as one vector."""
    weight = found.source.weight[unit].cpu().double().flatten()
    own_bias = found.source.bias
    bias = torch.zeros((), dtype=torch.float64) if own_bias is None else own_bias[unit].cpu().double()
    for norm in norms:
        mean, variance = norm._buffers["running_mean"], norm._buffers["running_var"]
        gain, shift = norm._parameters["weight"], norm._parameters["bias"]
        if mean is not None and variance is not None:
            scale = (variance[unit].cpu().double() + norm.eps).rsqrt()  # type: ignore[operator]
            weight, bias = weight * scale, (bias - mean[unit].cpu().double()) * scale
        if gain is not None and shift is not None:
            factor = gain[unit].detach().cpu().double()
            weight, bias = weight * factor, bias * factor + shift[unit].detach().cpu().double()
    return torch.cat([weight, bias.reshape(1)])


def _is_homogeneous(graph: Graph, found: Dependence, folded: Sequence[fx.Node]) -> bool:
    """Return whether a unit that is twice another one before its activation is so for what reads it. The norms before the activation count
    as one with the layer.
    """
    return all(node is found.source.node or node in folded or _scales(graph, node) for node in found.visited)


def _scales(graph: Graph, node: fx.Node) -> bool:
    """Return whether an operation after a layer returns twice as much for twice the input."""
    operation, window = graph.operations[node], graph.window_of(node)
    pads = pads_maps(node, operation.name) and (window is None or window.fill == 0)  # without a window: with values of the map
    linear = operation.op.role in ("pooling", "transparent") or operation.op.spatial in ("reshape", "part") or pads
    return linear or operation.name in (*MAPS_RESIZED, "relu", "leaky_relu", "mean", "sum", "amax", "squeeze", "unsqueeze")


def _folded(graph: Graph, found: Dependence) -> list[fx.Node]:
    """Return the batch norms between the layer and its activation, which are one linear operation with it."""
    node, folded = found.source.node, list[fx.Node]()
    while True:
        users = varying_users(graph, node)
        if len(users) != 1 or users[0] not in found.visited:
            return folded
        node = users[0]
        role = graph.operations[node].op.role
        if role not in ("batch norm", "transparent"):
            return folded
        folded += [node] if role == "batch norm" else []


def _check_later_norms(found: Dependence, chosen: list[int], folded: Mapping[str, nn.Module]) -> None:
    """Raise LayerError if a batch norm after the activation treats the units differently: one unit cannot stand for them."""
    for path, norm in found.norms.items():
        if path in folded:
            continue
        for name, values in {**norm._parameters, **norm._buffers}.items():
            if values is not None and values.dim() and not bool((values[chosen] == values[chosen[0]]).all()):
                raise LayerError(
                    f"Units {', '.join(map(str, chosen))} of {found.source.name} reach the {_kind(norm)} {path!r} after their activation, "
                    f"with another {name} for each, so that one unit cannot stand for them: merge units of a layer without it."
                )


def _kind(norm: nn.Module) -> str:
    return "instance norm" if isinstance(norm, nn.InstanceNorm2d) else "batch norm"
