"""Panel c of Zeiler & Fergus 2014, figure 7: a feature map projected to pixels, from the shown image and from its strongest others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from deconvwidgets import display
from deconvwidgets.compute.devices import to_model
from deconvwidgets.display import Rgb
from deconvwidgets.engine import project
from deconvwidgets.errors import LayerError, ServiceError
from deconvwidgets.images.image_set import label_name
from deconvwidgets.instruments.occlusion.records import OcclusionProjection
from deconvwidgets.instruments.occlusion.service.scenes import Scene
from deconvwidgets.records.geometry import Box
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.encoding import encode_picture
from deconvwidgets.service.prepared_images import PreparedImageCache
from deconvwidgets.service.snapshot import Snapshot

_OTHERS = 3
_CACHE_BYTES = 16 << 20

Entries = tuple[OcclusionProjection, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Strongest:
    """Where the map is projected from."""

    caption: str
    own: bool
    pixels: Tensor  # (C, H, W)
    picture: Rgb
    at: tuple[int, int] | None  # row, column; None: the strongest position


class TopProjections:
    """Makes the panel, and keeps it while it is in use. Thread-safe."""

    def __init__(self, device_lock: DeviceLock, images: PreparedImageCache) -> None:
        self._device_lock = device_lock
        self._images = images
        self._kept: ByteCache[Entries] = ByteCache(_CACHE_BYTES, _bytes_of)

    def get(self, state: Snapshot, scene: Scene, size: int) -> Entries:
        """This image first, unless the map is silent in it; then the strongest of the index where there is one, without this photograph.

        Raises RuleError where the deconvnet does not lead down from the layer, ServiceError for pictures too small or large.
        """
        if not 16 <= size <= 1024:
            raise ServiceError(f"A projection is drawn 16 to 1,024 pixels a side, not {size}.")
        wanted = scene.request
        key = (state.layers_version, wanted.image, wanted.layer, wanted.unit, size)
        found = self._kept.get(key)
        if found is None:
            found = tuple(self._draw(state, scene, one, size) for one in self._strongest(state, scene))
            self._kept.keep_only(lambda other: other[0] == state.layers_version)
            self._kept.put(key, found)
        return found

    def _strongest(self, state: Snapshot, scene: Scene) -> Iterator[_Strongest]:
        if scene.unoccluded.map.max(initial=0) > 0:
            yield _Strongest(scene.shown.caption, True, scene.shown.pixels, scene.pictures()[0], None)
        if state.index is None:
            return
        try:
            top = state.index.top(scene.unoccluded.layer, scene.unoccluded.unit)
        except LayerError:  # the index holds the explorers' layers; others may be watched as well
            return
        images = state.images
        others = [one for one in top if one.value > 0 and images.crop(one.image).source != scene.shown.source][:_OTHERS]
        for one, (pixels, picture) in zip(others, self._images.get(state, [other.image for other in others]), strict=True):
            source = images.crop(one.image).source
            words = [word for word in (label_name(images, source), images.source_name(source)) if word]
            yield _Strongest(" · ".join(words), False, pixels, picture, (one.row, one.column))

    def _draw(self, state: Snapshot, scene: Scene, one: _Strongest, size: int) -> OcclusionProjection:
        """One at a time: a patch that moves meanwhile waits for one at the most."""
        at = None if one.at is None else [one.at]
        with self._device_lock.request():
            batch = to_model(one.pixels[None], scene.bundle.model)
            projected = project(scene.network, batch, scene.unoccluded.layer, unit=scene.unoccluded.unit, at=at, rule="deconvnet")
            signed, value = projected.pixels[0].detach().float().cpu().numpy(), float(projected.values[0])
            left, top, right, bottom = (int(edge) for edge in projected.boxes[0])
        box: Box = (left, top, right, bottom)
        patch = display.resize_image(display.crop_patch(one.picture, box), size)
        return OcclusionProjection(
            caption=one.caption,
            own=one.own,
            value=value,
            box=box,
            projection=encode_picture(display.projection_to_rgb(np.asarray(signed), size)),
            patch=encode_picture(patch),
        )


def _bytes_of(entries: Entries) -> int:
    return sum(len(one.projection.data) + len(one.patch.data) for one in entries)
