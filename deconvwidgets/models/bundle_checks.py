"""Checks of the parts of a model bundle."""

from __future__ import annotations

import numpy as np
from torch import nn

from deconvwidgets.arguments import describe, integer_array
from deconvwidgets.errors import ModelError


def checked_model(net: object, name: str = "net") -> nn.Module:
    """Return a PyTorch module. Raises ModelError, which calls the argument `name`, for anything else."""
    if not isinstance(net, nn.Module):
        raise ModelError(f"{name} must be a torch.nn.Module, not {describe(net)}.")
    return net


def checked_display_channels(channels: object, count: int) -> tuple[int, ...]:
    """Return the channels of an input of `count` channels that are displayed: three as red, green and blue, or one in gray.

    By default these are the first three, or the first one if there are fewer. Raises ModelError for anything but one or three of them.
    """
    if channels is None:
        return (0, 1, 2) if count >= 3 else (0,)
    expected = f"three channels, shown as red, green and blue, or one, shown in gray, as integers from 0 to {count - 1}"
    chosen = integer_array(channels, "display_channels", ((3,), (1,)), expected, ModelError).tolist()
    if not all(0 <= channel < count for channel in chosen):
        raise ModelError(f"display_channels must be {expected}, not {tuple(chosen)}.")
    return tuple(chosen)


def notes_on_display(channels: object, count: int) -> tuple[str, ...]:
    """Return a note on the default choice of channels, if it is one."""
    if channels is not None or count in (1, 3):
        return ()
    shown = "channels 0, 1 and 2 are shown as red, green and blue" if count > 3 else "channel 0 is shown in gray"
    return (f"Of the {count} input channels, {shown}. Choose others with ModelBundle.from_module(..., display_channels=...).",)


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
