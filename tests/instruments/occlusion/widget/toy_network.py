"""A fake network: probabilities from the contrast in a soft disc per class, and feature maps of contrast."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deconvwidgets.errors import OcclusionError
from deconvwidgets.records.layers import LayerInfo

NAMES = "cougar face,lamp,platypus,sea horse,ceiling fan,anchor,bonsai,crab,dolphin,ewer,ferry,gramophone"
KINDS = tuple(NAMES.split(","))
LAYERS = (
    LayerInfo("features.0", "conv1", "ReLU", 6, 27, 27, (11, 11), (4, 4), (-2, -2)),
    LayerInfo("features.10", "conv5", "ReLU", 12, 13, 13, (163, 163), (16, 16), (-64, -64)),
)
Pixels = NDArray[np.float32]


def drawing(number: int, side: int) -> Pixels:
    """Return an image of shape (side, side, 3) with values in [0, 1]: blobs on a sky, whose positions and colours depend on the number."""
    rows, columns = np.mgrid[0:side, 0:side] / side
    pixels = np.stack([0.35 + 0.2 * rows, 0.5 + 0.1 * columns, 0.65 - 0.3 * rows], axis=-1)
    random = np.random.default_rng(number)
    for _ in range(4):
        row, column, radius = random.uniform(0.2, 0.8), random.uniform(0.2, 0.8), random.uniform(0.08, 0.22)
        inside = ((rows - row) ** 2 + (columns - column) ** 2 < radius**2)[..., None]
        stripes = 0.5 + 0.5 * np.sin(40 * (rows + random.uniform(-1, 1) * columns))[..., None]
        pixels = np.where(inside, random.uniform(0, 1, 3) * stripes, pixels)
    return pixels.astype(np.float32)


def fill_of(pixels: Pixels, fill: str) -> Pixels:
    """Return the fill of patches as an array of the size of the image."""
    if fill == "blur":
        small = Image.fromarray((255 * pixels).astype(np.uint8)).resize((6, 6), Image.Resampling.BOX)
        return np.asarray(small.resize(pixels.shape[1::-1], Image.Resampling.BICUBIC), np.float32) / 255
    if fill == "mean":
        colour = pixels.mean((0, 1))
    elif fill.startswith("#"):
        colour = np.array([int(fill[start : start + 2], 16) / 255 for start in (1, 3, 5)], np.float32)
    elif fill == "gray":
        colour = np.full(3, 0.5, np.float32)
    else:
        raise OcclusionError(f"A fill is 'gray', 'mean', 'blur' or a colour like '#7f7f7f', not {fill!r}.")
    return np.broadcast_to(colour, pixels.shape).astype(np.float32)


def probabilities(pixels: Pixels) -> NDArray[np.float64]:
    """Return the probability of each class, which increases with the contrast in its disc."""
    side = len(pixels)
    rows, columns = np.mgrid[0:side, 0:side] / side
    centres = np.random.default_rng(4).uniform(0.25, 0.75, (len(KINDS), 2))
    centres[0] = (0.5, 0.5)
    contrast = np.abs(pixels - 0.5).mean(-1)
    discs = np.exp(-((rows - centres[:, :1, None]) ** 2 + (columns - centres[:, 1:, None]) ** 2) / 0.04)
    logits = 720 * (discs * contrast).mean((1, 2))
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def feature_map(pixels: Pixels, info: LayerInfo, unit: int) -> NDArray[np.float32]:
    """Return the rectified contrast in a colour that depends on the unit."""
    channel = np.abs(pixels - 0.5) @ np.random.default_rng(unit).uniform(0, 1, 3)
    image = Image.fromarray(channel.astype(np.float32)).resize((info.width, info.height), Image.Resampling.BOX)
    return np.maximum(np.asarray(image) * 20 - 2 - 0.1 * unit, 0).astype(np.float32)


def strongest_units(pixels: Pixels, info: LayerInfo) -> list[int]:
    """Return the eight units with the largest total activity, largest first."""
    sums = [feature_map(pixels, info, unit).sum() for unit in range(info.channels)]
    return [int(unit) for unit in np.argsort(-np.array(sums), kind="stable")[:8]]


def layer_named(name: str | None) -> LayerInfo | None:
    """Return the layer with an alias or name; None: the last layer."""
    return next((layer for layer in LAYERS if (name or "conv5") in (layer.alias, layer.name)), None)
