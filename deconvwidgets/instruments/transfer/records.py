"""Values of the transfer experiments that cross to a widget: frozen, NumPy arrays and plain Python only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.layers import LearningCurve, Progress, SkippedPicture
from deconvwidgets.records.repr import accuracy_in_words

Phase = Literal["waiting", "features", "training", "curve", "done", "stopped", "failed"]


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
    skipped: tuple[SkippedPicture, ...]


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
    steps: int  # so many can be asked for by `TransferDesk.steps`
    progress: Progress | None  # while it goes on
    problem: str | None  # what it failed with
    curve: LearningCurve | None  # so far
    paper: tuple[PaperRow, ...]  # results of the paper to compare with

    def __repr__(self) -> str:
        run = f"run {self.run}: {self.dataset}, {self.images_per_class} a class, {self.layer}, {self.phase}"
        return f"TransferRunSummary({run}; {accuracy_in_words(self.per_fold)})"

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
class TransferRunView:
    """A run's results so far. Arrays are in the order of `categories`."""

    summary: TransferRunSummary
    categories: tuple[str, ...]
    class_accuracy: NDArray[np.float32]  # (classes,) shares of the test photographs of all folds; NaN for a class without any
    class_tests: NDArray[np.int64]  # (classes,)
    confusion: NDArray[np.int64]  # (classes, classes): rows are truths, columns predictions
    skipped: tuple[SkippedPicture, ...]
    has_confidences: bool

    def __repr__(self) -> str:
        return f"TransferRunView({self.summary!r}, {len(self.categories)} classes)"


@dataclass(frozen=True, slots=True)
class TestsWanted:
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
