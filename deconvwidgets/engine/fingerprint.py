"""A fingerprint of a model's structure: everything but the values of its tensors that decides what it computes.

It tells whether a trace is still valid. The source code of functions that a forward pass calls is not part of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

_VALUES = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.memory_format)
_MAX_DEPTH = 3  # of nested settings

Seen = dict[int, int]  # the configurations that were summarised, by their id


def fingerprint(model: nn.Module) -> Hashable:
    """Return the fingerprint of a model: its modules with their settings, hooks and modes, and the shapes and types of its tensors."""
    seen: Seen = {}
    return tuple(
        (name, id(type(module)), id(type(module).forward), tuple(_settings(module, seen))) for name, module in model.named_modules()
    )  # fmt: skip


def _settings(module: nn.Module, seen: Seen) -> list[Hashable]:
    settings: list[Hashable] = []
    for key, value in vars(module).items():
        if key == "_modules":
            settings.append(tuple(value))
        elif not isinstance(value, Mapping) or value:  # most of a module's dictionaries are empty
            settings.append((key, _summary(value, _MAX_DEPTH, seen)))
    return settings


def _summary(value: Any, depth: int, seen: Seen, constants: bool = False) -> Hashable:
    """Return what decides a trace about a value. Of a tensor that is its shape and type; the tensor itself where it is a constant."""
    if isinstance(value, _VALUES):
        return value
    if isinstance(value, Tensor):
        return id(value) if constants else (tuple(value.shape), value.dtype, value.device, value.requires_grad)
    if depth and isinstance(value, nn.Module):  # one that is no submodule
        return (id(value), tuple(_settings(value, seen)))
    if depth and isinstance(value, Mapping):
        return tuple(
            (key if isinstance(key, _VALUES) else id(key), _summary(item, depth - 1, seen, constants)) for key, item in value.items()
        )
    if depth and isinstance(value, set | frozenset):
        return (type(value).__name__, frozenset(_summary(item, depth - 1, seen, constants) for item in value))
    if depth and isinstance(value, list | tuple):
        return (type(value).__name__, *(_summary(item, depth - 1, seen, constants) for item in value))
    if depth and _is_configuration(value):
        return _configuration(value, depth, seen)
    return id(value)


def _is_configuration(value: Any) -> bool:
    """Return whether a value is an object of settings: a dataclass, or a configuration of Hugging Face's models."""
    return not isinstance(value, type) and (is_dataclass(value) or callable(getattr(type(value), "to_dict", None)))


def _configuration(value: Any, depth: int, seen: Seen) -> Hashable:
    """Return the settings of a configuration: a copy of a model has a copy of it.

    All modules of one model may refer to the same one, with thousands of names of classes: it is summarised once. Its tensors are
    constants of a trace, so that others in their place count as a change.
    """
    number = seen.get(id(value))
    if number is not None:
        return ("configuration", number)
    seen[id(value)] = len(seen)
    settings = getattr(value, "__dict__", None)
    if settings is None or (is_dataclass(value) and len(settings) < len(fields(value))):  # with slots
        return id(value)
    return (id(type(value)), *((key, _summary(item, depth - 1, seen, constants=True)) for key, item in settings.items()))
