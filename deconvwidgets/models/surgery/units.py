"""Other units in the place of a layer's own: chosen, copied or merged, in its weights and in those of the layers that read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.surgery.channels import Dependence
from deconvwidgets.models.surgery.modules import shallow_copy
from deconvwidgets.models.surgery.operation import Change


@dataclass(frozen=True)
class NewUnits:
    """The units of a layer after an operation.

    Parameters
    ----------
    sources : sequence of int
        The old unit whose incoming weights each new unit has.
    outgoing : sequence of mapping of int to float
        For each new unit, the old units whose outgoing weights it has, with factors; they are added.
    """

    sources: Sequence[int]
    outgoing: Sequence[Mapping[int, float]]

    @property
    def kept(self) -> int:
        """How many have incoming weights that none before them has."""
        return len(set(self.sources))

    @property
    def kept_outgoing(self) -> int:
        """How many have the outgoing weights of one old unit as they are."""
        return sum(dict(parts) == {source: 1.0} for source, parts in zip(self.sources, self.outgoing, strict=True))

    def incoming(self, values: Tensor) -> Tensor:
        """Return values (new units, ...) for values (units, ...)."""
        return values[torch.tensor(self.sources, device=values.device)].clone()

    def read(self, weight: Tensor, positions: int) -> Tensor:
        """Return the weights (N, new units * positions, ...) of a layer that reads units, for its weights (N, units * positions, ...)."""
        by_unit = weight.reshape(weight.shape[0], -1, positions, *weight.shape[2:])
        columns = []
        for parts in self.outgoing:
            column = sum((by_unit[:, unit] if factor == 1 else by_unit[:, unit] * factor) for unit, factor in parts.items())
            columns.append(column)
        return torch.stack(columns, 1).reshape(weight.shape[0], -1, *weight.shape[2:])  # type: ignore[arg-type]


def change_units(bundle: ModelBundle, found: Dependence, units: NewUnits, same_function: bool = False) -> Change:
    """Return the change that gives a layer other units. `bundle` is the one with its head, if it has one."""
    source, count = found.source, len(units.sources)
    modules: dict[str, nn.Module] = {source.path: with_parameters(source.module, _incoming(source.module, units), count=count)}
    kept = {
        f"{source.path}.{name}": units.kept * prod(value.shape[1:])
        for name, value in source.module._parameters.items()
        if value is not None
    }
    for path, norm in found.norms.items():
        changed = with_parameters(norm, _incoming(norm, units), num_features=count)
        for name, buffer in norm._buffers.items():
            changed._buffers[name] = units.incoming(buffer) if buffer is not None and buffer.dim() else buffer
        modules[path] = changed
        kept |= {f"{path}.{name}": units.kept for name, value in norm._parameters.items() if value is not None}
    for reader in found.readers:
        site, positions = reader.site, reader.positions
        weight = units.read(site.weight, positions)
        modules[site.path] = with_parameters(site.module, {"weight": weight}, inputs=weight.shape[1])
        kept[f"{site.path}.weight"] = units.kept_outgoing * positions * (site.weight.numel() // site.weight.shape[1])
    head = head_reading(bundle, found)
    if head is None:
        return Change(modules, kept, None, same_function)
    weight = torch.tensor(bundle.head.weight, dtype=torch.float32)  # type: ignore[union-attr]
    changed_weight = units.read(weight, head)
    return Change(modules, kept, (changed_weight, units.kept_outgoing * head * len(weight)), same_function)


def _incoming(module: nn.Module, units: NewUnits) -> dict[str, Tensor]:
    return {name: units.incoming(value.detach()) for name, value in module._parameters.items() if value is not None}


def with_parameters(
    module: nn.Module, parameters: Mapping[str, Tensor], count: int | None = None, inputs: int | None = None, **settings: Any
) -> nn.Module:
    """Return a copy of a module with other parameters, and with the numbers of its units and inputs set accordingly."""
    names = ("out_channels", "in_channels") if hasattr(module, "out_channels") else ("out_features", "in_features")
    settings |= {name: number for name, number in zip(names, (count, inputs), strict=True) if number is not None}
    changed = shallow_copy(module, **settings)
    for name, value in parameters.items():
        old = module._parameters[name]
        changed._parameters[name] = nn.Parameter(value.contiguous(), requires_grad=old is not None and old.requires_grad)
    return changed


def head_reading(bundle: ModelBundle, found: Dependence) -> int | None:
    """Return how many inputs of each unit the softmax head has; None if it does not read the units."""
    head, base = bundle.head, bundle.headless
    if head is None or base is None:
        return None
    node = base.network.node(head.layer)
    if node is None or node not in found.visited:
        return None
    return int(head.weight.shape[1]) // found.units


def strengths(bundle: ModelBundle, found: Dependence) -> Tensor:
    """Return how strong each unit is (units,), float64: the norm of its incoming weights times that of its outgoing ones.

    The product does not change if a unit is scaled and what reads it is scaled back, as rectifiers allow. A batch norm's gain is part of
    the incoming weights.
    """
    incoming = gains(found) * found.source.weight.double().flatten(1).norm(dim=1).cpu()
    outgoing = torch.zeros(found.units, dtype=torch.float64)
    for reader in found.readers:
        by_unit = reader.site.weight.double().reshape(reader.site.weight.shape[0], found.units, -1)
        outgoing += by_unit.square().sum((0, 2)).cpu()
    positions = head_reading(bundle, found)
    if positions is not None:
        outgoing += torch.tensor(bundle.head.weight, dtype=torch.float64).reshape(-1, found.units, positions).square().sum((0, 2))  # type: ignore[union-attr]
    return torch.mul(incoming, outgoing.sqrt()) if bool(outgoing.any()) else incoming


def gains(found: Dependence) -> Tensor:
    """Return what the batch norms of a layer multiply each unit by, without sign (units,), float64."""
    gain = torch.ones(found.units, dtype=torch.float64)
    for norm in found.norms.values():
        weight = norm._parameters.get("weight")
        if norm._buffers.get("running_var") is not None:
            gain /= (norm._buffers["running_var"].double().cpu() + norm.eps).sqrt()  # type: ignore[union-attr, operator]
        if weight is not None:
            gain *= weight.detach().double().abs().cpu()
    return gain
