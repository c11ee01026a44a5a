"""Faithfulness of projections: whether occluding the region that a projection highlights reduces the unit's activation most.

Zeiler & Fergus 2014, section 4.2, compare figure 7 b and c by eye; this experiment measures it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.arguments import flag, integer, integer_array
from deconvwidgets.compute.devices import to_model, with_deprecated_network
from deconvwidgets.compute.inputs import ImageInputs, input_count, iter_inputs
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.engine import Network, project
from deconvwidgets.engine.occlusion.occluded_image import OccludedImage
from deconvwidgets.errors import LayerError, OcclusionError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.occlusion.compute.checks import checked_memory_limit, resolve_layer
from deconvwidgets.instruments.occlusion.compute.fill import Fill, fill_of
from deconvwidgets.instruments.occlusion.compute.grid import WindowGrid, as_pair
from deconvwidgets.instruments.occlusion.defaults import default_grid
from deconvwidgets.instruments.occlusion.part_records import Faithfulness
from deconvwidgets.instruments.occlusion.records import MapsSettings
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.geometry import Box
from deconvwidgets.records.progress import Progress

_ROUNDING = 1e-9  # energies within this relative distance count as equal


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
    """Measure how much of a unit's activation is lost when the region that its projection highlights is occluded.

    For each image, the unit's strongest activation is projected by the deconvnet. The window with the largest energy (sum of squares) of
    the projection is occluded, and so are `elsewhere` random windows of the same size that do not overlap it. Each is measured by the
    share of the unit's maximum over space that is lost.

    Parameters
    ----------
    bundle : ModelBundle
        The model.
    images : ImageSet, or one or several images
        As in `occlude`. Each photograph of an image set is represented by its first crop.
    layer : str, optional
        Name or alias; by default the last of the explorers' layers (conv5 of AlexNet).
    units : int or sequence of int, optional
        One unit for all images, or one for each; by default each image's unit with the strongest activation, of equal ones the lowest.
        Images in which the unit is inactive have a drop of NaN, and are left out of `share`.
    window : int or (rows, columns), optional
        In pixels of the model's input. The default is 48; if the shorter side of the input is under 224, it is smaller in proportion
        (7 for 32).
    elsewhere : int
        Number of random windows per image.
    seed : int
        The seed of the random windows.
    fill, memory_limit, progress, job, network
        As in `occlude`.

    Raises
    ------
    OcclusionError
        For an invalid window, fill or memory limit, and for a window that leaves no space elsewhere.
    LayerError
        For an unknown layer or unit.
    PictureError
        If an image cannot be read or used.
    RuleError
        If an operation below the layer has no backward rule.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> photographs = dw.open_images("photos", limit=2)
    >>> result = dw.projection_faithfulness(dw.load_model("alexnet"), photographs, "conv3")
    >>> result.drop.shape, result.boxes.shape
    ((2,), (2, 4))
    """
    count = input_count(images)
    bundle, job = with_deprecated_network(bundle, network), as_job(job)
    network = bundle.network
    layer = resolve_layer(network, layer)  # first: a layer of another model explains a window that is too large
    memory_limit = checked_memory_limit(memory_limit)
    size = bundle.input_size[1], bundle.input_size[2]
    grid = WindowGrid.of(size, MapsSettings(as_pair(default_grid(size)[0] if window is None else window, "window"), (1, 1)))
    chosen_units = _units(units, count, network, layer)
    elsewhere = integer(elsewhere, "elsewhere, the number of random windows,", 1, error=OcclusionError)
    generator = np.random.default_rng(integer(seed, "seed", 0, error=OcclusionError))
    progress = flag(progress, "progress", OcclusionError)
    rows: list[tuple[int, float, float, float, Box]] = []
    with job.progress_bar("faithfulness", "image", count, progress) as context:
        for number, pixels in enumerate(iter_inputs(bundle, images)):
            batch = to_model(pixels[None], bundle.model)
            unit = _strongest_unit(network, batch, layer) if chosen_units is None else chosen_units[number]
            box = _strongest_box(network, batch, layer, unit, grid)
            boxes = [box, *_boxes_elsewhere(grid, box, elsewhere, generator)]
            image = OccludedImage(network, batch, fill_of(bundle, pixels, fill), layer, unit, logits=False, memory_limit=memory_limit)
            activity, drops = _drops(image, boxes)
            rows.append((unit, activity, float(drops[0]), float(drops[1:].mean()), box))
            context.report(Progress("faithfulness", len(rows), count))
    return _record(layer, rows)


def _units(units: int | Sequence[int] | NDArray[np.int64] | None, count: int, network: Network, layer: str) -> list[int] | None:
    channels = network.layer(layer).channels
    if units is None:
        return None
    expected = f"the number of one unit, or one for each of the {count} images"
    array = integer_array(units, "units", ((), (count,)), expected, LayerError)
    if array.min() < 0 or array.max() >= channels:
        raise LayerError(f"{layer} has {channels} units, 0 to {channels - 1}, not {sorted(set(array.flatten().tolist()))}.")
    return [int(unit) for unit in np.broadcast_to(array, (count,))]


@torch.no_grad()
def _strongest_unit(network: Network, batch: Tensor, layer: str) -> int:
    return int(network.map(batch, layer)[0].amax(dim=(1, 2)).argmax())


def _strongest_box(network: Network, batch: Tensor, layer: str, unit: int, grid: WindowGrid) -> Box:
    """Return the window with the largest energy of the projection; of several with equal energy, the one nearest to their centre."""
    height, width = batch.shape[2:]
    signal = project(network, batch, layer, unit=unit).full(height, width)[0]
    sums = _box_sums(signal.detach().cpu().double().square().sum(dim=0).numpy(), grid.window)
    equal = np.argwhere(sums >= sums.max() * (1 - _ROUNDING))
    row, column = equal[np.square(equal - equal.mean(axis=0)).sum(axis=1).argmin()].tolist()
    return grid.box(row, column)


def _box_sums(values: NDArray[np.float64], window: tuple[int, int]) -> NDArray[np.float64]:
    """Return the sums over the window at each position inside the image, (H - rows + 1, W - columns + 1)."""
    over_rows = np.lib.stride_tricks.sliding_window_view(values, window[0], axis=0).sum(axis=-1)
    sums: NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(over_rows, window[1], axis=1).sum(axis=-1)
    return sums


def _boxes_elsewhere(grid: WindowGrid, box: Box, count: int, generator: np.random.Generator) -> list[Box]:
    """Return `count` different random windows that do not overlap `box`, or all of them if there are fewer."""
    left, top, right, bottom = box
    rows, columns = np.indices((grid.rows, grid.columns)).reshape(2, -1)
    apart = (rows + grid.window[0] <= top) | (rows >= bottom) | (columns + grid.window[1] <= left) | (columns >= right)
    free = np.flatnonzero(apart)
    if not len(free):
        raise OcclusionError(
            f"A window of {grid.window[0]} x {grid.window[1]} leaves no space for another one: choose a smaller window, "
            "at most half the image's side."
        )
    positions = generator.choice(free, min(count, len(free)), replace=False)
    return [grid.box(int(position) // grid.columns, int(position) % grid.columns) for position in positions]


def _drops(image: OccludedImage, boxes: Sequence[Box]) -> tuple[float, NDArray[np.float64]]:
    """Return the unit's maximum over space, and the share of it that is lost with each box occluded; NaN for an inactive unit."""
    activity = float(image.unoccluded.maps.amax())
    occluded = image.run([(box,) for box in boxes]).maps.flatten(1).amax(dim=1).cpu().double().numpy()
    return activity, (activity - occluded) / activity if activity > 0 else np.full(len(boxes), np.nan)


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
