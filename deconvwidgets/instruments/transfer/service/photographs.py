"""The test photographs of a run, filtered by class and prediction."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np

from deconvwidgets.arguments import flag, integer
from deconvwidgets.errors import HeadError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.transfer.records import CellPhotographs, HeadReport, TestPhotograph, TestPhotographs, TestsRequest
from deconvwidgets.service.thumbnails import Thumbnails

MAX_PHOTOGRAPHS = 1_000  # in one reply
_PER_MISTAKE, _PER_CLASS = 6, 4  # photographs of a cell of mistakes, and of one of correct predictions
_MAX_THUMBNAILS = 2_000  # of all cells
_THUMBNAIL = 80  # pixels


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


def cell_photographs(report: HeadReport, images: ImageSet, thumbnails: Thumbnails) -> CellPhotographs:
    """Return photographs of every cell of the confusion matrix that has tests: at most six of a mistake, and four of a class.

    If these are too many, each cell has the same number of them, mistakes before correct predictions. A photograph that was tested in
    several folds with the same prediction is listed once.
    """
    by_cell: dict[tuple[int, int], dict[int, TestPhotograph]] = {}
    for row in np.argsort(-report.confidences, kind="stable").tolist():
        photograph = photograph_in_row(report, images, row)
        cell = by_cell.setdefault((photograph.truth, photograph.prediction), {})
        if len(cell) < (_PER_CLASS if photograph.truth == photograph.prediction else _PER_MISTAKE):
            cell.setdefault(photograph.source, photograph)
    mistakes = [list(cell.values()) for (truth, prediction), cell in by_cell.items() if truth != prediction]
    correct = [list(cell.values()) for (truth, prediction), cell in by_cell.items() if truth == prediction]
    ranked = [photograph for cells in (mistakes, correct) for rank in zip_longest(*cells) for photograph in rank if photograph]
    chosen = list(dict.fromkeys(photograph.source for photograph in ranked))[:_MAX_THUMBNAILS]
    kept = set(chosen)
    cells = {key: tuple(one for one in cell.values() if one.source in kept) for key, cell in by_cell.items()}
    half = _MAX_THUMBNAILS // 2  # as many as the thumbnails' service returns at once
    encoded = [image for start in (0, half) for image in thumbnails.get(images, chosen[start : start + half], _THUMBNAIL)]
    return CellPhotographs(cells, dict(zip(chosen, encoded, strict=True)))
