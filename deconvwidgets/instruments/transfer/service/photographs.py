"""The test photographs of a run, filtered by class and prediction."""

from __future__ import annotations

import numpy as np

from deconvwidgets.arguments import flag, integer
from deconvwidgets.errors import HeadError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.transfer.records import HeadReport, TestPhotograph, TestPhotographs, TestsRequest

MAX_PHOTOGRAPHS = 1_000  # in one reply


def matching_tests(report: HeadReport, images: ImageSet, request: TestsRequest) -> TestPhotographs:
    """Return the matching photographs, the most confident first; without confidences, in the order of the folds.

    Raises HeadError for an unknown class.
    """
    for number in (request.truth, request.prediction):
        if number is not None and not 0 <= integer(number, "a class", error=HeadError) < len(report.categories):
            raise HeadError(f"There is no class {number}: there are {len(report.categories)}, numbered from 0.")
    limit = integer(request.limit, "limit", error=HeadError)
    if request.right is not None:
        flag(request.right, "right, unless it is None,", HeadError)
    matches = np.ones(len(report.sources), bool)
    if request.truth is not None:
        matches &= report.truths == request.truth
    if request.prediction is not None:
        matches &= report.predictions == request.prediction
    if request.right is not None:
        matches &= (report.truths == report.predictions) == request.right
    found = np.flatnonzero(matches)
    order = found[np.argsort(-report.confidences[found], kind="stable")]
    chosen = order[: min(max(limit, 0), MAX_PHOTOGRAPHS)]
    return TestPhotographs(tuple(photograph_in_row(report, images, int(row)) for row in chosen), len(found))


def photograph_in_row(report: HeadReport, images: ImageSet, row: int) -> TestPhotograph:
    """Return the test in one row of the report's arrays."""
    confidence, source = float(report.confidences[row]), int(report.sources[row])
    return TestPhotograph(
        source=source,
        name=images.source_name(source),
        fold=int(report.folds[row]),
        truth=int(report.truths[row]),
        prediction=int(report.predictions[row]),
        confidence=confidence if np.isfinite(confidence) else None,
    )
