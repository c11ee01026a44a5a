"""Images with the unit and class that are watched on them, ready for patches. They are cached, so a patch costs only what it touches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from weakref import WeakValueDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.arguments import instance, integer
from deconvwidgets.compute.class_labels import class_of_label
from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.scores import scores_of
from deconvwidgets.display import Rgb
from deconvwidgets.engine import Network
from deconvwidgets.engine.occlusion.occluded_image import OccludedImage
from deconvwidgets.errors import LayerError, OcclusionError
from deconvwidgets.instruments.occlusion.compute.fill import fill_name, fill_of
from deconvwidgets.instruments.occlusion.compute.unoccluded import UnoccludedResult, run_unoccluded
from deconvwidgets.instruments.occlusion.records import ClassShare, OcclusionRequest, OcclusionScene, PatchAnswer
from deconvwidgets.instruments.occlusion.service.images import ImageCatalog
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.geometry import Box
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.encoding import encode_image
from deconvwidgets.service.input_images import InputImage
from deconvwidgets.service.snapshot import Snapshot

_TOP = 5  # classes
_CACHE_BYTES = 384 << 20
_CACHED_REQUESTS = 512


@dataclass(frozen=True, eq=False)  # without slots, for the cached pictures
class Scene:
    """An image, a request with every default resolved, and the result without patches.

    `unchanged` is the scene of the network with all units on; None if no unit is switched off.
    """

    bundle: ModelBundle
    network: Network
    image: InputImage
    request: OcclusionRequest
    unoccluded: UnoccludedResult
    fill: Tensor  # (C, H, W), or (C, 1, 1) for one colour
    occluded: OccludedImage  # to be run under the device lock
    truth: int | None = None  # the class that the image's label names
    unchanged: Scene | None = None

    def answer(self, boxes: Sequence[Box]) -> PatchAnswer:
        """Return the result with patches at `boxes`. The caller holds the device lock."""
        unchanged = None if self.unchanged is None else self.unchanged.results(boxes)[0]
        scores, values = self.results(boxes)
        return PatchAnswer(self.shares(scores, unchanged), float(values.sum(dtype=np.float64)), values)

    def results(self, boxes: Sequence[Box]) -> tuple[NDArray[np.float64] | None, NDArray[np.float32]]:
        """Return the scores (classes,), or None without a classifier, and the feature map (h, w) with patches at `boxes`."""
        if not boxes:
            return self.unoccluded.scores, self.unoccluded.map
        occluded, quantity = self.occluded.run([tuple(boxes)]), self.bundle.quantity
        scores = None if occluded.logits is None or quantity is None else scores_of(occluded.logits, quantity, self.bundle.name)[0]
        return scores, occluded.maps[0].float().cpu().numpy()

    def shares(self, now: NDArray[np.float64] | None, unchanged: NDArray[np.float64] | None = None) -> tuple[ClassShare, ...]:
        """Return the five most probable classes of `now` (classes,), of equal ones the lower first, the target and `against`.

        Of a regression, the first five outputs, the target and `against`. With the scores of the `unchanged` network (classes,), four, and
        the most probable class of those.
        """
        before, target, against = self.unoccluded.scores, self.request.target, self.unoccluded.against
        if now is None or before is None or target is None:
            return ()
        is_value = self.bundle.quantity is not None and self.bundle.quantity.kind == "value"
        labels = (np.arange(len(now)) if is_value else np.argsort(-now, kind="stable"))[:_TOP].tolist()
        if unchanged is not None and not is_value:  # the class that the units spoke for
            labels = list(dict.fromkeys([*labels[: _TOP - 1], int(np.argmax(unchanged))]))
        listed = list(dict.fromkeys([*labels, target, *([] if against is None else [against])]))
        return tuple(
            ClassShare(
                label, self.name(label), float(before[label]), float(now[label]), None if unchanged is None else float(unchanged[label])
            )
            for label in listed
        )

    def name(self, label: int) -> str:
        """Return the name of a class."""
        names = self.bundle.categories or ()
        return names[label] if label < len(names) else f"class {label}"

    def images(self) -> tuple[Rgb, Rgb]:
        """Return the model's input and what patches show, (H, W, 3) each.

        Both are converted together: for a transform of unknown normalisation values are stretched, and both must be by the same amount.
        """
        pixels = self.image.pixels
        both = self.bundle.to_picture(torch.cat([pixels, self.fill.to(pixels).expand(pixels.shape)], dim=2))
        width = pixels.shape[2]
        return np.ascontiguousarray(both[:, :width]), np.ascontiguousarray(both[:, width:])

    @cached_property
    def pictures(self) -> tuple[EncodedImage, EncodedImage]:
        """The model's input and what patches show, encoded. Switching units off changes neither."""
        image, fill = self.images()
        return encode_image(image, "png"), encode_image(fill, "png")

    def record(self) -> OcclusionScene:
        """Return the scene as a record."""
        image, fill = (self.unchanged or self).pictures
        return OcclusionScene(
            request=self.request,
            caption=self.image.caption,
            label=self.image.label,
            image=image,
            fill=fill,
            classes=self.shares(self.unoccluded.scores, None if self.unchanged is None else self.unchanged.unoccluded.scores),
            activity=self.unoccluded.unoccluded.activity,
            map=self.unoccluded.map,
            strongest=self.unoccluded.strongest,
            note=self._note(),
            truth=self.truth,
        )

    def _note(self) -> str:
        if self.network.traced or self.occluded.method == "incremental":
            return ""
        return f"The model cannot be traced ({self.network.reason}): every patch costs a whole forward pass."


class SceneCache:
    """Makes and caches scenes by network: a new index changes nothing of them, another head or other units do. Thread-safe.

    Parameters
    ----------
    share_of : callable
        Returns what this cache may use of a number of bytes: with several sessions, a share.
    """

    def __init__(self, device_lock: DeviceLock, images: ImageCatalog, share_of: Callable[[int], int] = lambda size: size) -> None:
        self._device_lock = device_lock
        self._share_of = share_of
        self._images = images
        self._resolved: ByteCache[OcclusionRequest] = ByteCache(_CACHED_REQUESTS, lambda request: 1)
        self._scenes: ByteCache[Scene] = ByteCache(_CACHE_BYTES, lambda scene: _nbytes(scene.network))
        # Scenes that differ in their target class only share an occluded image.
        self._occluded: WeakValueDictionary[tuple[object, ...], OccludedImage] = WeakValueDictionary()

    def get(self, snapshot: Snapshot, request: OcclusionRequest, unchanged: bool = False) -> Scene:
        """Return the scene of a request; if `unchanged`, with all units on.

        Raises
        ------
        PictureError
            If there is no such image, or it cannot be read.
        LayerError
            For an unknown layer or unit.
        OcclusionError
            For an unknown class or fill.
        """
        request, current = _checked(request), snapshot
        snapshot = _unchanged(snapshot) if unchanged else snapshot
        found = self._cached(snapshot, request)
        if found is not None:
            return found
        networks = {current.network, current.unchanged.network}
        for cache in (self._resolved, self._scenes):
            cache.keep_only(lambda key: key[0] in networks)
        fill_name = _fill_name(request)
        image = self._images.get(snapshot, request.image)  # decoding needs no device
        fill = fill_of(snapshot.bundle, image.pixels, fill_name)
        with self._device_lock.request():
            return self._cached_or_made(snapshot, request, image, fill_name, fill)

    def _cached_or_made(self, snapshot: Snapshot, request: OcclusionRequest, image: InputImage, fill_name: str, fill: Tensor) -> Scene:
        return self._cached(snapshot, request) or self._make(snapshot, request, image, fill_name, fill)

    def _cached(self, snapshot: Snapshot, request: OcclusionRequest) -> Scene | None:
        network = snapshot.network
        try:
            resolved = self._resolved.get((network, request))
        except TypeError:  # an unhashable value, as a browser may send: the check of that value names it
            return None
        return None if resolved is None else self._scenes.get((network, resolved))

    def _make(self, snapshot: Snapshot, request: OcclusionRequest, image: InputImage, fill_name: str, fill: Tensor) -> Scene:
        bundle, network = snapshot.bundle, snapshot.network
        layer = snapshot.listed[-1].name if request.layer is None else request.layer
        asked, unchanged = request, None
        if bundle.unchanged is not None:
            # Defaults are those with all units on: switching one off must not change the class or the map that is watched.
            unchanged = self._cached_or_made(_unchanged(snapshot), request, image, fill_name, fill)
            asked = unchanged.request
        truth = class_of_label(bundle, image.label)
        unoccluded = run_unoccluded(bundle, image.pixels, layer, asked.unit, asked.target, asked.against, truth)
        target, against = unoccluded.target, unoccluded.against
        resolved = OcclusionRequest(request.image, unoccluded.layer, unoccluded.unit, target, fill_name, against)
        key = (network, resolved.image, resolved.layer, resolved.unit, resolved.fill)
        occluded = self._occluded.get(key)
        if occluded is None:
            batch = to_model(image.pixels[None], bundle.model)
            with_logits = unoccluded.scores is not None
            occluded = OccludedImage(network, batch, fill, unoccluded.layer, unoccluded.unit, logits=with_logits)
            self._occluded[key] = occluded
        scene = Scene(bundle, network, image, resolved, unoccluded, fill, occluded, truth, unchanged)
        # One scene is cached whatever its size: a drag requests it all the time.
        self._scenes.limit = max(self._share_of(_CACHE_BYTES), _nbytes(network))
        self._scenes.put((network, resolved), scene)
        for known in (request, resolved):
            self._resolved.put((network, known), resolved)
        return scene


def _unchanged(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, bundle=snapshot.unchanged)


def _checked(request: OcclusionRequest) -> OcclusionRequest:
    """Return a request with Python integers: 1.0 and True equal 1, also as keys of a cache. Raises an error for any other number."""
    instance(request, OcclusionRequest, "request")
    unit = None if request.unit is None else integer(request.unit, "unit", error=LayerError)
    target, against = (
        label if label is None or isinstance(label, str) else integer(label, name, error=OcclusionError)
        for label, name in ((request.target, "target"), (request.against, "against"))
    )
    return replace(request, unit=unit, target=target, against=against)  # type: ignore[arg-type] # other texts are refused below


def _fill_name(request: OcclusionRequest) -> str:
    if not isinstance(request.fill, str):
        raise OcclusionError(f"A fill is 'gray', 'mean', 'blur' or a colour like '#7f7f7f', not {request.fill!r}.")
    return fill_name(request.fill)


def _nbytes(network: Network) -> int:
    """Return the approximate size of a scene: every feature map of the image, if they are kept."""
    maps = [] if network.graph is None else network.graph.map_sizes()
    return 8 * prod(network.input_size) + 4 * sum(maps)
