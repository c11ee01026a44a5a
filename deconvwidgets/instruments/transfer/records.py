"""Values of the transfer experiments that cross to a widget: frozen, NumPy arrays and plain Python only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.heads import Head
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.progress import Progress
from deconvwidgets.records.repr import describe_accuracy

Phase = Literal["waiting", "features", "training", "curve", "done", "stopped", "failed"]
TransferFile = Literal["photographs.csv", "classes.csv", "results.png", "results.html"]


@dataclass(frozen=True, slots=True)
class DataChoice:
    """Something to train on, as a panel offers it."""

    data: str  # as `TransferSettings.data`
    words: str
    hint: str = ""  # what is missing, in words, where it is not at hand


@dataclass(frozen=True, slots=True)
class PaperRow:
    """A result of Zeiler & Fergus 2014 to stand beside ours; accuracies in percent."""

    words: str
    mean: float
    std: float | None
    images_per_class: int | None = None  # training images a class, which places it in a learning curve


@dataclass(frozen=True, slots=True)
class TransferDataSummary:
    """The classes of a data set before training."""

    name: str
    photographs: int
    categories: tuple[str, ...]
    sizes: tuple[int, ...]  # photographs of each class
    most: int  # the largest number of training images a class that leaves one to test
    problem: str | None  # why training with the asked number of images cannot start, in words
    notes: tuple[str, ...]  # what is odd, but no hindrance
    skipped: tuple[SkippedImage, ...]


@dataclass(frozen=True, slots=True)
class TransferRunSummary:
    """A run in a line. Accuracies are shares, averaged over classes."""

    run: int
    phase: Phase
    dataset: str
    layer: str
    images_per_class: int
    folds: int  # asked for
    weight_decay: float | None  # asked for; None: chosen
    views: str
    per_fold: tuple[float, ...]  # so far
    weight_decays: tuple[float, ...]  # so far
    features: str  # in words; empty before the first fold is done
    seconds: float
    steps: int  # so many can be asked for by `TransferService.steps`
    progress: Progress | None  # while it goes on
    problem: str | None  # what it failed with
    curve: LearningCurve | None  # so far
    paper: tuple[PaperRow, ...]  # results of the paper to compare with

    def __repr__(self) -> str:
        run = f"run {self.run}: {self.dataset}, {self.images_per_class} a class, {self.layer}, {self.phase}"
        return f"TransferRunSummary({run}; {describe_accuracy(self.per_fold)})"

    @property
    def mean(self) -> float | None:
        """Mean accuracy over the folds that are done."""
        return float(np.mean(self.per_fold)) if self.per_fold else None

    @property
    def std(self) -> float | None:
        """Their standard deviation."""
        return float(np.std(self.per_fold)) if self.per_fold else None


@dataclass(frozen=True, slots=True)
class TransferStatus:
    """Everything a panel shows before it asks for details."""

    choices: tuple[DataChoice, ...]
    layers: tuple[tuple[str, str], ...]  # (name to ask for, words), the deepest first
    running: int | None  # the run that is going on or waiting
    runs: tuple[TransferRunSummary, ...]  # in order
    classifier: str | None  # whose classes the service answers with, in words
    used: int | None  # the run whose head that is; None: another one
    can_undo: bool


@dataclass(frozen=True, slots=True)
class TransferResults:
    """A run's results so far. Arrays are in the order of `categories`."""

    summary: TransferRunSummary
    categories: tuple[str, ...]
    class_accuracy: NDArray[np.float32]  # (classes,) shares of the test photographs of all folds; NaN for a class without any
    class_tests: NDArray[np.int64]  # (classes,)
    confusion: NDArray[np.int64]  # (classes, classes): rows are truths, columns predictions
    skipped: tuple[SkippedImage, ...]
    has_confidences: bool

    def __repr__(self) -> str:
        return f"TransferResults({self.summary!r}, {len(self.categories)} classes)"


@dataclass(frozen=True, slots=True)
class TestsRequest:
    """Which test photographs: of class `truth`, answered `prediction` (None: any), right or wrong or both; the most confident first."""

    __test__ = False  # no test, whatever pytest thinks of its name

    truth: int | None = None
    prediction: int | None = None
    right: bool | None = None
    limit: int = 24


@dataclass(frozen=True, slots=True)
class TestPhotograph:
    """One test photograph in one fold."""

    __test__ = False

    source: int
    name: str
    fold: int
    truth: int
    prediction: int
    confidence: float | None


@dataclass(frozen=True, slots=True)
class TestPhotographs:
    """Those that fit, and how many there are in all."""

    __test__ = False

    photographs: tuple[TestPhotograph, ...]
    total: int


@dataclass(frozen=True, slots=True)
class HeadReport:
    """What retraining the softmax head gave (Zeiler & Fergus 2014, sections 5.2 and 5.3; tables 4, 5 and 7).

    Accuracies are shares in [0, 1], averaged over classes. The test arrays list every test photograph of every fold that was
    finished: its source in the image set, its fold, its true and its predicted class, and the probability of the latter.
    """

    dataset: str
    model: str
    layer: str
    features: str  # the features in words: "256 x 6 x 6 = 9,216 of pool5, one view"
    images_per_class: int
    seed: int
    categories: tuple[str, ...]
    per_fold: tuple[float, ...]
    weight_decays: tuple[float, ...]  # the one chosen on held-out training images, per fold
    confusion: NDArray[np.int64]  # (classes, classes): rows are truths, columns predictions, summed over folds
    sources: NDArray[np.int64]  # (tests,)
    folds: NDArray[np.int64]  # (tests,)
    truths: NDArray[np.int64]  # (tests,)
    predictions: NDArray[np.int64]  # (tests,)
    confidences: NDArray[np.float32]  # (tests,)
    head: Head  # trained on the first fold's training images
    seconds: float
    complete: bool  # False: stopped before the last fold; what was done is here
    skipped: tuple[SkippedImage, ...] = ()  # photographs that could not be read and took no part
    classifier: str = "softmax"  # or "linear SVM", which gives no probabilities: `confidences` are NaN

    @property
    def mean(self) -> float:
        """Mean accuracy over folds."""
        return float(np.mean(self.per_fold))

    @property
    def std(self) -> float:
        """Standard deviation over folds (0 for one fold)."""
        return float(np.std(self.per_fold))

    def __repr__(self) -> str:
        run = f"{self.dataset}, {self.images_per_class} a class, {self.classifier} on {self.layer} of {self.model}"
        stopped = "" if self.complete else "; stopped"
        return f"HeadReport({run}: {describe_accuracy(self.per_fold)}, {len(self.categories)} classes{stopped})"


@dataclass(frozen=True, slots=True)
class HeadStep:
    """Where the training of one head is, for live curves. `validation_accuracy` is over the training images held out to choose the
    weight decay; None while the head is trained on all training images of the fold. Accuracies are averaged over classes."""

    fold: int
    weight_decay: float
    step: int  # counts from 0 for each weight decay
    loss: float
    train_accuracy: float
    validation_accuracy: float | None


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Accuracy by number of training images a class: mean and standard deviation over `folds` folds, as shares."""

    dataset: str
    model: str
    layer: str
    features: str
    images_per_class: tuple[int, ...]
    means: tuple[float, ...]
    stds: tuple[float, ...]
    folds: int
    seed: int
    complete: bool  # False: stopped; the numbers that were done are here


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """What to retrain on, and how. `data` is "caltech101", "caltech256", "photo-crops", "images" (the service's own), or the path of a
    folder of class folders or of a zip of one; `root` is where the Caltechs lie (None: DECONVWIDGETS_DATA)."""

    data: str
    layer: str | None = None  # None: the deepest that has maps
    images_per_class: int = 30
    folds: int = 5
    weight_decay: float | None = None  # None: chosen on held-out training images
    views: Literal["one", "flips", "ten"] = "one"
    seed: int = 0
    curve: tuple[int, ...] = ()  # numbers of training images a class for the learning curve after the folds; empty: none
    root: str | None = None
