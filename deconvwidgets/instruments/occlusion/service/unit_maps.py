"""Where units are active in the current image: their feature maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from deconvwidgets.arguments import describe, integer
from deconvwidgets.compute.devices import to_model
from deconvwidgets.errors import LayerError
from deconvwidgets.instruments.occlusion.records import UnitMaps
from deconvwidgets.instruments.occlusion.service.scenes import Scene
from deconvwidgets.records.layers import map_extent
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.snapshot import Snapshot


def unit_maps(snapshot: Snapshot, scene: Scene, units: Sequence[int], lock: DeviceLock) -> UnitMaps:
    """Return the maps of some units of the scene's layer, with all units on. Raises LayerError for an unknown one."""
    layer = scene.unoccluded.layer
    info = snapshot.layer(layer)
    if not isinstance(units, list | tuple):
        raise LayerError(f"units must be a list of numbers, not {describe(units)}.")
    numbers = [integer(unit, "unit", error=LayerError) for unit in units]
    unknown = [number for number in numbers if not 0 <= number < info.channels]
    if unknown:
        raise LayerError(f"{layer} has {info.channels} units, 0 to {info.channels - 1}: there is no unit {unknown[0]}.")
    bundle = scene.bundle.unchanged or scene.bundle  # a unit that is off keeps its map
    with lock.request(), torch.no_grad():
        maps = bundle.network.map(to_model(scene.image.pixels[None], bundle.model), layer)[0]
        values = maps[torch.tensor(numbers, dtype=torch.long, device=maps.device)].float().cpu().numpy()
    extent = map_extent(info, values.shape[1:], scene.bundle.input_size[1:])
    return UnitMaps(tuple(numbers), np.ascontiguousarray(values, np.float32), extent)
