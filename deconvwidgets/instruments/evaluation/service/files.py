"""The results of a run as files."""

from __future__ import annotations

from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.evaluation.figures.files import check_kind, evaluation_file
from deconvwidgets.instruments.evaluation.figures.sheet import EvaluationSheet
from deconvwidgets.instruments.evaluation.records import ClassificationEvaluation, Evaluation, EvaluationFile
from deconvwidgets.instruments.evaluation.service.photographs import cell_photographs
from deconvwidgets.service.thumbnails import Thumbnails


def make_file(kind: EvaluationFile, evaluation: Evaluation, images: ImageSet, thumbnails: Thumbnails) -> bytes:
    """Return the bytes of a file. Raises ServiceError for an unknown kind."""
    check_kind(kind)
    page = kind == "results.html" and isinstance(evaluation, ClassificationEvaluation)
    cells = cell_photographs(evaluation, images, thumbnails) if page and isinstance(evaluation, ClassificationEvaluation) else None
    names = tuple(images.source_name(int(source)) for source in evaluation.sources) if kind == "photographs.csv" else ()
    return evaluation_file(kind, EvaluationSheet(evaluation, names, cells))
