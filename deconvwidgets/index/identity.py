"""The digests of everything that an index was built from: an index is used only with the same model, transform and image set."""

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

    model: str  # its name, for messages; the digests decide
    layers: tuple[tuple[str, str], ...]  # (dotted name, digest of everything up to the layer)
    transform: str
    images: str
    image_set: str  # its name, for messages
    input_size: tuple[int, int, int]
    k: int
    per_source: int | None

    @classmethod
    def of(cls, bundle: ModelBundle, images: ImageSet, layers: Sequence[LayerInfo], k: int, per_source: int | None) -> IndexIdentity:
        """Return the identity of an index of `layers`, built from a model and an image set with these settings."""
        digests = tuple((info.name, bundle.network.digest(info.name)) for info in layers)
        transform = transform_digest(bundle)
        return cls(bundle.name, digests, transform, images.digest, images.name, bundle.input_size, k, per_source)

    def mismatch(self, requested: IndexIdentity) -> str | None:
        """Return why an index of this identity cannot be used in place of the requested one; None if it can.

        The index may have more layers than requested.
        """
        digests = dict(self.layers)
        missing = [name for name, _ in requested.layers if name not in digests]
        if missing:
            return f"it lacks the layers {', '.join(missing)}"
        changed = [name for name, digest in requested.layers if digests[name] != digest]
        if changed:
            return f"it was built from {self.model} with other weights below {changed[0]}"
        if self.images != requested.images:
            return f"it was built from the image set {self.image_set!r} with other contents"
        if (self.transform, self.input_size) != (requested.transform, requested.input_size):
            return "its images were preprocessed differently"
        if (self.k, self.per_source) != (requested.k, requested.per_source):
            return f"it has k={self.k}, per_source={self.per_source}"
        return None

    def key(self) -> str:
        """Return the name of the index's cache folder, which is the same for equal identities."""
        decisive = (self.layers, self.transform, self.images, self.input_size, self.k, self.per_source)
        return hashlib.sha256(repr(decisive).encode()).hexdigest()[:20]


def transform_digest(bundle: ModelBundle) -> str:
    """Return the digest of a bundle's transform: of its settings if they are known, else of its output for a test image."""
    if isinstance(bundle.transform, Preprocess):
        return hashlib.sha256(repr(bundle.transform).encode()).hexdigest()
    noise = np.arange(96 * 128 * 3, dtype=np.uint32).reshape(96, 128, 3) * 2654435761 >> 24
    pixels = bundle.prepare(Image.fromarray(noise.astype(np.uint8)))
    return hashlib.sha256(pixels.contiguous().numpy().tobytes()).hexdigest()
