"""Project the activations of images to pixel space, and return the projections as NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from deconvwidgets.arguments import integer
from deconvwidgets.compute.devices import to_model, with_deprecated_network
from deconvwidgets.compute.inputs import ImageInput, as_pil_image
from deconvwidgets.engine import Network, Projected
from deconvwidgets.engine import project as project_batch
from deconvwidgets.errors import LayerError, PictureError
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
    beyond_paper: bool = False,
    network: Network | None = None,
) -> Projection:
    """Project one activation of each image to pixel space (Zeiler & Fergus 2014, section 2.1).

    Parameters
    ----------
    bundle : ModelBundle
        The model. Its transform is applied to the images.
    images : PIL image, path, array (H, W, 3) or (H, W), or a sequence of N of them
        The images.
    layer : str
        Name or alias.
    unit : int
        The feature map.
    at : array (N, 2), optional
        Row and column in the feature map for each image; by default the strongest position in each.
    rule, method, seed, beyond_paper
        As in `deconvwidgets.engine.project`.
    network : Network, optional
        Deprecated.

    Returns
    -------
    Projection
        N projections, in the model's normalised input units.

    Raises
    ------
    PictureError
        For anything that is not an image.
    LayerError
        For an unknown layer or unit, or a position outside the feature map.
    RuleError
        If an operation below the layer has no backward rule.
    ValueError
        For an unknown rule or method, and for a seed that is no finite number.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> photograph = dw.open_images("photos").open_source(0)
    >>> projection = dw.project(dw.load_model("alexnet"), photograph, "conv3", unit=10)
    >>> projection.pixels.shape  # the receptive field of a conv3 unit
    (1, 3, 99, 99)
    """
    bundle = with_deprecated_network(bundle, network)
    sequence = images if isinstance(images, Sequence) and not isinstance(images, str) else [images]
    if not sequence:
        raise PictureError("There is no image to project: pass at least one.")
    unit = integer(unit, "unit", 0, error=LayerError)
    batch = torch.stack([bundle.prepare(as_pil_image(image)) for image in sequence])
    positions: Any = at  # the engine checks it
    projected = project_batch(
        bundle.network,
        to_model(batch, bundle.model),
        layer,
        unit=unit,
        at=positions,
        rule=rule,
        method=method,
        seed=seed,
        beyond_paper=beyond_paper,
    )
    return as_record(projected, layer, unit, f"{rule}, extended beyond the paper" if beyond_paper and rule != "gradient" else rule)


def as_record(projected: Projected, layer: str, unit: int, rule: str) -> Projection:
    """Return the engine's projections as NumPy arrays."""
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
