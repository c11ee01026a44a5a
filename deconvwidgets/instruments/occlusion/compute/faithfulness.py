"""Do projections show what excites a unit? Occlude what they point at, and something else.

(Zeiler & Fergus 2014, section 4.2, claim it of figure 7 b and c, by eye; this puts a number to it.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.devices import to_model, with_deprecated_network
from deconvwidgets.compute.inputs import ImageInputs, input_count, iter_inputs
from deconvwidgets.compute.job import JobContext
from deconvwidgets.engine import Network, project
from deconvwidgets.engine.occlusion.occluded_image import OccludedImage
from deconvwidgets.errors import LayerError, OcclusionError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.occlusion.compute.checks import layer_or_last, require_memory_limit
from deconvwidgets.instruments.occlusion.compute.fill import Fill, fill_of
from deconvwidgets.instruments.occlusion.compute.grid import WindowGrid, as_pair
from deconvwidgets.instruments.occlusion.defaults import default_grid
from deconvwidgets.instruments.occlusion.records import Faithfulness, MapsSettings
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.geometry import Box
from deconvwidgets.records.progress import Progress

_ROUNDING = 1e-9  # windows whose energies are nearer to each other than this share hold the same


def projection_faithfulness(
    bundle: ModelBundle,
    images: ImageSet | ImageInputs,
    layer: str | None = None,
    *,
    units: int | Sequence[int] | NDArray[np.int64] | None = None,
    window: int | tuple[int, int] | None = None,
    elsewhere: int = 8,
    seed: int = 0,
    fill: Fill = "gray",
    memory_limit: int | None = None,
    progress: bool = False,
    job: JobContext | None = None,
    network: Network | None = None,
) -> Faithfulness:
    """How much of a unit's activation is lost when its projection's strongest region is occluded, and when an equal region elsewhere is.

    For each image: the unit's strongest activation is projected by the deconvnet; the window with the largest energy (sum of squares) of
    the projection is occluded, and so are `elsewhere` random windows of the same size that do not overlap it. What is lost is the share
    of the unit's maximum over space.

    Args:
        images: an image set (each photograph once), or pictures and inputs as `occlude` takes them.
        layer: name or alias; None is the last of the explorers' layers (conv5 of AlexNet).
        units: one for all images, or one for each; None is each image's unit with the strongest activation (of equal ones the lowest).
            A unit that does not fire in an image has nothing to lose there: NaN, and `share` leaves the image out.
        window: pixels of the model's input, one number or (rows, columns). None: 48, in proportion smaller where the
            shorter side is under 224 (7 of 32). seed: of the random windows.
        fill, memory_limit, progress, job, network: as in `occlude`.

    Raises OcclusionError for a window that leaves no room elsewhere, LayerError, PictureError, and RuleError where the deconvnet does not
    lead down from the layer.
    """
    count = input_count(images)
    bundle, job = with_deprecated_network(bundle, network), job or JobContext()
    traced = bundle.network
    layer = layer_or_last(traced, layer)  # first: whoever names another model's layer has its window too
    require_memory_limit(memory_limit)
    size = bundle.input_size[1], bundle.input_size[2]
    grid = WindowGrid.of(size, MapsSettings(as_pair(default_grid(size)[0] if window is None else window, "window"), (1, 1)))
    chosen = _units(units, count, traced, layer)
    if elsewhere < 1:
        raise OcclusionError(f"elsewhere is the number of windows to compare with, 1 at least, not {elsewhere}.")
    draw = np.random.default_rng(seed)
    rows: list[tuple[int, float, float, float, Box]] = []
    with job.progress_bar("faithfulness", "image", count, progress) as shown:
        for number, pixels in enumerate(iter_inputs(bundle, images)):
            batch = to_model(pixels[None], bundle.model)
            unit = _strongest_unit(traced, batch, layer) if chosen is None else chosen[number]
            box = _strongest_box(traced, batch, layer, unit, grid)
            boxes = [box, *_boxes_elsewhere(grid, box, elsewhere, draw)]
            laid = OccludedImage(traced, batch, fill_of(bundle, pixels, fill), layer, unit, logits=False, memory_limit=memory_limit)
            whole, lost = _losses(laid, boxes)
            rows.append((unit, whole, float(lost[0]), float(lost[1:].mean()), box))
            shown.report(Progress("faithfulness", len(rows), count))
    return _record(layer, rows)


def _units(units: int | Sequence[int] | NDArray[np.int64] | None, count: int, network: Network, layer: str) -> list[int] | None:
    channels = network.layer(layer).channels
    if units is None:
        return None
    several = np.asarray(units)
    if several.dtype.kind not in "iu" or several.shape not in ((), (count,)):
        raise LayerError(f"units is one unit's number, or one for each of the {count} images.")
    if several.min() < 0 or several.max() >= channels:
        raise LayerError(f"{layer} has {channels} units, 0 to {channels - 1}; {sorted(set(several.flatten().tolist()))} was asked for.")
    return [int(unit) for unit in np.broadcast_to(several, (count,))]


@torch.no_grad()
def _strongest_unit(network: Network, batch: Tensor, layer: str) -> int:
    return int(network.map(batch, layer)[0].amax(dim=(1, 2)).argmax())


def _strongest_box(network: Network, batch: Tensor, layer: str, unit: int, grid: WindowGrid) -> Box:
    """The window in which the projection has the most energy; where several hold all of it, the one in their middle."""
    height, width = batch.shape[2:]
    signal = project(network, batch, layer, unit=unit).full(height, width)[0]
    sums = _box_sums(signal.detach().double().square().sum(dim=0).cpu().numpy(), grid.window)
    equal = np.argwhere(sums >= sums.max() * (1 - _ROUNDING))
    row, column = equal[np.square(equal - equal.mean(axis=0)).sum(axis=1).argmin()].tolist()
    return grid.box(row, column)


def _box_sums(values: NDArray[np.float64], window: tuple[int, int]) -> NDArray[np.float64]:
    """The sum over the window at each position inside: (H - rows + 1, W - columns + 1)."""
    over_rows = np.lib.stride_tricks.sliding_window_view(values, window[0], axis=0).sum(axis=-1)
    sums: NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(over_rows, window[1], axis=1).sum(axis=-1)
    return sums


def _boxes_elsewhere(grid: WindowGrid, box: Box, count: int, draw: np.random.Generator) -> list[Box]:
    """`count` windows at random that do not overlap `box`, each once; all there are where there are fewer."""
    left, top, right, bottom = box
    rows, columns = np.indices((grid.rows, grid.columns)).reshape(2, -1)
    apart = (rows + grid.window[0] <= top) | (rows >= bottom) | (columns + grid.window[1] <= left) | (columns >= right)
    free = np.flatnonzero(apart)
    if not len(free):
        raise OcclusionError(
            f"A window of {grid.window[0]} x {grid.window[1]} leaves no room for another beside it: choose a smaller one, "
            "half the image's side at the most."
        )
    places = draw.choice(free, min(count, len(free)), replace=False)
    return [grid.box(int(place) // grid.columns, int(place) % grid.columns) for place in places]


def _losses(laid: OccludedImage, boxes: Sequence[Box]) -> tuple[float, NDArray[np.float64]]:
    """The unit's maximum over space, and the share of it that each box costs; NaN where it does not fire."""
    whole = float(laid.unoccluded.maps.amax())
    occluded = laid.run([(box,) for box in boxes]).maps.flatten(1).amax(dim=1).double().cpu().numpy()
    return whole, (whole - occluded) / whole if whole > 0 else np.full(len(boxes), np.nan)


def _record(layer: str, rows: Sequence[tuple[int, float, float, float, Box]]) -> Faithfulness:
    units, activity, drop, elsewhere, boxes = zip(*rows, strict=True)
    return Faithfulness(
        layer=layer,
        units=np.array(units, np.int64),
        activity=np.array(activity, np.float32),
        drop=np.array(drop, np.float32),
        elsewhere=np.array(elsewhere, np.float32),
        boxes=np.array(boxes, np.int64),
    )
