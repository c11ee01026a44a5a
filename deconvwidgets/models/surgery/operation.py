"""One operation on a bundle: modules are replaced in a copy of its model, the result is run, and a step is added to its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from deconvwidgets.engine.example import example_batch
from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.model_copy import copy_sharing_tensors
from deconvwidgets.errors import ModelError
from deconvwidgets.models.bundle import ModelBundle, require_bundle
from deconvwidgets.models.headed_model import head_fields
from deconvwidgets.records.heads import Head
from deconvwidgets.records.surgery import SurgeryStep

_TOLERANCE = 1e-4  # of the largest output
_ROUNDINGS = 8  # of the coarsest type of a model, that its largest output may differ by, if these are more


@dataclass(frozen=True)
class Change:
    """What an operation does to a model.

    Parameters
    ----------
    modules : mapping of str to nn.Module
        The new modules, by the dotted names of those that they replace.
    kept : mapping of str to int
        How many values of a parameter that is no longer the same tensor are as they were, by its dotted name.
    head : (Tensor, Tensor), optional
        The new weight of the softmax head, and the number of its values that are as they were.
    same_function : bool
        Whether the new model has to compute what the old one does, which is checked.
    keeps_sizes : bool
        Whether all layers and maps keep their sizes.
    """

    modules: Mapping[str, nn.Module]
    kept: Mapping[str, int] = field(default_factory=dict)
    head: tuple[Tensor, int] | None = None
    same_function: bool = False
    keeps_sizes: bool = False


def operable(bundle: object) -> tuple[ModelBundle, ModelBundle, Graph]:
    """Return a bundle, the same without its head, and the graph of that.

    Raises
    ------
    ModelError
        If it is no bundle, has factors of units, or a model that cannot be traced.
    """
    checked = require_bundle(bundle)
    if checked.units:
        raise ModelError(
            f"{checked.name} has units that are switched off or scaled, whose numbers may change: restore them by "
            "bundle.with_units(None) first, and set them again afterwards."
        )
    base = checked.headless or checked
    graph = base.network.graph
    if graph is None:
        raise ModelError(
            f"{checked.name} cannot be traced ({base.network.reason}), so it is not known which layers read which: dw.surgery is for "
            "models that can be traced."
        )
    return checked, base, graph


def operated(
    bundle: ModelBundle, change: Change, operation: str, label: str, description: str, arguments: Mapping[str, Any]
) -> ModelBundle:
    """Return the bundle after an operation.

    Parameters
    ----------
    bundle : ModelBundle
        The bundle before, as returned by `operable`.
    change : Change
        What is done.
    operation, label, description, arguments
        Those of the `SurgeryStep`.

    Raises
    ------
    ModelError
        If a module cannot be replaced, if the new model cannot run or returns outputs of other shapes, or if it should compute the same as
        the old one and does not.
    """
    base = bundle.headless or bundle
    model = _with_modules(base.model, change.modules, bundle.name)
    _check(base, model, change, operation)
    step = SurgeryStep(operation, label, description, dict(arguments), *_counts(bundle, model, change))
    new = replace(
        base,
        model=model,
        weights=base.weights if base.surgery else f"{base.weights.rstrip('.')}, changed by surgery (bundle.surgery)",
        notes=(*base.notes, f"Surgery: {description}"),
        surgery=(*bundle.surgery, step),
        before_surgery=base,
    )
    if bundle.head is None:
        return new
    head = _head_after(bundle.head, new, change)
    return replace(new, **head_fields(head, model, new.input_size, new.name), headless=new, before_surgery=bundle)


def _with_modules(model: nn.Module, modules: Mapping[str, nn.Module], name: str) -> nn.Module:
    copied = copy_sharing_tensors(model)
    for path in sorted(modules, key=lambda path: path.count(".")):  # a module before its parts
        module = copy_sharing_tensors(modules[path])  # its parts are those of the old model
        old = copied.get_submodule(path)
        if not path or _is_hooked(old):
            what = f"'{path}' of {name} has hooks or parametrizations" if path else f"{name} is a single module"
            raise ModelError(f"{what}, which would be lost: remove them first." if path else f"{what}: put it in a torch.nn.Sequential.")
        for parent in list(copied.modules()):
            for key, child in list(parent._modules.items()):
                if child is old:
                    parent._modules[key] = module
    return copied


def _is_hooked(module: nn.Module) -> bool:
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return any(hooks) or "parametrizations" in module._modules


def _check(base: ModelBundle, model: nn.Module, change: Change, operation: str) -> None:
    """Run both models. Raises ModelError if the new one fails, does not use a new module, or returns something else."""
    called: set[str] = set()
    probe = copy_sharing_tensors(model)
    for path in change.modules:
        probe.get_submodule(path).register_forward_hook(lambda module, args, output, path=path: called.add(path))
    batch = example_batch(base.model, base.input_size, 1 if base.network.single else 2)
    with torch.no_grad():
        before = _tensors(copy_sharing_tensors(base.model)(batch.clone()))
        try:
            after = _tensors(probe(batch.clone()))
        except (RuntimeError, ValueError, TypeError) as error:
            sizes = "" if change.keeps_sizes else " Its own code may depend on the sizes of its layers, and has to be changed there."
            raise ModelError(
                f"After {operation}, {base.name} cannot run on inputs of {base.input_size}: {str(error).rstrip('.')}.{sizes}"
            ) from error
    unused = sorted(set(change.modules) - called)
    if unused:
        raise ModelError(f"{base.name} does not call its module '{unused[0]}' by that name, so {operation} would change nothing there.")
    shapes = ([tuple(value.shape) for value in before], [tuple(value.shape) for value in after])
    if base.classifier is not None and shapes[0] != shapes[1]:
        raise ModelError(f"After {operation}, {base.name} returns outputs of shape {shapes[1]}, not {shapes[0]}: its answers would change.")
    if change.same_function and shapes[0] == shapes[1]:
        _check_same(base, model, before, after, operation)


def _check_same(base: ModelBundle, model: nn.Module, before: Sequence[Tensor], after: Sequence[Tensor], operation: str) -> None:
    """Raise ModelError unless outputs agree, but for rounding in the types of the model."""
    types = {value.dtype for value in [*model.parameters(), *model.buffers(), *before] if value.is_floating_point()}
    tolerance = max(_TOLERANCE, _ROUNDINGS * max((torch.finfo(dtype).eps for dtype in types), default=0.0))
    pairs = [(one.cpu().double(), other.cpu().double()) for one, other in zip(after, before, strict=True)]
    differences = [float((one - other).abs().max() / other.abs().max().clamp(min=1e-30)) for one, other in pairs]
    if not max(differences, default=0.0) <= tolerance:
        raise ModelError(
            f"{operation} would change what {base.name} computes, by {max(differences):.1e} of its largest output, and was not done."
        )


def _tensors(output: Any) -> list[Tensor]:
    return [value for value in pytree.tree_leaves(output) if isinstance(value, Tensor)]


def _counts(bundle: ModelBundle, model: nn.Module, change: Change) -> tuple[tuple[tuple[str, int], ...], ...]:
    """Return what was kept, cut and made new, by the names of parameters."""
    old, new = dict((bundle.headless or bundle).model.named_parameters()), dict(model.named_parameters())
    kept = {
        name: value.numel() if new.get(name) is value or not _is_in(name, change.modules) else change.kept.get(name, 0)
        for name, value in old.items()
    }
    before, after = ({name: value.numel() for name, value in parameters.items()} for parameters in (old, new))
    if bundle.head is not None:
        weight, bias = bundle.head.weight.size, bundle.head.bias.size
        before |= {"head.weight": weight, "head.bias": bias}
        after |= {"head.weight": weight if change.head is None else change.head[0].numel(), "head.bias": bias}
        kept |= {"head.weight": weight if change.head is None else change.head[1], "head.bias": bias}
    cut = {name: count - kept[name] for name, count in before.items()}
    made = {name: count - kept.get(name, 0) for name, count in after.items()}
    return tuple(tuple((name, count) for name, count in counts.items() if count) for counts in (kept, cut, made))


def _is_in(parameter: str, modules: Mapping[str, nn.Module]) -> bool:
    return any(parameter.startswith(f"{path}.") for path in modules)


def _head_after(head: Head, new: ModelBundle, change: Change) -> Head:
    """Return the head for the new network: its features come from other weights now, and its accuracy is not known."""
    weight = head.weight
    if change.head is not None:
        weight = change.head[0].cpu().numpy().astype(np.float32)
    info = new.network.layer(head.layer)
    report = {"surgery": len(new.surgery)} | ({"accuracy before": head.report["accuracy"]} if "accuracy" in head.report else {})
    return replace(head, layer=info.name, alias=info.alias, weight=weight, digest=new.network.digest(head.layer), report=report)
