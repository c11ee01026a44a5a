"""A fingerprint of a model's structure: everything but the values of its tensors that decides what it computes.

It tells whether a trace is still valid. The source code of functions that a forward pass calls is not part of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

_VALUES = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.memory_format)
_MAX_DEPTH = 3  # of nested settings


def fingerprint(model: nn.Module) -> Hashable:
    """Return the fingerprint of a model: its modules with their settings, hooks and modes, and the shapes and types of its tensors."""
    return tuple(
        (name, id(type(module)), id(type(module).forward), tuple(_settings(module))) for name, module in model.named_modules()
    )  # fmt: skip


def _settings(module: nn.Module) -> list[Hashable]:
    settings: list[Hashable] = []
    for key, value in vars(module).items():
        if key == "_modules":
            settings.append(tuple(value))
        elif not isinstance(value, Mapping) or value:  # most of a module's dictionaries are empty
            settings.append((key, _summary(value, _MAX_DEPTH)))
    return settings


def _summary(value: Any, depth: int) -> Hashable:
    if isinstance(value, _VALUES):
        return value
    if isinstance(value, Tensor):
        return (tuple(value.shape), value.dtype, value.device, value.requires_grad)
    if depth and isinstance(value, nn.Module):  # one that is no submodule
        return (id(value), tuple(_settings(value)))
    if depth and isinstance(value, Mapping):
        return tuple((key if isinstance(key, _VALUES) else id(key), _summary(item, depth - 1)) for key, item in value.items())
    if depth and isinstance(value, set | frozenset):
        return (type(value).__name__, frozenset(_summary(item, depth - 1) for item in value))
    if depth and isinstance(value, list | tuple):
        return (type(value).__name__, *(_summary(item, depth - 1) for item in value))
    return id(value)
