"""Whether photographs are fed to a network as in training."""

from __future__ import annotations

from collections.abc import Sequence

from deconvwidgets.compute.job import JobContext
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.diagnosis.input_records import InputCheck
from deconvwidgets.models.bundle import ModelBundle


def check_input(
    bundle: ModelBundle,
    images: ImageSet,
    *,
    labels: Sequence[int] | str | None = None,
    photographs: int = 100,
    device: str = "auto",
    job: JobContext | None = None,
) -> InputCheck:
    """Check whether photographs are fed to a network as in training."""
    raise NotImplementedError
