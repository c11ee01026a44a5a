"""Checks of the parts of a model bundle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from deconvwidgets.arguments import describe, integer_array
from deconvwidgets.errors import ModelError

_MAX_SIDE = 100_000  # pixels or channels


def checked_model(net: object) -> nn.Module:
    """Return a PyTorch module. Raises ModelError for anything else."""
    if not isinstance(net, nn.Module):
        raise ModelError(f"net must be a torch.nn.Module, not {describe(net)}.")
    return net


def checked_size(input_size: object) -> tuple[int, int, int]:
    """Return (channels, height, width) of an input. Raises ModelError for anything but three positive integers."""
    expected = "three integers (channels, height, width)"
    channels, height, width = integer_array(input_size, "input_size", ((3,),), expected, ModelError).tolist()
    if min(channels, height, width) < 1 or max(channels, height, width) > _MAX_SIDE:
        raise ModelError(f"input_size is (channels, height, width), from 1 to {_MAX_SIDE:,} each, not {(channels, height, width)}.")
    return (channels, height, width)


def checked_transform(transform: object) -> Callable[..., Any] | None:
    """Return a callable or None. Raises ModelError for anything else."""
    if transform is not None and not callable(transform):
        raise ModelError(f"transform must be a callable that maps a PIL image to a tensor, or None, not {describe(transform)}.")
    return transform


def checked_categories(categories: object) -> tuple[str, ...] | None:
    """Return the names of classes as a tuple; None for None. Raises ModelError for anything but a sequence of strings."""
    if categories is None:
        return None
    listed = categories.tolist() if isinstance(categories, np.ndarray) else categories
    if not isinstance(listed, list | tuple) or not listed or not all(isinstance(name, str) for name in listed):
        raise ModelError(f"categories must be a sequence of strings, the names of the classes, or None, not {describe(categories)}.")
    return tuple(str(name) for name in listed)


def checked_name(name: object, default: str) -> str:
    """Return the name of a model; the default for None. Raises ModelError for anything but a string."""
    if name is None:
        return default
    if not isinstance(name, str) or not name:
        raise ModelError(f"name must be a string, not {describe(name)}.")
    return str(name)
