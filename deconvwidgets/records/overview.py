"""The overview of a model service."""

from __future__ import annotations

from dataclasses import dataclass

from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.layers import LayerSummary
from deconvwidgets.records.quantity import Quantity
from deconvwidgets.records.repr import compact_repr
from deconvwidgets.records.units import UnitFactor


@dataclass(frozen=True, slots=True)
class Overview:
    """Model, image set and state of a model service, for the header of a widget."""

    version: int  # increases with every change of the service's state
    model: str
    weights: str  # where the weights come from ("random weights, untrained")
    trained: bool
    classifier: str | None  # describes the classes or values that the model predicts; None if it predicts none
    images: str  # the name of the image set
    photographs: int  # source photographs
    crops: int  # the number of crops
    skipped: tuple[SkippedImage, ...]
    layers: tuple[LayerSummary, ...]  # those that the explorers list
    k: int  # top activations per unit (9)
    device: str
    index_ready: bool
    quantity: Quantity | None = None  # what it predicts; None if it predicts nothing
    notes: tuple[str, ...] = ()  # messages to show (untrained weights, no traced graph, ...)

    opened: tuple[LayerSummary, ...] = ()  # others that were opened
    units: tuple[UnitFactor, ...] = ()  # those that are switched off or scaled, in the order of the layers
    host: str = ""  # the name of the service's machine, if the notebook runs on another one
    images_digest: str = ""  # equal for equal image sets

    __repr__ = compact_repr

    @property
    def label(self) -> str:
        """The name of the model, with "(random weights)" if it is not trained."""
        return self.model if self.trained else f"{self.model} (random weights)"
