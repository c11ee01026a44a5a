"""What the occlusion experiments are asked for alike: the layer to watch, and how it may be computed."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from deconvwidgets.engine import Network
from deconvwidgets.errors import LayerError, OcclusionError

Method = Literal["auto", "incremental", "full"]


def layer_or_last(network: Network, layer: str | None, argument: str = "layer") -> str:
    """The layer by its alias where it has one, else its dotted name; None is the last of the explorers' layers. Raises LayerError, which
    names the `argument` that it was asked with."""
    if layer is not None:
        info = network.layer(layer)
    elif network.explorer_layers:
        info = network.explorer_layers[-1]
    else:
        raise LayerError(
            f"The model has no layer with feature maps to watch: pass {argument}=..., one of those that dw.engine.describe_layers lists."
        )
    return info.short_name


def require_method(method: object) -> None:
    """Raises OcclusionError for a way to compute that there is not."""
    names = get_args(Method)
    if not isinstance(method, str) or method not in names:
        raise OcclusionError(f"method is {', '.join(map(repr, names[:-1]))} or {names[-1]!r}, not {method!r}.")


def require_memory_limit(limit: object) -> None:
    """Raises OcclusionError for what is no number of bytes and not None."""
    if limit is None:
        return
    if isinstance(limit, bool) or not isinstance(limit, int | float | np.number) or not limit >= 1:
        raise OcclusionError(
            f"memory_limit is the bytes that a batch may take, 1 at least, or None for a share of what is free; not {limit!r}."
        )
