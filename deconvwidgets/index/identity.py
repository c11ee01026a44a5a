"""What an index was made of, by digest, so that it is never shown for another model, preprocessing or image set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.records.layers import LayerInfo


@dataclass(frozen=True, slots=True)
class IndexIdentity:
    """The model up to each layer, its transform, the image set, and the settings."""

    model: str  # the name, for people; digests decide
    layers: tuple[tuple[str, str], ...]  # (layer, digest of everything up to it)
    transform: str
    images: str
    image_set: str  # the name, for people
    input_size: tuple[int, int, int]
    k: int
    per_source: int | None

    @classmethod
    def of(cls, bundle: ModelBundle, images: ImageSet, layers: Sequence[LayerInfo], k: int, per_source: int | None) -> IndexIdentity:
        """The identity that an index of these would have."""
        digests = tuple((info.name, bundle.network.digest(info.name)) for info in layers)
        transform = transform_digest(bundle)
        return cls(bundle.name, digests, transform, images.digest, images.name, bundle.input_size, k, per_source)

    def misfit(self, wanted: IndexIdentity) -> str | None:
        """Why an index of this identity cannot stand for one of `wanted`, in words; None where it can (it may hold more layers)."""
        held = dict(self.layers)
        missing = [name for name, _ in wanted.layers if name not in held]
        if missing:
            return f"it lacks the layers {', '.join(missing)}"
        other = [name for name, digest in wanted.layers if held[name] != digest]
        if other:
            return f"it was made of {self.model} with other weights below {other[0]}"
        if self.images != wanted.images:
            return f"it was made of the image set {self.image_set!r} with other contents"
        if (self.transform, self.input_size) != (wanted.transform, wanted.input_size):
            return "its pictures were prepared in another way"
        if (self.k, self.per_source) != (wanted.k, wanted.per_source):
            return f"it keeps k={self.k}, per_source={self.per_source}"
        return None

    def key(self) -> str:
        """A short name for a cache folder: equal identities, equal keys."""
        decisive = (self.layers, self.transform, self.images, self.input_size, self.k, self.per_source)
        return hashlib.sha256(repr(decisive).encode()).hexdigest()[:20]


def transform_digest(bundle: ModelBundle) -> str:
    """A known transform by its settings; an opaque one by what it makes of a test picture."""
    if isinstance(bundle.transform, Preprocess):
        return hashlib.sha256(repr(bundle.transform).encode()).hexdigest()
    ramp = np.arange(96 * 128 * 3, dtype=np.uint32).reshape(96, 128, 3) * 2654435761 >> 24
    pixels = bundle.prepare(Image.fromarray(ramp.astype(np.uint8)))
    return hashlib.sha256(pixels.contiguous().numpy().tobytes()).hexdigest()
