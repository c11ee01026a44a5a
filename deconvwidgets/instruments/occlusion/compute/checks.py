"""Checks of the arguments that several occlusion experiments share."""

from __future__ import annotations

from typing import Literal, get_args

from deconvwidgets.arguments import describe, number, text
from deconvwidgets.engine import Network
from deconvwidgets.errors import LayerError, OcclusionError

Method = Literal["auto", "incremental", "full"]


def resolve_layer(network: Network, layer: str | None, argument: str = "layer") -> str:
    """Return the alias of a layer, or its dotted name if it has none.

    Parameters
    ----------
    network : Network
        The model.
    layer : str, optional
        Name or alias; by default the last of the explorers' layers.
    argument : str
        The name of the caller's argument, for error messages.

    Raises
    ------
    LayerError
        If there is no such layer, or if there is no default because the model has no feature maps.
    """
    if layer is not None:
        info = network.layer(text(layer, argument, "the name of a layer", LayerError))
    elif network.feature_map_layers:
        info = network.feature_map_layers[-1]
    else:
        raise LayerError(
            f"The model has no layer with feature maps: pass {argument}=..., one of the layers that dw.engine.describe_layers lists."
        )
    return info.short_name


def require_method(method: object) -> None:
    """Raise OcclusionError unless `method` is the name of a method."""
    names = get_args(Method)
    if not isinstance(method, str) or method not in names:
        raise OcclusionError(f"method must be {', '.join(map(repr, names[:-1]))} or {names[-1]!r}, not {describe(method)}.")


def checked_memory_limit(limit: object) -> int | None:
    """Return a number of bytes, rounded down, or None. Raises OcclusionError for anything but a number of at least 1 or None."""
    if limit is None:
        return None
    expected = "the number of bytes that a batch may use, at least 1, or None for a share of the free memory"
    return int(number(limit, "memory_limit", expected, 1, OcclusionError))
