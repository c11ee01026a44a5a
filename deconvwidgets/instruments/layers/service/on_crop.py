"""A unit's feature map on any crop of the image set, over the whole photograph."""

from __future__ import annotations

import numpy as np
import torch

from deconvwidgets.arguments import integer
from deconvwidgets.compute.devices import to_model
from deconvwidgets.errors import LayerError
from deconvwidgets.images.image_set import label_name
from deconvwidgets.index.queries.places import boxes
from deconvwidgets.instruments.layers.records import UnitOnCrop
from deconvwidgets.instruments.layers.service.sources import source_image
from deconvwidgets.records.activations import Activation
from deconvwidgets.records.layers import LayerInfo, map_extent
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.snapshot import Snapshot


def unit_on_crop(context: ServiceContext, snapshot: Snapshot, info: LayerInfo, unit: int, crop: int, size: int) -> UnitOnCrop:
    """Return the map of a unit on a crop. Raises LayerError for an unknown unit, ServiceError for an unknown crop or an invalid size."""
    unit = integer(unit, f"unit of {info.short_name}", 0, info.channels - 1, LayerError)
    crop = integer(crop, f"crop of {snapshot.images.name}", 0, len(snapshot.images) - 1)
    size = integer(size, "size, the pixels of a source image,", 16, 4096)
    ((pixels, _),) = context.images.get(snapshot, [crop])
    with context.device_lock.request(), torch.no_grad():
        maps = snapshot.below.network(info.name).map(to_model(pixels[None], snapshot.bundle.model), info.name)
        values = maps[0, unit].float().cpu().numpy().copy()
    row, column = divmod(int(values.argmax()), values.shape[1])
    field = boxes(snapshot.bundle.input_size, info, np.array([row]), np.array([column]))[0].tolist()
    strongest = Activation(crop, row, column, float(values.max()), (field[0], field[1], field[2], field[3]))
    source = snapshot.images.crop(crop).source
    label = label_name(snapshot.images, source)
    caption = " · ".join([*([label] if label else []), snapshot.images.source_name(source)])
    picture = source_image(snapshot, context.images, strongest, caption, size)
    extent = map_extent(info, values.shape, snapshot.bundle.input_size[1:])
    return UnitOnCrop(picture, values, extent, strongest.value, row, column)
