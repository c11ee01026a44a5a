"""Checks of the arguments that several occlusion experiments share."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

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
        info = network.layer(layer)
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
        raise OcclusionError(f"method must be {', '.join(map(repr, names[:-1]))} or {names[-1]!r}, not {method!r}.")


def require_memory_limit(limit: object) -> None:
    """Raise OcclusionError unless `limit` is a positive number of bytes or None."""
    if limit is None:
        return
    if isinstance(limit, bool) or not isinstance(limit, int | float | np.number) or not limit >= 1:
        raise OcclusionError(
            "memory_limit must be the number of bytes that a batch may use, at least 1, or None for a share of the free memory, "
            f"not {limit!r}."
        )
