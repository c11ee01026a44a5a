"""`compare` and `compare_indexes` compare two models unit by unit, over the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deconvwidgets.compute.job import JobContext
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.comparison.records import Comparison, Thresholds
from deconvwidgets.models.bundle import ModelBundle

Layers = str | Sequence[str] | Mapping[str, str] | None


def compare(
    bundle_a: ModelBundle,
    bundle_b: ModelBundle,
    images: ImageSet,
    layers: Layers = None,
    *,
    samples: int = 2048,
    thresholds: Thresholds | None = None,
    device: str = "auto",
    progress: bool = True,
    job: JobContext | None = None,
) -> Comparison:
    """Compare two models unit by unit, over the same images."""
    raise NotImplementedError


def compare_indexes(
    index_a: ActivationIndex, index_b: ActivationIndex, layers: Layers = None, *, thresholds: Thresholds | None = None
) -> Comparison:
    """Compare two models by their activation indexes of the same image set, without running them."""
    raise NotImplementedError
