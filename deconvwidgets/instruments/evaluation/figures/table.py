"""The results of an evaluation as CSV, one row per photograph or class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from deconvwidgets.figures.csv_table import csv_share, csv_table, csv_text
from deconvwidgets.instruments.evaluation.figures.sheet import EvaluationSheet
from deconvwidgets.instruments.evaluation.records import (
    ClassificationEvaluation,
    MultilabelEvaluation,
    RegressionEvaluation,
)


def photographs_csv(sheet: EvaluationSheet) -> bytes:
    """Return a table of all evaluated photographs.

    Classification: truth, prediction (the model's class), confidence, probability of the true class, rank (from 1), correct (0 or 1).
    Multi-label: a 0 or 1 and a probability for each class. Regression: the true and the predicted value of each output.
    """
    found = sheet.evaluation
    if isinstance(found, ClassificationEvaluation):
        header = ("photograph", "truth", "prediction", "confidence", "true probability", "rank", "correct")
        return csv_table(header, _classification(sheet, found))
    if isinstance(found, MultilabelEvaluation):
        names = [csv_text(f"{name}{suffix}") for name in found.categories for suffix in ("", " probability")]
        rows = zip(sheet.names, found.truths, found.probabilities, strict=True)
        lines = ((csv_text(name), *_pairs(truths.astype(int).tolist(), map(csv_share, shares))) for name, truths, shares in rows)
        return csv_table(("photograph", *names), lines)
    assert isinstance(found, RegressionEvaluation)
    names = [csv_text(f"{name}{suffix}") for name in found.classes for suffix in ("", " predicted")]
    values = zip(sheet.names, found.truths.tolist(), found.predictions.tolist(), strict=True)
    return csv_table(("photograph", *names), ((csv_text(name), *_pairs(truths, predicted)) for name, truths, predicted in values))


def classes_csv(sheet: EvaluationSheet) -> bytes:
    """Return a table of all evaluated classes; of the outputs of a regression."""
    found = sheet.evaluation
    if isinstance(found, RegressionEvaluation):
        errors = zip(found.classes, found.mean_absolute_error, found.root_mean_squared_error, found.r2, strict=True)
        lines = ((csv_text(name), *row) for name, *row in errors)
        return csv_table(("output", "mean absolute error", "root mean squared error", "R2"), lines)
    if isinstance(found, MultilabelEvaluation):
        columns = (found.average_precision, found.precision, found.recall, found.f1)
        header: Sequence[str] = ("class", "photographs", "average precision", "precision", "recall", "F1")
        per_class = zip(found.categories, found.class_tests.tolist(), *columns, strict=True)
        return csv_table(header, ((csv_text(name), tests, *map(csv_share, shares)) for name, tests, *shares in per_class))
    assert isinstance(found, ClassificationEvaluation)
    results = zip(sheet.classes(), found.precision, strict=True)
    rows = (
        (csv_text(one.name), one.tests, csv_share(one.accuracy), csv_share(precision), csv_text(one.mistake), one.times or "")
        for one, precision in results
    )
    return csv_table(("class", "photographs", "accuracy", "precision", "most common mistake", "times"), rows)


def _classification(sheet: EvaluationSheet, found: ClassificationEvaluation) -> Iterator[Sequence[object]]:
    right = found.right
    for row, name in enumerate(sheet.names):
        yield (
            csv_text(name),
            csv_text(found.categories[found.truths[row]]),
            csv_text(found.classes[found.predictions[row]]),
            csv_share(float(found.confidences[row])),
            csv_share(float(found.true_probabilities[row])),
            int(found.ranks[row]) + 1,
            int(right[row]),
        )


def _pairs(first: Iterable[object], second: Iterable[object]) -> Iterator[object]:
    for one, other in zip(first, second, strict=True):
        yield one
        yield other
