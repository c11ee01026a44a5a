"""Records of evaluations: frozen, of NumPy arrays and plain Python values only.

Words: the *classes of the image set* are the folders or label names; the *model's classes* are `bundle.categories`; the *evaluated classes*
are the rows of the confusion matrix: each is a class of the image set (or several that mean the same) with the model's classes that are
right for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.calibration import Calibration
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.repr import compact_repr

EvaluationTask = Literal["classification", "multilabel", "regression"]
MatchKind = Literal["exact", "case", "synset", "table", "number", "none"]
Phase = Literal["waiting", "running", "done", "stopped", "failed"]
EvaluationFile = Literal["photographs.csv", "classes.csv", "results.png", "results.svg", "results.pdf", "results.html"]


@dataclass(frozen=True, slots=True)
class ClassMatch:
    """How a class of the image set is matched with the model's classes."""

    name: str  # of the class of the image set
    photographs: int  # with this label; 0 for an empty class
    classes: tuple[int, ...]  # numbers of the model's classes that are right for it, ascending; empty: no match
    # "exact" name, name in other "case", punctuation or number (plural), "synset" ID, the caller's "table", the same "number" because the
    # image set has no names, or "none"
    how: MatchKind
    candidates: tuple[int, ...] = ()  # the closest of the model's classes, best first, if there is no match
    problem: str = ""  # why there is no match, if it is not just that no name is alike: it is ambiguous


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The results of `evaluate`: what every task has. Its subclasses have the scores of each task.

    Attributes
    ----------
    model, weights : str
        The name of the model and its weights.
    classifier : str
        What it predicts, in words; other heads and switched-off units are named.
    dataset : str
        The name of the image set.
    classes : tuple of str
        The model's classes (or the names of its outputs), (K,).
    matches : tuple of ClassMatch
        For every class of the image set, in its order; () for a regression.
    sources : ndarray (photographs,) int64
        The numbers of the evaluated photographs in the image set, ascending. The other arrays of photographs are in this order.
    outputs : ndarray (photographs, K) float32
        What the model returned (logits, if a softmax or sigmoid is applied to it). One column for "binary". Partial results have (0, K).
    total : int
        Number of photographs in the image set.
    unlabelled, unmatched : int
        Photographs that are left out, because they have no label, or because their label matches no class of the model.
    skipped : tuple of SkippedImage
        Photographs that could not be read.
    notes : tuple of str
        Sentences about what was left out, merged or empty.
    complete : bool
        False: cancelled, or not yet at the end.
    seconds : float
        Duration.
    digests : tuple of (str, str)
        (name, digest) of the model up to its output, the photographs and the transform.
    """

    model: str
    weights: str
    classifier: str
    dataset: str
    classes: tuple[str, ...]
    matches: tuple[ClassMatch, ...]
    sources: NDArray[np.int64]
    outputs: NDArray[np.float32]
    total: int
    unlabelled: int
    unmatched: int
    skipped: tuple[SkippedImage, ...]
    notes: tuple[str, ...]
    complete: bool
    seconds: float
    digests: tuple[tuple[str, str], ...]

    __repr__ = compact_repr

    @property
    def task(self) -> EvaluationTask:
        """ "classification", "multilabel" or "regression"."""
        raise NotImplementedError

    @property
    def photographs(self) -> int:
        """Number of evaluated photographs."""
        return len(self.sources)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ClassificationEvaluation(Evaluation):
    """The results of a model whose classes exclude each other.

    Where several of the model's classes are right for an evaluated class, its probability is their sum, and a prediction is right if the
    most probable of the model's classes is one of them. R is the number of evaluated classes, n of photographs.

    Attributes
    ----------
    categories : tuple of str
        The names of the evaluated classes, (R,): those of the image set that are matched. Names that mean the same of the model's
        classes are joined: "siamese, tabby".
    category_classes : tuple of tuple of int
        The model's classes of each evaluated class.
    truths : ndarray (n,) int64
        The evaluated class of each photograph.
    predictions : ndarray (n,) int64
        The most probable of the model's classes, an index into `classes`.
    predicted : ndarray (n,) int64
        The evaluated class that the prediction belongs to, from 0 to R; R is any other class of the model.
    confidences : ndarray (n,) float32
        The probability of the prediction; summed over the model's classes of the evaluated class that it belongs to.
    true_probabilities : ndarray (n,) float32
        The probability of the true class.
    losses : ndarray (n,) float32
        -log(probability of the true class), in nats.
    ranks : ndarray (n,) int64
        How many of the model's classes are more probable than the best right one: 0 is right, below 5 is right among the top 5.
    accuracy : float
        Share of photographs that are predicted correctly (top-1); NaN for none.
    top5 : float or None
        Share whose true class is among the five most probable; None for a model with at most five classes.
    class_accuracy : float
        Accuracy averaged over classes that have photographs.
    recall, precision : ndarray (R,) float64
        Of each evaluated class: the share of its photographs that are predicted correctly ("accuracy per class"), and the share of its
        predictions that are right. NaN without photographs, and without predictions.
    class_tests : ndarray (R,) int64
        Number of photographs of each evaluated class.
    confusion : ndarray (R, R + 1) int64
        Rows are true classes, columns predictions; the last column counts predictions of any other class of the model.
    reliability : Calibration
        Accuracy by confidence; `reliability.error` is the expected calibration error.
    log_loss : float
        Negative log-likelihood: mean of `losses`.
    brier : float
        Brier score: mean over photographs of the summed squared differences of the probabilities to 0 and 1; from 0 to 2.
    """

    categories: tuple[str, ...]
    category_classes: tuple[tuple[int, ...], ...]
    truths: NDArray[np.int64]
    predictions: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidences: NDArray[np.float32]
    true_probabilities: NDArray[np.float32]
    losses: NDArray[np.float32]
    ranks: NDArray[np.int64]
    accuracy: float
    top5: float | None
    class_accuracy: float
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    class_tests: NDArray[np.int64]
    confusion: NDArray[np.int64]
    reliability: Calibration
    log_loss: float
    brier: float

    @property
    def task(self) -> EvaluationTask:
        """ "classification"."""
        return "classification"

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each photograph is predicted correctly, (n,)."""
        right: NDArray[np.bool_] = self.predicted == self.truths
        return right

    def mistakes(self, limit: int = 24) -> NDArray[np.int64]:
        """Return the rows of the most confident mistakes, indices into the arrays of photographs: the highest confidence first."""
        wrong = np.flatnonzero(~self.right)
        rows: NDArray[np.int64] = wrong[np.argsort(-self.confidences[wrong], kind="stable")][: max(limit, 0)]
        return rows

    def __repr__(self) -> str:
        top5 = "" if self.top5 is None else f", top-5 {100 * self.top5:.1f}%"
        stopped = "" if self.complete else "; not complete"
        scores = f"top-1 {100 * self.accuracy:.1f}%{top5}, ECE {100 * self.reliability.error:.1f}%"
        return f"Evaluation({self.model} on {self.photographs:,} photographs of {self.dataset}: {scores}{stopped})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MultilabelEvaluation(Evaluation):
    """The results of a model whose classes do not exclude each other. R is the number of evaluated classes, n of photographs.

    Labels that match no class of the model are ignored.

    Attributes
    ----------
    categories : tuple of str
        The names of the evaluated classes, (R,).
    category_classes : tuple of tuple of int
        The one of the model's classes of each evaluated class, (R, 1).
    truths : ndarray (n, R) bool
        The labels of each photograph.
    probabilities : ndarray (n, R) float32
        The probability of each evaluated class.
    threshold : float
        The probability from which a class counts as predicted.
    class_tests : ndarray (R,) int64
        Number of photographs with each label.
    average_precision : ndarray (R,) float64
        Of each class: the mean of the precision at every photograph that has the label, by falling probability (as scikit-learn's
        `average_precision_score`); NaN without photographs.
    mean_average_precision : float
        Mean over classes that have photographs.
    recall, precision, f1 : ndarray (R,) float64
        At the threshold; NaN where they are undefined.
    micro_precision, micro_recall, micro_f1 : float
        At the threshold, over all classes together.
    """

    categories: tuple[str, ...]
    category_classes: tuple[tuple[int, ...], ...]
    truths: NDArray[np.bool_]
    probabilities: NDArray[np.float32]
    threshold: float
    class_tests: NDArray[np.int64]
    average_precision: NDArray[np.float64]
    mean_average_precision: float
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    f1: NDArray[np.float64]
    micro_precision: float
    micro_recall: float
    micro_f1: float

    @property
    def task(self) -> EvaluationTask:
        """ "multilabel"."""
        return "multilabel"

    def __repr__(self) -> str:
        stopped = "" if self.complete else "; not complete"
        scores = f"mean average precision {100 * self.mean_average_precision:.1f}%"
        return f"Evaluation({self.model} on {self.photographs:,} photographs of {self.dataset}: {scores}{stopped})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RegressionEvaluation(Evaluation):
    """The results of a model that predicts values. K is the number of outputs, n of photographs.

    Attributes
    ----------
    unit : str
        The unit of the values ("m"); "" if they have none.
    truths, predictions : ndarray (n, K) float64
        The true and the predicted values.
    mean_absolute_error, root_mean_squared_error : ndarray (K,) float64
        Of each output, in its unit.
    r2 : ndarray (K,) float64
        Coefficient of determination of each output: 1 - (squared errors) / (squared differences to the mean). NaN for constant values.
    """

    unit: str
    truths: NDArray[np.float64]
    predictions: NDArray[np.float64]
    mean_absolute_error: NDArray[np.float64]
    root_mean_squared_error: NDArray[np.float64]
    r2: NDArray[np.float64]

    @property
    def task(self) -> EvaluationTask:
        """ "regression"."""
        return "regression"

    def __repr__(self) -> str:
        stopped = "" if self.complete else "; not complete"
        errors = ", ".join(f"{name} {error:.4g}" for name, error in zip(self.classes, self.mean_absolute_error, strict=True))
        return f"Evaluation({self.model} on {self.photographs:,} photographs of {self.dataset}: mean absolute error {errors}{stopped})"
