"""Layers without some of their units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor, nn

from deconvwidgets.arguments import describe, integers
from deconvwidgets.engine.graph import Graph
from deconvwidgets.errors import LayerError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.surgery.channels import Dependence, dependence_of
from deconvwidgets.models.surgery.operation import Change, operable, operated
from deconvwidgets.models.surgery.sites import checked_layer, weighted_of_layer
from deconvwidgets.models.surgery.units import NewUnits, change_units

_EXPECTED = 'lists of units by layer, such as {"conv1": [2, 7]}'
_MAX_NAMED = 8  # units of a layer in a description


def remove_units(bundle: ModelBundle, units: Mapping[str, Sequence[int]]) -> ModelBundle:
    """Return a new bundle in which layers do not have some of their units.

    The other units stay in their order, and have the weights that they had. Removing units that are 0 in every input, such as dead units
    after a rectifier, does not change what the network computes, unless local response normalisation reads them, or a batch norm after
    their activation adds a constant.

    Parameters
    ----------
    bundle : ModelBundle
        The network. It is not changed.
    units : mapping of str to sequence of int
        The units to remove, by convolutional or fully connected layer, such as ``{"conv1": [2, 7], "conv3": [11]}``.

    Returns
    -------
    ModelBundle
        With one more step in `surgery`.

    Raises
    ------
    LayerError
        If a layer or a unit does not exist, a layer would have no units, its units are the model's answer, or they reach an operation that
        ties them to others.
    ModelError
        If the model cannot be traced, or the new model does not run.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> smaller = dw.surgery.remove_units(dw.load_model("alexnet", weights=None), {"conv1": [2, 7], "conv3": [11]})
    >>> [smaller.network.layer(name).channels for name in ("conv1", "conv2", "conv3")]
    [62, 192, 383]
    >>> smaller.surgery[0].description
    'conv1 without 2 of its 64 units: 2, 7. conv3 without 1 of its 384 units: 11.'
    """
    bundle, base, graph = operable(bundle)
    removed = _removed(base, graph, units)
    current: dict[str, nn.Module] = {}
    head: Tensor | None = None
    for found, numbers in removed:
        kept = [unit for unit in range(found.units) if unit not in numbers]
        change = change_units(bundle, _with_modules(found, current), NewUnits(kept, [{unit: 1.0} for unit in kept]))
        current |= change.modules
        head = head if change.head is None else change.head[0]
    values = {
        f"{path}.{name}": value.numel() for path, one in current.items() for name, value in one._parameters.items() if value is not None
    }
    change = Change(current, values, None if head is None else (head, head.numel()))
    arguments = {"units": {found.source.name: numbers for found, numbers in removed}}
    return operated(bundle, change, "remove_units", _label(removed), _description(removed), arguments)


def _removed(base: ModelBundle, graph: Graph, units: object) -> list[tuple[Dependence, list[int]]]:
    """Return the layers, each once, with the sorted units to remove. Raises LayerError for anything that cannot be removed."""
    if not isinstance(units, Mapping) or not units:
        raise LayerError(f"units must be {_EXPECTED}, not {describe(units)}.")
    layers: dict[str, Dependence] = {}
    removed: dict[str, set[int]] = {}
    for layer, listed in units.items():
        found = dependence_of(base, graph, weighted_of_layer(base, graph, checked_layer(base, layer, "each layer of units")))
        path, name, last = found.source.path, found.source.name, found.units - 1
        numbers = integers(listed, f"units[{layer!r}]", f"units of {name}, from 0 to {last}", 0, last, LayerError)
        if not numbers:
            raise LayerError(f"units[{layer!r}] is empty: give the units of {name} that are to be removed, from 0 to {last}.")
        layers[path] = found
        removed.setdefault(path, set()).update(numbers)
        if len(removed[path]) > last:
            raise LayerError(f"These are all units of {name} of {base.name}: remove the layer by dw.surgery.remove_layers, or keep a unit.")
    return [(found, sorted(removed[path])) for path, found in layers.items()]


def _with_modules(found: Dependence, modules: Mapping[str, nn.Module]) -> Dependence:
    """Return what depends on a layer with the modules of other layers' changes in the place of those of the model."""
    source = replace(found.source, module=modules.get(found.source.path, found.source.module))
    readers = [
        replace(reader, site=replace(reader.site, module=modules.get(reader.site.path, reader.site.module))) for reader in found.readers
    ]
    norms = {path: modules.get(path, norm) for path, norm in found.norms.items()}
    return replace(found, source=source, readers=readers, norms=norms)


def _label(removed: Sequence[tuple[Dependence, Sequence[int]]]) -> str:
    count = sum(len(numbers) for _, numbers in removed)
    where = removed[0][0].source.name if len(removed) == 1 else f"{len(removed)} layers"
    return f"{where}: {count:,} unit{'' if count == 1 else 's'} removed"


def _description(removed: Sequence[tuple[Dependence, Sequence[int]]]) -> str:
    parts = []
    for found, numbers in removed:
        more = f" and {len(numbers) - _MAX_NAMED:,} more" if len(numbers) > _MAX_NAMED else ""
        named = ", ".join(map(str, numbers[:_MAX_NAMED]))
        mixed = " Local response normalisation reads other neighbours." if found.mixed else ""
        parts.append(f"{found.source.name} without {len(numbers):,} of its {found.units:,} units: {named}{more}.{mixed}")
    return " ".join(parts)
