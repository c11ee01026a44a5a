"""`evaluate` measures how well a model predicts the labels of an image set."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe, flag, integer, number, one_of
from deconvwidgets.compute.calibration import BINS
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.errors import AssetError, EvaluationError, JobCancelledError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.open import open_images
from deconvwidgets.index.identity import transform_digest
from deconvwidgets.instruments.evaluation.compute.describe import describe_classifier
from deconvwidgets.instruments.evaluation.compute.labels import Labels
from deconvwidgets.instruments.evaluation.compute.names import Mapped
from deconvwidgets.instruments.evaluation.compute.output_table import OutputTable
from deconvwidgets.instruments.evaluation.compute.outputs import OutputPass, Runner
from deconvwidgets.instruments.evaluation.compute.resolve import classes_of, require_quantity, resolve_labels
from deconvwidgets.instruments.evaluation.compute.scorers import Scorer, make_scorer
from deconvwidgets.instruments.evaluation.records import Evaluation
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.models.prediction_digest import prediction_digest
from deconvwidgets.records.images import without_repeats

Store = Literal["disk", "memory"]
Partial = Callable[[Evaluation], object]
_PARTIAL_SECONDS = 0.25
_MAX_BINS = 1000


def evaluate(
    bundle: ModelBundle,
    images: ImageSet | Any,
    *,
    labels: Any = None,
    mapping: Mapped | None = None,
    threshold: float = 0.5,
    bins: int = BINS,
    store: Store = "disk",
    device: str = "auto",
    progress: bool = True,
    job: JobContext | None = None,
    on_partial: Partial | None = None,
) -> Evaluation:
    """Evaluate a model on labelled photographs.

    The classes of the image set are matched with the model's by their exact names, by names without case, spaces, punctuation and plural,
    by ImageNet's synset IDs ("n02123045"), or by a table of the caller; `Evaluation.matches` says how. Photographs of classes that the
    model does not have are left out, and counted. Each photograph is evaluated once, by its first crop through the model's transform. The
    outputs are stored by the digests of model, transform and photographs, and are not computed again.

    Parameters
    ----------
    bundle : ModelBundle
        The model. Its task decides the scores: those of classes, of several labels per photograph, or of values.
    images : ImageSet, or any argument of `open_images`
        Photographs with labels: a folder of class folders, a torchvision data set, a data frame of paths and labels, ...
    labels : sequence, optional
        One label per photograph, instead of those of the image set: the name or number of a class of the model, several, or values. None
        is a photograph without a label.
    mapping : mapping, optional
        The model's class, or a list of classes that are right, for some classes of the image set: {"big cats": ["tiger", "lion"]}. An empty
        list leaves a class out.
    threshold : float
        The probability from which a class of a multi-label model counts as predicted.
    bins : int
        The number of bins of the reliability curve.
    store : {"disk", "memory"}
        "memory" does not store the outputs.
    device : str
        "auto", "cpu", "cuda:1", ...
    progress : bool
        Show a progress bar.
    job : JobContext, optional
        Progress, cancellation and batch sizes. A cancelled evaluation returns the results so far, with `complete` False.
    on_partial : callable, optional
        Called with the Evaluation so far, at most four times per second. Photographs are evaluated in random order.

    Returns
    -------
    ClassificationEvaluation, MultilabelEvaluation or RegressionEvaluation
        By the model's task. All are an `Evaluation`.

    Raises
    ------
    EvaluationError
        If the model predicts nothing, if the photographs have no labels that fit its task, or if no class of theirs is one of the model's
        or it is not clear which; the message lists the closest ones.
    PictureError
        If the image set cannot be opened.
    ModelError
        If the model returns anything but finite outputs (N, classes).
    JobCancelledError
        If the job is cancelled before the first batch.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> evaluation = dw.evaluate(dw.load_model("squeezenet1_1"), dw.open_images("photos"), store="memory", progress=False)
    >>> evaluation
    Evaluation(squeezenet1_1 on 20 photographs of default photographs: top-1 60.0%, top-5 95.0%, ECE 19.0%)
    >>> evaluation.classes[evaluation.predictions[0]], evaluation.unlabelled
    ('bull mastiff', 8)
    """
    one_of(store, "store", get_args(Store), AssetError)
    bins = integer(bins, "bins", 1, _MAX_BINS, EvaluationError)
    threshold = number(threshold, "threshold", "a probability from 0 to 1", 0, EvaluationError)
    if threshold > 1:
        raise EvaluationError(f"threshold must be a probability from 0 to 1, not {threshold:g}.")
    if on_partial is not None and not callable(on_partial):
        raise EvaluationError(f"on_partial must be a callable, not {describe(on_partial)}.")
    progress, job = flag(progress, "progress", EvaluationError), as_job(job)
    bundle = on_device(bundle, device)
    require_quantity(bundle)
    plan = EvaluationPlan.of(bundle, open_images(images), labels, mapping, threshold, bins)
    with job.progress_bar("evaluation", "photograph", len(plan.labels.sources), progress) as context:
        return plan.run(store, context, on_partial)


@dataclass(frozen=True)
class EvaluationPlan:
    """A model, photographs and their labels, before the model is run."""

    bundle: ModelBundle
    images: ImageSet
    classes: tuple[str, ...]
    labels: Labels
    threshold: float
    bins: int

    @classmethod
    def of(
        cls, bundle: ModelBundle, images: ImageSet, labels: object, mapping: Mapped | None, threshold: float = 0.5, bins: int = BINS
    ) -> EvaluationPlan:
        """Match the labels with the model's classes. Raises EvaluationError if that is not possible."""
        classes = classes_of(bundle)
        return cls(bundle, images, classes, resolve_labels(bundle, images, classes, labels, mapping), threshold, bins)

    def run(
        self,
        store: Store,
        job: JobContext,
        on_partial: Partial | None = None,
        runner: Runner | None = None,
        notes: Callable[[], Sequence[str]] = tuple,
    ) -> Evaluation:
        """Run the model, and return the evaluation, with further `notes` at its end. Raises JobCancelledError if nothing was evaluated."""
        bundle, images = self.bundle, self.images
        quantity = require_quantity(bundle)
        digests = self._digests()
        shape = (images.source_count, 1 if quantity.task == "binary" else len(self.classes))
        if store == "disk" and digests[0][1]:
            table = OutputTable.on_disk((*(digest for _, digest in digests[:3]), bundle.input_size), shape)
        else:
            table = OutputTable.in_memory(shape)
        scorer = make_scorer(self.labels, len(self.classes), quantity, bundle.name, self.threshold, self.bins)
        results = Results(self, scorer, table, digests, on_partial)
        outputs = OutputPass(bundle, images, table, results.add, runner)
        complete = True
        try:
            outputs.run(self.labels.sources, job)
        except JobCancelledError:
            if not results.count:
                raise
            complete = False
        if not results.count:
            reasons = "".join(f" {skipped.reason}" for skipped in outputs.skipped[:3])
            raise EvaluationError(f"None of the labelled photographs of {images.name} can be read.{reasons}")
        results.skipped += outputs.skipped
        results.notes += notes()
        return results.evaluation(complete=complete)

    def _digests(self) -> tuple[tuple[str, str], ...]:
        model = prediction_digest(self.bundle) or ""
        return (
            ("model", model),
            ("transform", transform_digest(self.bundle)),
            ("photographs", self.images.digest),
            ("labels", self.labels.digest),
        )


@dataclass
class Results:
    """The results of an evaluation, which grow with each batch."""

    plan: EvaluationPlan
    scorer: Scorer
    table: OutputTable
    digests: tuple[tuple[str, str], ...]
    on_partial: Partial | None
    skipped: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        self._row = np.full(self.plan.images.source_count, -1, np.int64)
        self._row[self.plan.labels.sources] = np.arange(len(self.plan.labels.sources))
        self._done = np.zeros(len(self.plan.labels.sources), bool)
        self._started = self._shown = time.monotonic()

    def add(self, sources: NDArray[np.int64], outputs: NDArray[np.float32]) -> None:
        """Add the outputs of some photographs."""
        rows = self._row[sources]
        self.scorer.add(rows, outputs)
        self._done[rows] = True
        self.count += len(rows)
        if self.on_partial is not None and time.monotonic() - self._shown >= _PARTIAL_SECONDS:
            self.on_partial(self.evaluation(complete=False, partial=True))
            self._shown = time.monotonic()

    def evaluation(self, complete: bool, partial: bool = False) -> Evaluation:
        """Return the evaluation so far; a partial one has no outputs."""
        plan, labels, images = self.plan, self.plan.labels, self.plan.images
        rows = np.flatnonzero(self._done)
        sources = labels.sources[rows]
        whole = len(sources) == images.source_count
        outputs = self.table.values[:0] if partial else self.table.values if whole else self.table.values[sources]
        common = {
            "model": plan.bundle.label,
            "weights": plan.bundle.weights,
            "classifier": describe_classifier(plan.bundle),
            "dataset": images.name,
            "classes": plan.classes,
            "matches": labels.matches,
            "sources": sources,
            "outputs": outputs,
            "total": images.source_count,
            "unlabelled": labels.unlabelled,
            "unmatched": labels.unmatched,
            "skipped": without_repeats([*images.skipped, *self.skipped]),
            "notes": (*labels.notes, *self.notes),
            "complete": complete,
            "seconds": time.monotonic() - self._started,
            "digests": self.digests,
        }
        return self.scorer.evaluation(rows, common)
