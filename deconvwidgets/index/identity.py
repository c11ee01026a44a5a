"""The digests of everything that an index was built from: an index is used only with the same model, transform and image set."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from PIL import Image

from deconvwidgets.images.image_set import ImageSet, digest_of
from deconvwidgets.index.memory_format import resolved_memory_format
from deconvwidgets.index.options import IndexOptions
from deconvwidgets.index.plain_values import listed, text, whole
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.records.layers import LayerInfo


@dataclass(frozen=True, slots=True)
class IndexIdentity:
    """The model up to each layer, its transform, the image set, and the options that decide what an index contains.

    Of the memory format it has what the rule for "auto" chose, because the last bits of activations may depend on it. "auto" as the
    request's memory format stands for any.
    """

    model: str  # its name, for messages; the digests decide
    layers: tuple[tuple[str, str], ...]  # (dotted name, digest of everything up to the layer)
    transform: str
    images: str
    image_set: str  # its name, for messages
    classes: str  # digest of their names: labels are numbers in their list, which the digest of the images need not cover
    input_size: tuple[int, int, int]
    options: IndexOptions  # only those that decide

    @classmethod
    def of(cls, bundle: ModelBundle, images: ImageSet, layers: Sequence[LayerInfo], options: IndexOptions | None = None) -> IndexIdentity:
        """Return the identity of an index of `layers`, built from a model on its device and an image set with these options."""
        digests = tuple((info.name, bundle.network.digest(info.name)) for info in layers)
        chosen = IndexOptions.of(options).only_decisive()
        chosen = replace(chosen, memory_format=resolved_memory_format(chosen, bundle.network))
        classes = digest_of(images.categories or ())
        return cls(bundle.label, digests, transform_digest(bundle), images.digest, images.name, classes, bundle.input_size, chosen)

    @property
    def k(self) -> int:
        """The number of activations kept per unit."""
        return self.options.k

    @property
    def per_source(self) -> int | None:
        """The number of activations kept per unit and photograph; None for no limit."""
        return self.options.per_source

    @property
    def in_any_format(self) -> IndexIdentity:
        """The same identity as a request for an index in any memory format."""
        return replace(self, options=replace(self.options, memory_format="auto"))

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
        if self.classes != requested.classes:
            return f"it was built from the image set {self.image_set!r} with other classes"
        if (self.transform, self.input_size) != (requested.transform, requested.input_size):
            return "its images were preprocessed differently"
        wanted = requested.options.decisive()
        other = [name for name, value in self.options.decisive().items() if value != wanted[name] and (name, wanted[name]) != _ANY_FORMAT]
        if other:
            return f"it has {', '.join(f'{name}={getattr(self.options, name)}' for name in other)}"
        return None

    def key(self) -> str:
        """Return the name of the index's cache file, which is the same for equal identities."""
        decisive = (self.layers, self.transform, self.images, self.classes, self.input_size, sorted(self.options.decisive().items()))
        return hashlib.sha256(repr(decisive).encode()).hexdigest()[:20]

    def manifest(self) -> dict[str, Any]:
        """Return the identity as plain values."""
        return {
            "model": self.model,
            "layers": [list(pair) for pair in self.layers],
            "transform": self.transform,
            "images": self.images,
            "image_set": self.image_set,
            "classes": self.classes,
            "input_size": list(self.input_size),
            "options": self.options.decisive(),
        }

    @classmethod
    def from_manifest(cls, entry: Mapping[str, Any]) -> Self:
        """Return the identity from its plain values. Raises KeyError, TypeError, ValueError or ActivationIndexError for others."""
        channels, height, width = (whole(size, 1) for size in listed(entry["input_size"]))
        texts = {name: text(entry[name]) for name in ("model", "transform", "images", "image_set", "classes")}
        layers = tuple((text(name), text(digest)) for name, digest in listed(entry["layers"]))
        return cls(**texts, layers=layers, input_size=(channels, height, width), options=IndexOptions.of(**entry["options"]))


_ANY_FORMAT = ("memory_format", "auto")


def transform_digest(bundle: ModelBundle) -> str:
    """Return the digest of a bundle's transform: of its settings if they are known, else of its output for a test image."""
    if isinstance(bundle.transform, Preprocess):
        return hashlib.sha256(repr(bundle.transform).encode()).hexdigest()
    noise = np.arange(96 * 128 * 3, dtype=np.uint32).reshape(96, 128, 3) * 2654435761 >> 24
    pixels = bundle.prepare(Image.fromarray(noise.astype(np.uint8)))
    return hashlib.sha256(pixels.contiguous().numpy().tobytes()).hexdigest()
