"""Images with what is watched on them, ready for patches: kept while they are in use, so that a patch costs what it touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from weakref import WeakValueDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.class_answers import probabilities_of
from deconvwidgets.compute.devices import to_model
from deconvwidgets.display import Rgb
from deconvwidgets.engine import Network
from deconvwidgets.engine.occlusion.occluded_image import OccludedImage
from deconvwidgets.errors import OcclusionError
from deconvwidgets.instruments.occlusion.compute.fill import fill_in_words, fill_of
from deconvwidgets.instruments.occlusion.compute.occlude import Watched, watched
from deconvwidgets.instruments.occlusion.records import ClassShare, OcclusionScene, OcclusionWanted, PatchAnswer
from deconvwidgets.instruments.occlusion.service.images import ImageShelf, Shown
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import Box
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.device_lock import DeviceGate
from deconvwidgets.service.encoding import encode_picture
from deconvwidgets.service.snapshot import Snapshot

_TOP = 5
_CACHE_BYTES = 384 << 20
_QUESTIONS = 512  # whose defaults are remembered


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """An image, everything asked of it made definite, and its maps as they are without patches."""

    bundle: ModelBundle
    network: Network
    shown: Shown
    wanted: OcclusionWanted
    seen: Watched
    fill: Tensor  # (C, H, W), or (C, 1, 1) for one colour
    occluded: OccludedImage  # whoever runs it holds the device

    def answer(self, boxes: Sequence[Box]) -> PatchAnswer:
        """What the network says with patches there; for whoever holds the device."""
        if not boxes:
            return PatchAnswer(self.shares(self.seen.probabilities), self.seen.unoccluded.activity, self.seen.map)
        occluded = self.occluded.run([tuple(boxes)])
        values = occluded.maps[0].float().cpu().numpy()
        now = None if occluded.logits is None else probabilities_of(occluded.logits)[0]
        return PatchAnswer(self.shares(now), float(values.sum(dtype=np.float64)), values)

    def shares(self, now: NDArray[np.float64] | None) -> tuple[ClassShare, ...]:
        """The five most probable classes of `now` (classes,), the lower of equal ones first, and the target."""
        before, target = self.seen.probabilities, self.wanted.target
        if now is None or before is None or target is None:
            return ()
        labels = np.argsort(-now, kind="stable")[:_TOP].tolist()
        listed = labels if target in labels else [*labels, target]
        return tuple(ClassShare(label, self.name(label), float(before[label]), float(now[label])) for label in listed)

    def name(self, label: int) -> str:
        """A class in words."""
        names = self.bundle.categories or ()
        return names[label] if label < len(names) else f"class {label}"

    def pictures(self) -> tuple[Rgb, Rgb]:
        """The model's input, and what patches show, (H, W, 3) each. Made in one go: an opaque transform's values are stretched, and
        both must be by the same amount."""
        pixels = self.shown.pixels
        both = self.bundle.to_picture(torch.cat([pixels, self.fill.to(pixels).expand(pixels.shape)], dim=2))
        width = pixels.shape[2]
        return np.ascontiguousarray(both[:, :width]), np.ascontiguousarray(both[:, width:])

    def record(self) -> OcclusionScene:
        """As it crosses to a widget."""
        picture, fill = self.pictures()
        return OcclusionScene(
            wanted=self.wanted,
            caption=self.shown.caption,
            label=self.shown.label,
            picture=encode_picture(picture, "png"),
            fill=encode_picture(fill, "png"),
            classes=self.shares(self.seen.probabilities),
            activity=self.seen.unoccluded.activity,
            map=self.seen.map,
            strongest=self.seen.strongest,
            note=self._note(),
        )

    def _note(self) -> str:
        if self.network.followed or self.occluded.method == "incremental":
            return ""
        return f"The model's graph could not be followed ({self.network.reason}): every patch costs a whole forward pass."


class SceneMaker:
    """Makes scenes, and keeps them by network: the index's coming changes nothing of them, another head does. Thread-safe."""

    def __init__(self, gate: DeviceGate, images: ImageShelf) -> None:
        self._gate = gate
        self._images = images
        self._definite: ByteCache[OcclusionWanted] = ByteCache(_QUESTIONS, lambda wanted: 1)
        self._scenes: ByteCache[Scene] = ByteCache(_CACHE_BYTES, lambda scene: _bytes_of(scene.network))
        # Scenes that differ in their target share what lies behind them.
        self._occluded: WeakValueDictionary[tuple[object, ...], OccludedImage] = WeakValueDictionary()

    def get(self, state: Snapshot, wanted: OcclusionWanted) -> Scene:
        """Raises PictureError for an image that is none, LayerError, OcclusionError for a class or fill that is none."""
        found = self._kept(state, wanted)
        if found is not None:
            return found
        fill_words = _fill_in_words(wanted)
        shown = self._images.get(state, wanted.image)  # decoding needs no device
        fill = fill_of(state.bundle, shown.pixels, fill_words)
        with self._gate.interactive():
            return self._kept(state, wanted) or self._make(state, wanted, shown, fill_words, fill)

    def _kept(self, state: Snapshot, wanted: OcclusionWanted) -> Scene | None:
        try:
            definite = self._definite.get((state.network, wanted))
        except TypeError:  # unhashable, as a browser may send: what is wrong with it is said where it is used
            return None
        return None if definite is None else self._scenes.get((state.network, definite))

    def _make(self, state: Snapshot, wanted: OcclusionWanted, shown: Shown, fill_words: str, fill: Tensor) -> Scene:
        bundle, network = state.bundle, state.network
        for cache in (self._definite, self._scenes):
            cache.keep_only(lambda key: key[0] is network)
        seen = watched(bundle, network, shown.pixels, wanted.layer, wanted.unit, wanted.target)
        definite = OcclusionWanted(wanted.image, seen.layer, seen.unit, seen.target, fill_words)
        key = (network, definite.image, definite.layer, definite.unit, definite.fill)
        occluded = self._occluded.get(key)
        if occluded is None:
            batch = to_model(shown.pixels[None], bundle.model)
            occluded = OccludedImage(network, batch, fill, seen.layer, seen.unit, logits=seen.probabilities is not None)
            self._occluded[key] = occluded
        scene = Scene(bundle, network, shown, definite, seen, fill, occluded)
        self._scenes.limit = max(_CACHE_BYTES, _bytes_of(network))  # one is kept however large it is: a drag asks for it all the time
        self._scenes.put((network, definite), scene)
        for known in (wanted, definite):
            self._definite.put((network, known), definite)
        return scene


def _fill_in_words(wanted: OcclusionWanted) -> str:
    if not isinstance(wanted.fill, str):
        raise OcclusionError(f"A fill is 'gray', 'mean', 'blur' or a colour like '#7f7f7f', not {wanted.fill!r}.")
    return fill_in_words(wanted.fill)


def _bytes_of(network: Network) -> int:
    """About what a scene takes: every map of the image, where they are kept to cut tiles from."""
    maps = [] if network.graph is None else network.graph.map_sizes()
    return 8 * prod(network.input_size) + 4 * sum(maps)
