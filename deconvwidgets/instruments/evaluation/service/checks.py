"""Checks of a run's settings, and what an image set has for a model before it is evaluated."""

from __future__ import annotations

from collections.abc import Mapping

from deconvwidgets.arguments import describe, flag, instance, integer, number
from deconvwidgets.errors import EvaluationError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.evaluation.compute.resolve import classes_of, find_matches, require_quantity, resolve_labels, task_of
from deconvwidgets.instruments.evaluation.records import ClassMatch
from deconvwidgets.instruments.evaluation.settings import EvaluationDataSummary, EvaluationSettings
from deconvwidgets.models.bundle import ModelBundle


def check_settings(settings: object) -> EvaluationSettings:
    """Return the settings of a run. Raises EvaluationError for values that no run can have."""
    checked = instance(settings, EvaluationSettings, "settings", EvaluationError)
    if checked.limit is not None:
        integer(checked.limit, "limit", 1, error=EvaluationError)
    threshold = number(checked.threshold, "threshold", "a probability from 0 to 1", 0, EvaluationError)
    if threshold > 1:
        raise EvaluationError(f"threshold must be a probability from 0 to 1, not {threshold:g}.")
    flag(checked.automatic, "automatic", EvaluationError)
    if not isinstance(checked.mapping, Mapping):
        raise EvaluationError(f"mapping must be a table of names of classes, not {describe(checked.mapping)}.")
    return checked


def data_summary(settings: EvaluationSettings, bundle: ModelBundle, images: ImageSet) -> EvaluationDataSummary:
    """Return the classes of an image set, how they match the model's, and why no evaluation is possible, if so."""
    task, problem = None, None
    classes, notes = tuple[str, ...](), tuple[str, ...]()
    matches: tuple[ClassMatch, ...] = ()
    labelled = matched = 0
    try:
        task = task_of(require_quantity(bundle))
        classes = classes_of(bundle)
        labels = resolve_labels(bundle, images, classes, None, settings.mapping or None)
        matches, notes, matched = labels.matches, labels.notes, len(labels.sources)
        labelled = images.source_count - labels.unlabelled
    except EvaluationError as error:
        problem = str(error)
        if task is not None and task != "regression":
            matches = find_matches(bundle, images, classes, settings.mapping or None)
            labelled = sum(match.photographs for match in matches)
            matched = sum(match.photographs for match in matches if match.classes)
    return EvaluationDataSummary(
        images.name, images.source_count, labelled, matched, task, classes, matches, problem, notes, images.skipped
    )  # fmt: skip
