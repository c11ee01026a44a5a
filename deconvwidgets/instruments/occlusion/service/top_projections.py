"""Projections of a feature map from the current image and from its strongest images (Zeiler & Fergus 2014, figure 7 c).

Of a unit that is switched off they are what they would be if it were on.

With each are the model's input and the whole feature map, which the enlarged view draws over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from deconvwidgets import display
from deconvwidgets.arguments import integer
from deconvwidgets.compute.devices import to_model
from deconvwidgets.display import Rgb
from deconvwidgets.engine import project
from deconvwidgets.errors import PictureError
from deconvwidgets.images.image_set import label_name
from deconvwidgets.instruments.occlusion.records import OcclusionProjection
from deconvwidgets.instruments.occlusion.service.scenes import Scene
from deconvwidgets.records.activations import Activation
from deconvwidgets.records.geometry import Box
from deconvwidgets.records.layers import map_extent
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.encoding import encode_image
from deconvwidgets.service.prepared_images import PreparedImageCache
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.unreadable import unreadable_tile

_OTHERS = 3
_CACHE_BYTES = 16 << 20

Projections = tuple[OcclusionProjection, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Activation:
    """An activation of the feature map to project."""

    caption: str
    own: bool
    pixels: Tensor  # (C, H, W)
    image: Rgb
    position: tuple[int, int] | None  # row, column; None: the strongest position


@dataclass(frozen=True, slots=True, eq=False)
class _Unreadable:
    """An activation of the index whose photograph can no longer be read."""

    caption: str
    activation: Activation


class TopProjections:
    """Computes and caches the projections. Thread-safe."""

    def __init__(self, device_lock: DeviceLock, images: PreparedImageCache) -> None:
        self._device_lock = device_lock
        self._images = images
        self._cache: ByteCache[Projections] = ByteCache(_CACHE_BYTES, _nbytes)

    def get(self, snapshot: Snapshot, scene: Scene, size: int) -> Projections:
        """Return projections from this image, unless the map is zero on it, and from the strongest other photographs of the index.

        Raises
        ------
        RuleError
            If the deconvnet has no rule for an operation below the layer.
        ServiceError
            For a size that is not between 16 and 1024 pixels.
        """
        size = integer(size, "size, the pixels of a projection,", 16, 1024)
        request = scene.request
        factors = snapshot.below.factors(snapshot.network.layer(scene.unoccluded.layer).name)
        key = (snapshot.layers_version, factors, _index_name(snapshot, scene), request.image, request.layer, request.unit, size)
        cached = self._cache.get(key)
        if cached is None:
            activations = tuple(self._activations(snapshot, scene))
            cached = tuple(
                _unreadable(scene, one, size) if isinstance(one, _Unreadable) else self._project(snapshot, scene, one, size)
                for one in activations
            )
            self._cache.keep_only(lambda other: other[0] == snapshot.layers_version)
            if not any(isinstance(one, _Unreadable) for one in activations):  # they may be read next time
                self._cache.put(key, cached)
        return cached

    def _activations(self, snapshot: Snapshot, scene: Scene) -> Iterator[_Activation | _Unreadable]:
        if self._is_active(snapshot, scene):
            yield _Activation(scene.image.caption, True, scene.image.pixels, scene.images()[0], None)
        name = _index_name(snapshot, scene)
        if name is None or snapshot.index is None:
            return
        top = snapshot.index.top(name, scene.unoccluded.unit)
        images = snapshot.images
        others = [one for one in top if one.value > 0 and images.crop(one.image).source != scene.image.source][:_OTHERS]
        for one, entry in zip(others, self._images.each(snapshot, [other.image for other in others]), strict=True):
            source = images.crop(one.image).source
            caption = " · ".join(part for part in (label_name(images, source), images.source_name(source)) if part)
            if isinstance(entry, PictureError):
                yield _Unreadable(f"{caption} · cannot be read any more", one)
            else:
                yield _Activation(caption, False, *entry, (one.row, one.column))

    def _is_active(self, snapshot: Snapshot, scene: Scene) -> bool:
        """Return whether the unit is active in the image; one that is switched off, whether it would be."""
        layer, unit = snapshot.network.layer(scene.unoccluded.layer).name, scene.unoccluded.unit
        if (layer, unit) not in snapshot.bundle.units:
            return bool(scene.unoccluded.map.max(initial=0) > 0)
        with self._device_lock.request(), torch.no_grad():
            maps = snapshot.below.network(layer).map(to_model(scene.image.pixels[None], scene.bundle.model), layer)
        return bool((maps[0, unit] > 0).any())

    def _project(self, snapshot: Snapshot, scene: Scene, activation: _Activation, size: int) -> OcclusionProjection:
        """Project one activation at a time, so that a patch that is moved meanwhile waits for one at most."""
        positions = None if activation.position is None else [activation.position]
        layer, unit = scene.unoccluded.layer, scene.unoccluded.unit
        with self._device_lock.request():
            batch = to_model(activation.pixels[None], scene.bundle.model)
            network = snapshot.below.network(snapshot.network.layer(layer).name)
            projected = project(network, batch, layer, unit=unit, at=positions, rule="deconvnet")
            signed = projected.pixels[0].detach().float().cpu().numpy()[scene.bundle.channels_to_display]
            value = float(projected.values[0])
            left, top, right, bottom = (int(edge) for edge in projected.boxes[0])
            with torch.no_grad():
                feature_map = network.map(batch, layer)[0, unit].float().cpu().numpy().copy()
        box: Box = (left, top, right, bottom)
        patch = display.resize_image(display.crop_patch(activation.image, box), size)
        return OcclusionProjection(
            caption=activation.caption,
            own=activation.own,
            value=value,
            box=box,
            projection=encode_image(display.projection_to_rgb(np.asarray(signed), size)),
            patch=encode_image(patch),
            image=encode_image(activation.image),
            feature_map=feature_map,
            extent=map_extent(snapshot.layer(layer), feature_map.shape, scene.bundle.input_size[1:]),
        )


def _unreadable(scene: Scene, one: _Unreadable, size: int) -> OcclusionProjection:
    """Return words in place of all pictures of an activation, and a map of zeros."""
    height, width = scene.bundle.input_size[1:]
    tile, feature_map = encode_image(unreadable_tile(size)), np.zeros_like(scene.unoccluded.map)
    return OcclusionProjection(
        caption=one.caption,
        own=False,
        value=one.activation.value,
        box=one.activation.box or (0, 0, width, height),
        projection=tile,
        patch=tile,
        image=encode_image(np.asarray(Image.fromarray(unreadable_tile(min(height, width))).resize((width, height)))),
        feature_map=feature_map,
        extent=(0.0, 0.0, 1.0, 1.0),
    )


def _index_name(snapshot: Snapshot, scene: Scene) -> str | None:
    """Return the name of the scene's layer in the index; None if the index lacks it: it has the listed and the opened layers."""
    name = snapshot.catalog.found.get(scene.unoccluded.layer)
    return name if name is not None and snapshot.has(name) else None


def _nbytes(projections: Projections) -> int:
    return sum(sum(len(image.data) for image in (one.projection, one.patch, one.image)) + one.feature_map.nbytes for one in projections)
