"""Project pictures: from a photograph, a file or an array to NumPy projections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from deconvwidgets.compute.devices import to_model, with_deprecated_network
from deconvwidgets.compute.inputs import ImageInput, as_pil_image
from deconvwidgets.engine import Network, Projected
from deconvwidgets.engine import project as project_batch
from deconvwidgets.errors import PictureError
from deconvwidgets.instruments.layers.records import Projection
from deconvwidgets.models.bundle import ModelBundle


def project(
    bundle: ModelBundle,
    images: ImageInput | Sequence[ImageInput],
    layer: str,
    *,
    unit: int,
    at: Sequence[Sequence[int]] | NDArray[np.int64] | None = None,
    rule: Literal["deconvnet", "gradient", "guided"] = "deconvnet",
    method: Literal["auto", "local", "full"] = "auto",
    seed: Literal["activation"] | float = "activation",
    network: Network | None = None,
) -> Projection:
    """Project one activation of each picture down to pixels (Zeiler & Fergus 2014, section 2.1).

    Args:
        images: a PIL picture, a path, an array (H, W, 3) or (H, W) uint8, or a sequence of N of them; the bundle's transform prepares them.
        layer: name or alias. unit: the feature map.
        at: (N, 2) row and column in the map for each picture; None for each one's strongest position.
        rule, method, seed: as in `deconvwidgets.engine.project`.
        network: deprecated.

    Returns N projections in normalised input units.
    Raises PictureError for something that is no picture, LayerError, RuleError.
    """
    bundle = with_deprecated_network(bundle, network)
    several = images if isinstance(images, Sequence) and not isinstance(images, str) else [images]
    if not several:
        raise PictureError("There is no picture to project: give at least one")
    batch = torch.stack([bundle.prepare(as_pil_image(one)) for one in several])
    positions = None if at is None else torch.as_tensor(np.asarray(at, np.int64))
    projected = project_batch(
        bundle.network, to_model(batch, bundle.model), layer, unit=unit, at=positions, rule=rule, method=method, seed=seed
    )
    return as_record(projected, layer, unit, rule)


def as_record(projected: Projected, layer: str, unit: int, rule: str) -> Projection:
    """The engine's projections as NumPy arrays on the CPU."""
    return Projection(
        pixels=projected.pixels.detach().float().cpu().numpy(),
        boxes=projected.boxes.cpu().numpy().astype(np.int64),
        values=projected.values.detach().float().cpu().numpy(),
        positions=projected.positions.cpu().numpy().astype(np.int64),
        layer=layer,
        unit=unit,
        rule=rule,
        method=projected.method,
    )
