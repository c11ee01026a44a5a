"""The content of the figures of an evaluation: its results, and the text that describes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.figures.class_results import ClassResult, class_results
from deconvwidgets.instruments.evaluation.records import (
    ClassificationEvaluation,
    Evaluation,
    MultilabelEvaluation,
    RegressionEvaluation,
)
from deconvwidgets.instruments.evaluation.settings import EvaluationCells
from deconvwidgets.records.quantity import format_value

OTHER = "another class"  # the last column of a confusion matrix


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationSheet:
    """The content of the figures of an evaluation. `names` are those of the photographs, in the order of the arrays."""

    evaluation: Evaluation
    names: tuple[str, ...] = ()
    cells: EvaluationCells | None = None  # for a page

    def title(self) -> str:
        """Return the model and the image set."""
        return f"{self.evaluation.model} · {self.evaluation.dataset}"

    def subtitle(self) -> str:
        """Return what the model predicts."""
        return self.evaluation.classifier

    def headline(self) -> str:
        """Return the main score: "85.3%", or the mean absolute error of the first output."""
        found = self.evaluation
        if isinstance(found, ClassificationEvaluation):
            return percent(found.accuracy)
        if isinstance(found, MultilabelEvaluation):
            return percent(found.mean_average_precision)
        assert isinstance(found, RegressionEvaluation)
        return f"{format_value(float(found.mean_absolute_error[0]))} {found.unit}".rstrip()

    def progress(self) -> str:
        """Return what the headline is, and of how many photographs."""
        found = self.evaluation
        what = {"classification": "top-1 accuracy", "multilabel": "mean average precision"}.get(found.task, "mean absolute error")
        stopped = "" if found.complete else " so far"
        return f"{what}, {found.photographs:,} of {found.total:,} photographs{stopped}"

    def scores(self) -> list[tuple[str, float, str]]:
        """Return shares as (name, percent, text); none for a regression."""
        found = self.evaluation
        shares: list[tuple[str, float | None]] = []
        if isinstance(found, ClassificationEvaluation):
            shares = [("top-1", found.accuracy), ("top-5", found.top5), ("mean over classes", found.class_accuracy)]
        elif isinstance(found, MultilabelEvaluation):
            at = f"at {found.threshold:g}, all classes"
            shares = [("mean average precision", found.mean_average_precision), (f"precision {at}", found.micro_precision)]
            shares += [(f"recall {at}", found.micro_recall), (f"F1 {at}", found.micro_f1)]
        return [(name, 100 * share, percent(share)) for name, share in shares if share is not None and not np.isnan(share)]

    def calibration(self) -> str:
        """Return the calibration of a classifier as a sentence; "" for other tasks."""
        found = self.evaluation
        if not isinstance(found, ClassificationEvaluation):
            return ""
        return f"{found.reliability.describe()}, log loss {found.log_loss:.3f}, Brier score {found.brier:.3f}"

    def classes(self) -> list[ClassResult]:
        """Return the results of all evaluated classes; average precisions for a multi-label model."""
        found = self.evaluation
        if isinstance(found, ClassificationEvaluation):
            return class_results(found.categories, found.class_tests, found.recall, found.confusion, OTHER)
        if isinstance(found, MultilabelEvaluation):
            rows = zip(found.categories, found.class_tests, found.average_precision, strict=True)
            return [ClassResult(name, int(tests), float(share)) for name, tests, share in rows]
        return []

    def caption(self) -> str:
        """Return what was evaluated, how, and what was left out."""
        found = self.evaluation
        sentences = ("One crop per photograph, as the model's transform makes it.", *found.notes, f"Weights: {found.weights.rstrip('.')}.")
        return " ".join(sentences)


def percent(share: float) -> str:
    """Return a share as a percentage with one decimal; "–" for an undefined one."""
    return "–" if np.isnan(share) else f"{100 * share:.1f}%"


def square_confusion(evaluation: ClassificationEvaluation) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names and the confusion matrix (R + 1, R + 1) with a row for the last column; without both if the column is empty."""
    confusion = evaluation.confusion
    if not confusion[:, -1].any():
        return list(evaluation.categories), np.ascontiguousarray(confusion[:, :-1])
    return [*evaluation.categories, OTHER], np.vstack([confusion, np.zeros((1, confusion.shape[1]), np.int64)])
