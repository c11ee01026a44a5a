"""The test photographs of a run: which fit."""

from __future__ import annotations

import numpy as np

from deconvwidgets.errors import HeadError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.transfer.records import HeadReport, TestPhotograph, TestPhotographs, TestsRequest

MOST = 1_000  # photographs in one answer


def matching_tests(report: HeadReport, images: ImageSet, wanted: TestsRequest) -> TestPhotographs:
    """The most confident first; where there are no confidences, in the order of the folds. Raises HeadError for a class that is none."""
    for number in (wanted.truth, wanted.prediction):
        if number is not None and not 0 <= number < len(report.categories):
            raise HeadError(f"There is no class {number}: there are {len(report.categories)}, numbered from 0.")
    fits = np.ones(len(report.sources), bool)
    if wanted.truth is not None:
        fits &= report.truths == wanted.truth
    if wanted.prediction is not None:
        fits &= report.predictions == wanted.prediction
    if wanted.right is not None:
        fits &= (report.truths == report.predictions) == wanted.right
    found = np.flatnonzero(fits)
    order = found[np.argsort(-report.confidences[found], kind="stable")]
    chosen = order[: min(max(wanted.limit, 0), MOST)]
    return TestPhotographs(tuple(photograph_at(report, images, int(place)) for place in chosen), len(found))


def photograph_at(report: HeadReport, images: ImageSet, place: int) -> TestPhotograph:
    """The test at `place` of the report's arrays."""
    confidence, source = float(report.confidences[place]), int(report.sources[place])
    return TestPhotograph(
        source=source,
        name=images.source_name(source),
        fold=int(report.folds[place]),
        truth=int(report.truths[place]),
        prediction=int(report.predictions[place]),
        confidence=confidence if np.isfinite(confidence) else None,
    )
