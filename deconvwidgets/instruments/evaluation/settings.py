"""Records of the evaluations of a service: settings, runs, and photographs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deconvwidgets.instruments.evaluation.comparison import EvaluationComparison
from deconvwidgets.instruments.evaluation.records import ClassMatch, Evaluation, EvaluationTask, Phase
from deconvwidgets.records.images import EncodedImage, SkippedImage
from deconvwidgets.records.progress import Progress
from deconvwidgets.records.repr import compact_repr

OWN = "images"  # `EvaluationSettings.data` for the photographs of the service


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """The settings of a run."""

    # "images" (of the service), "caltech101", "caltech256", "photo-crops", a folder of class folders, its zip, or a name of `add_images`
    data: str = OWN
    root: str | None = None  # the folder of the Caltech datasets; None: the environment variable DECONVWIDGETS_DATA
    limit: int | None = None  # at most so many photographs, evenly spaced; None: all
    mapping: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # class of the image set -> names of the model's classes
    threshold: float = 0.5  # of a multi-label model: the probability from which a class counts as predicted
    automatic: bool = True  # evaluate again when the model changes (a head, switched-off units)


@dataclass(frozen=True, slots=True)
class EvaluationDataChoice:
    """An image set that can be selected."""

    data: str  # as in `EvaluationSettings.data`
    description: str
    hint: str = ""  # what is missing, if it is not available


@dataclass(frozen=True, slots=True)
class EvaluationDataSummary:
    """The classes of an image set before a run, and how they match the model's."""

    name: str
    photographs: int
    labelled: int  # with a label
    matched: int  # whose label matches a class of the model
    task: EvaluationTask | None  # None: the model predicts nothing
    classes: tuple[str, ...]  # the model's
    matches: tuple[ClassMatch, ...]  # of every class of the image set, in its order; () for a regression
    problem: str | None  # why no evaluation is possible
    notes: tuple[str, ...]  # what is left out, or empty
    skipped: tuple[SkippedImage, ...]


@dataclass(frozen=True, slots=True)
class EvaluationRunSummary:
    """The state of a run."""

    run: int
    phase: Phase
    dataset: str
    model: str
    classifier: str  # what was evaluated, in words: "torchvision's 1,000 classes, 3 units off"
    task: EvaluationTask
    photographs: int  # evaluated so far
    total: int  # to evaluate
    score: float | None  # accuracy, mean average precision, or mean absolute error (of the first output), so far
    score_name: str  # "accuracy", "mean average precision" or "mean absolute error"
    seconds: float
    from_cache: bool  # the outputs of most photographs were known, or only the layers above a change were run
    progress: Progress | None  # None if the run is not active
    problem: str | None  # the error that the run failed with
    current: bool  # whether the service's model is still the evaluated one


@dataclass(frozen=True, slots=True)
class EvaluationStatus:
    """The state of an evaluation service."""

    choices: tuple[EvaluationDataChoice, ...]
    task: EvaluationTask | None  # of the service's model; None: it predicts nothing, and `problem` says what to do
    problem: str | None
    running: int | None  # the run that is active or waiting
    runs: tuple[EvaluationRunSummary, ...]  # the oldest first
    before: int | None  # the complete run to compare the newest one with: the one before, on the same photographs
    after: int | None  # the newest run that has results, if `before` is set


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationResults:
    """The results of a run so far."""

    summary: EvaluationRunSummary
    evaluation: Evaluation

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True)
class PhotographsRequest:
    """A request for evaluated photographs. None means any.

    Classification: `truth` and `prediction` are a row and a column of the confusion matrix (`len(categories)`: any other class), the most
    confident first. Multi-label: `truth` is a label, `prediction` a class whose probability reaches the threshold, `right` whether both
    agree for that class; by falling probability of the class, or rising for missed labels. Regression: `truth` is an output, the
    largest errors first.
    """

    truth: int | None = None
    prediction: int | None = None
    right: bool | None = None
    limit: int = 24


@dataclass(frozen=True, slots=True)
class EvaluatedPhotograph:
    """One evaluated photograph. Fields of other tasks are None or ()."""

    source: int  # the number in the image set
    name: str
    truth: int | None = None  # classification: the evaluated class
    prediction: int | None = None  # classification: the evaluated class of the prediction; len(categories): any other class
    predicted_class: str = ""  # classification: the name of the most probable of the model's classes
    confidence: float | None = None  # classification: of the prediction; multi-label: probability of the requested class
    true_probability: float | None = None  # classification: of the true class
    labels: tuple[int, ...] = ()  # multi-label: the true classes
    predicted_labels: tuple[int, ...] = ()  # multi-label: the classes that reach the threshold
    values: tuple[float, ...] = ()  # regression: the true values
    predicted_values: tuple[float, ...] = ()  # regression: the predicted values


@dataclass(frozen=True, slots=True)
class EvaluatedPhotographs:
    """The requested photographs, and the total number of matches."""

    photographs: tuple[EvaluatedPhotograph, ...]
    total: int


@dataclass(frozen=True, slots=True)
class ComparedPhotograph:
    """A photograph whose prediction changed between two runs."""

    source: int
    name: str
    truth: str  # the name of its class
    before: str  # the name of the predicted class
    after: str
    probability_before: float  # of the true class
    probability_after: float


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonResults:
    """Two runs compared, and the photographs that became right and wrong, those with the largest change first (at most `limit` each)."""

    before: EvaluationRunSummary
    after: EvaluationRunSummary
    comparison: EvaluationComparison
    now_right: tuple[ComparedPhotograph, ...]
    now_wrong: tuple[ComparedPhotograph, ...]


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationCells:
    """Some photographs of each cell of the confusion matrix, and thumbnails of them, each once."""

    cells: Mapping[tuple[int, int], tuple[EvaluatedPhotograph, ...]]  # by (true class, predicted class), the most confident first
    thumbnails: Mapping[int, EncodedImage]  # by the number of the photograph

    __repr__ = compact_repr
