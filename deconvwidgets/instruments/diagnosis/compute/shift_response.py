"""How much a network's activations change when a photograph is shifted by whole pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from deconvwidgets.compute.job import JobContext
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.diagnosis.records import ShiftCurves
from deconvwidgets.models.bundle import ModelBundle


def shift_response(
    bundle: ModelBundle,
    images: ImageSet,
    *,
    shifts: Iterable[int] = range(9),
    direction: str = "right",
    layers: Sequence[str] | None = None,
    photographs: int = 20,
    seed: int = 0,
    device: str = "auto",
    job: JobContext | None = None,
) -> ShiftCurves:
    """Measure how much activations change when photographs are shifted."""
    raise NotImplementedError
