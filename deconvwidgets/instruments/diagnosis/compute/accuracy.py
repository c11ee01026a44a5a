"""The accuracy of an arm: on at most 200 labelled photographs, the same ones for every arm."""

from __future__ import annotations

import numpy as np

from deconvwidgets.compute.devices import device_name
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import EvaluationError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.diagnosis.panel_records import ArmAccuracy
from deconvwidgets.instruments.evaluation.compute.evaluate import evaluate
from deconvwidgets.instruments.evaluation.records import ClassificationEvaluation
from deconvwidgets.models.bundle import ModelBundle

_PHOTOGRAPHS = 200


def arm_accuracy(bundle: ModelBundle, images: ImageSet, job: JobContext) -> ArmAccuracy | str:
    """Return the accuracy of a network, or why there is none.

    Parameters
    ----------
    bundle : ModelBundle
    images : ImageSet
        At most 200 of its labelled photographs are used, evenly spaced.
    job : JobContext
    """
    labelled = [source for source in range(images.source_count) if images.label(source) is not None]
    if not labelled:
        return f"The photographs of {images.name} have no labels."
    chosen = np.linspace(0, len(labelled) - 1, min(_PHOTOGRAPHS, len(labelled))).round().astype(int)
    sample = images.subset([labelled[number] for number in chosen])
    try:
        found = evaluate(bundle, sample, store="memory", device=device_name(bundle), progress=False, job=job)
    except EvaluationError as error:
        return str(error)
    if not isinstance(found, ClassificationEvaluation):
        return f"{bundle.name} does not predict one class per photograph."
    return ArmAccuracy(found.accuracy, found.photographs)
