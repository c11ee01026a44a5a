"""`diagnose`: all checks of a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from deconvwidgets.compute.job import JobContext
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.diagnosis.records import Diagnosis
from deconvwidgets.models.bundle import ModelBundle


def diagnose(
    bundle: ModelBundle,
    images: ImageSet,
    *,
    layers: Sequence[str] | None = None,
    shift_photographs: int = 20,
    shifts: Iterable[int] = (1, 2, 4),
    device: str = "auto",
    progress: bool = False,
    job: JobContext | None = None,
) -> Diagnosis:
    """Check what looks wrong with a network."""
    raise NotImplementedError
