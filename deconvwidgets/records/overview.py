"""The overview of a model service."""

from __future__ import annotations

from dataclasses import dataclass

from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.layers import LayerSummary
from deconvwidgets.records.repr import compact_repr


@dataclass(frozen=True, slots=True)
class Overview:
    """What a widget needs to know before it asks anything else."""

    version: int  # grows with every change of the service's state; caches are keyed by it
    model: str
    weights: str  # where the weights come from, in words ("ImageNet conv trunk ...", "random, untrained")
    trained: bool
    classifier: str | None  # whose classes the model answers with, in words; None without a classifier
    images: str  # the image set's name
    photographs: int  # source photographs
    views: int  # crops of them that the index looks at
    skipped: tuple[SkippedImage, ...]
    layers: tuple[LayerSummary, ...]
    k: int  # activations kept per unit (9)
    device: str
    index_ready: bool
    notes: tuple[str, ...] = ()  # sentences a view should show (untrained, whole-image fallback, ...)

    __repr__ = compact_repr
