"""The overview of a model service."""

from __future__ import annotations

from dataclasses import dataclass

from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.layers import LayerSummary
from deconvwidgets.records.repr import compact_repr


@dataclass(frozen=True, slots=True)
class Overview:
    """Model, image set and state of a model service, for the header of a widget."""

    version: int  # increases with every change of the service's state
    model: str
    weights: str  # where the weights come from ("random weights, untrained")
    trained: bool
    classifier: str | None  # describes the classes that the model predicts; None without a classifier
    images: str  # the name of the image set
    photographs: int  # source photographs
    crops: int  # the number of crops
    skipped: tuple[SkippedImage, ...]
    layers: tuple[LayerSummary, ...]
    k: int  # top activations per unit (9)
    device: str
    index_ready: bool
    notes: tuple[str, ...] = ()  # messages to show (untrained weights, no traced graph, ...)

    __repr__ = compact_repr
