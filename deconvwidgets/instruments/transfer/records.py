"""Records of the transfer experiments: frozen, of NumPy arrays and plain Python values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.calibration import Calibration
from deconvwidgets.records.heads import Head
from deconvwidgets.records.images import EncodedImage, SkippedImage
from deconvwidgets.records.progress import Progress
from deconvwidgets.records.repr import compact_repr, describe_accuracy

Phase = Literal["waiting", "features", "training", "curve", "done", "stopped", "failed"]
TransferFile = Literal["photographs.csv", "classes.csv", "calibration.csv", "results.png", "results.svg", "results.pdf", "results.html"]


@dataclass(frozen=True, slots=True)
class DataChoice:
    """A dataset that can be selected."""

    data: str  # as in `TransferSettings.data`
    description: str
    hint: str = ""  # what is missing, if the dataset is not available
    images_per_class: int = 30  # default number of training images per class


@dataclass(frozen=True, slots=True)
class PaperRow:
    """A result of Zeiler & Fergus 2014 for comparison; accuracies in percent."""

    description: str
    mean: float
    std: float | None
    images_per_class: int | None = None  # training images per class, for a learning curve


@dataclass(frozen=True, slots=True)
class TransferDataSummary:
    """The classes of a dataset before training."""

    name: str
    photographs: int
    categories: tuple[str, ...]
    sizes: tuple[int, ...]  # number of photographs of each class
    most: int  # the largest number of training images per class that leaves one for testing
    problem: str | None  # why training with the requested number of images is impossible
    notes: tuple[str, ...]  # irregularities that do not prevent training
    skipped: tuple[SkippedImage, ...]


@dataclass(frozen=True, slots=True)
class TransferRunSummary:
    """The state of a run. Accuracies are shares, averaged over classes."""

    run: int
    phase: Phase
    dataset: str
    layer: str
    images_per_class: int
    folds: int  # requested
    weight_decay: float | None  # requested; None: chosen on held-out images
    views: str  # the crops of a photograph: "one", "flips" or "ten"
    per_fold: tuple[float, ...]  # accuracies of the folds so far
    weight_decays: tuple[float, ...]  # of the folds so far
    features: str  # description; empty before the first fold is complete
    seconds: float
    steps: int  # number of training steps that `TransferService.steps` returns
    progress: Progress | None  # None if the run is not active
    problem: str | None  # the error that the run failed with
    curve: LearningCurve | None  # so far
    paper: tuple[PaperRow, ...]  # results of the paper for comparison
    classes: int = 0  # number of classes, if known
    temperatures: tuple[float, ...] = ()  # of the folds so far
    calibration: Calibration | None = None  # of the test photographs so far; None before the first fold

    def __repr__(self) -> str:
        run = f"run {self.run}: {self.dataset}, {self.images_per_class} per class, {self.layer}, {self.phase}"
        return f"TransferRunSummary({run}; {describe_accuracy(self.per_fold)})"

    @property
    def mean(self) -> float | None:
        """Mean accuracy over the complete folds."""
        return float(np.mean(self.per_fold)) if self.per_fold else None

    @property
    def std(self) -> float | None:
        """Standard deviation of the accuracy over the complete folds."""
        return float(np.std(self.per_fold)) if self.per_fold else None


@dataclass(frozen=True, slots=True)
class TransferStatus:
    """The state of a transfer service."""

    choices: tuple[DataChoice, ...]
    layers: tuple[tuple[str, str], ...]  # (name, description), the deepest first
    running: int | None  # the run that is active or waiting
    runs: tuple[TransferRunSummary, ...]  # the oldest first
    classifier: str | None  # description of the head in use
    used: int | None  # the run of the head in use; None for another head
    can_undo: bool


@dataclass(frozen=True, slots=True)
class TransferResults:
    """The results of a run so far. Arrays are in the order of `categories`."""

    summary: TransferRunSummary
    categories: tuple[str, ...]
    class_accuracy: NDArray[np.float32]  # (classes,): accuracy over all folds; NaN for a class without tests
    class_tests: NDArray[np.int64]  # (classes,): number of tests
    confusion: NDArray[np.int64]  # (classes, classes): rows are true classes, columns predictions
    skipped: tuple[SkippedImage, ...]
    has_confidences: bool  # False for a linear SVM

    def __repr__(self) -> str:
        return f"TransferResults({self.summary!r}, {len(self.categories)} classes)"


@dataclass(frozen=True, slots=True)
class TestsRequest:
    """A request for test photographs, the most confident first. None means any."""

    __test__ = False  # not a test class for pytest

    truth: int | None = None  # true class
    prediction: int | None = None  # predicted class
    right: bool | None = None  # whether the prediction is correct
    limit: int = 24


@dataclass(frozen=True, slots=True)
class TestPhotograph:
    """One test photograph in one fold."""

    __test__ = False

    source: int
    name: str
    fold: int
    truth: int  # true class
    prediction: int  # predicted class
    confidence: float | None  # probability of the predicted class; None for a linear SVM


@dataclass(frozen=True, slots=True)
class TestPhotographs:
    """The requested test photographs, and the total number of matches."""

    __test__ = False

    photographs: tuple[TestPhotograph, ...]
    total: int


@dataclass(frozen=True, slots=True, eq=False)
class CellPhotographs:
    """Some test photographs of each cell of the confusion matrix, and thumbnails of them, each once."""

    cells: Mapping[tuple[int, int], tuple[TestPhotograph, ...]]  # by (true class, predicted class), the most confident first
    thumbnails: Mapping[int, EncodedImage]  # by the number of the photograph (`TestPhotograph.source`)

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True)
class HeadReport:
    """The result of training heads (Zeiler & Fergus 2014, sections 5.2 and 5.3; tables 4, 5 and 7).

    Accuracies are shares in [0, 1], averaged over classes. The arrays (tests,) have one entry for every test photograph of every complete
    fold.
    """

    dataset: str
    model: str
    layer: str
    features: str  # description: "256 x 6 x 6 = 9,216 of pool5, one crop"
    images_per_class: int
    seed: int
    categories: tuple[str, ...]
    per_fold: tuple[float, ...]
    weight_decays: tuple[float, ...]  # chosen on held-out training images, per fold
    confusion: NDArray[np.int64]  # (classes, classes): rows are true classes, columns predictions, summed over folds
    sources: NDArray[np.int64]  # (tests,): number of the photograph in the image set
    folds: NDArray[np.int64]  # (tests,)
    truths: NDArray[np.int64]  # (tests,): true class
    predictions: NDArray[np.int64]  # (tests,): predicted class
    confidences: NDArray[np.float32]  # (tests,): probability of the predicted class
    head: Head  # trained on the first fold's training images
    seconds: float
    complete: bool  # False: cancelled before the last fold
    skipped: tuple[SkippedImage, ...] = ()  # photographs that could not be read
    classifier: str = "softmax"  # or "linear SVM", which has no probabilities: `confidences` are NaN
    temperatures: tuple[float, ...] = ()  # fitted on held-out training images, per fold; the logits are divided by it
    calibration: Calibration | None = None  # of all test photographs; None for a linear SVM

    @property
    def mean(self) -> float:
        """Mean accuracy over folds."""
        return float(np.mean(self.per_fold))

    @property
    def std(self) -> float:
        """Standard deviation over folds (0 for one fold)."""
        return float(np.std(self.per_fold))

    def __repr__(self) -> str:
        run = f"{self.dataset}, {self.images_per_class} per class, {self.classifier} on {self.layer} of {self.model}"
        stopped = "" if self.complete else "; stopped"
        return f"HeadReport({run}: {describe_accuracy(self.per_fold)}, {len(self.categories)} classes{stopped})"


@dataclass(frozen=True, slots=True)
class HeadStep:
    """The state of the training after a step. Accuracies are averaged over classes."""

    fold: int
    weight_decay: float
    step: int  # from 0 for each weight decay
    loss: float
    train_accuracy: float
    validation_accuracy: float | None  # on held-out training images; None when training on all training images of the fold
    validation_loss: float | None = None  # the log loss of the held-out images, without penalty; likewise


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Accuracy by the number of training images per class: mean and standard deviation over folds, as shares."""

    dataset: str
    model: str
    layer: str
    features: str
    images_per_class: tuple[int, ...]
    means: tuple[float, ...]
    stds: tuple[float, ...]
    folds: int
    seed: int
    complete: bool  # False: cancelled before the last number of images


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """The settings of a run."""

    data: (
        str  # "caltech101", "caltech256", "photo-crops", "images" (of the service), or the path of a folder of class folders or of its zip
    )
    layer: str | None = None  # None: the deepest layer with feature maps
    images_per_class: int = 30
    folds: int = 5
    weight_decay: float | None = None  # None: chosen on held-out training images
    views: Literal["one", "flips", "ten"] = "one"  # the crops of a photograph, as in `train_softmax_head`
    seed: int = 0
    curve: tuple[int, ...] = ()  # numbers of training images per class for a learning curve; empty: no curve
    root: str | None = None  # the folder of the Caltech datasets; None: the environment variable DECONVWIDGETS_DATA
