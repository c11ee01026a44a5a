"""A fake EvaluationApi without a model. Its scores and comparisons are the real ones, of random outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from deconvwidgets.errors import EvaluationError, PictureError
from deconvwidgets.instruments.evaluation.compute.compare import compare_evaluations
from deconvwidgets.instruments.evaluation.compute.labels import Labels
from deconvwidgets.instruments.evaluation.compute.scorers import make_scorer
from deconvwidgets.instruments.evaluation.records import ClassMatch, Evaluation, EvaluationFile, EvaluationTask
from deconvwidgets.instruments.evaluation.settings import (
    ComparedPhotograph,
    ComparisonResults,
    EvaluatedPhotograph,
    EvaluatedPhotographs,
    EvaluationDataChoice,
    EvaluationDataSummary,
    EvaluationResults,
    EvaluationRunSummary,
    EvaluationSettings,
    EvaluationStatus,
    PhotographsRequest,
)
from deconvwidgets.records.images import EncodedImage, SkippedImage, SourcePhotograph
from deconvwidgets.records.progress import Progress
from deconvwidgets.records.quantity import Quantity
from tests.widgets.fake_service import FakeService, encode, grating

CLASSES = (
    "accordion",
    "bonsai",
    "cougar face",
    "dalmatian",
    "euphonium",
    "ferry",
    "gramophone",
    "hedgehog",
    "ibis",
    "joshua tree",
    "ketch",
)
FOLDERS = ("Accordion", "bonsai", "cougar face", "dalmatian", "euphonium", "ferry", "gramophone", "hedgehog", "seagull")
CHOICES = (
    EvaluationDataChoice("images", "gratings: the photographs of this service"),
    EvaluationDataChoice("caltech101", "Caltech-101"),
    EvaluationDataChoice("caltech256", "Caltech-256", "The folder of Caltech-256 is not known. Pass root=..., or set DECONVWIDGETS_DATA."),
)
QUANTITIES: Mapping[str, Quantity] = {
    "classification": Quantity(),
    "multilabel": Quantity("multilabel", "sigmoid"),
    "regression": Quantity("regression", "none", "m"),
}
EACH = 30  # photographs per class
OUTPUTS = ("depth", "height")


class FakeEvaluationApi:
    """Implements service.protocol.EvaluationService. The class "seagull" of the image set is none of the model's."""

    def __init__(self, service: FakeEvaluationService, task: EvaluationTask | None = "classification") -> None:
        self.service, self.task = service, task
        self.calls: list[tuple[str, Any]] = []
        self.runs: dict[int, EvaluationRunSummary] = {}
        self.settings: dict[int, EvaluationSettings] = {}
        self.running: int | None = None
        self.error: Exception | None = None  # raised by recorded calls
        self.compared: tuple[int, int] | None = None
        self.choices = CHOICES

    def status(self) -> EvaluationStatus:
        problem = None if self.task else "fakenet predicts nothing. Put a head on it."
        before, after = self.compared or (None, None)
        return EvaluationStatus(self.choices, self.task, problem, self.running, tuple(self.runs.values()), before, after)

    def add_images(self, images: Any) -> str:
        self._record("add", images)
        self.choices = (EvaluationDataChoice("given-1", str(images)), *self.choices)
        return "given-1"

    def data(self, settings: EvaluationSettings) -> EvaluationDataSummary:
        self._record("data", settings)
        if settings.data.startswith("/nowhere"):
            raise PictureError(f"There is no folder {settings.data}. Give a folder of images, 'photos', 'caltech101', or a data set.")
        matches = tuple(self._match(name, settings.mapping) for name in FOLDERS)
        count, matched = EACH * len(FOLDERS), EACH * sum(bool(match.classes) for match in matches)
        skipped = (SkippedImage("bonsai/image_0007.jpg", "it is truncated"),)
        notes = (f"{EACH} photographs of 1 class that the model does not have: seagull.",) if matched < count else ()
        name = settings.data.rpartition("/")[2]
        if self.task == "regression":
            matches = ()
        return EvaluationDataSummary(name, count, count, matched, self.task, CLASSES, matches, None, notes, skipped)

    def _match(self, name: str, mapping: Mapping[str, tuple[str, ...]]) -> ClassMatch:
        if name in mapping:
            return ClassMatch(name, EACH, tuple(CLASSES.index(other) for other in mapping[name]), "table")
        if name.lower() in CLASSES:
            return ClassMatch(name, EACH, (CLASSES.index(name.lower()),), "exact" if name in CLASSES else "case")
        return ClassMatch(name, EACH, (), "none", (CLASSES.index("ibis"),))

    def classes(self, query: str, limit: int = 20) -> Sequence[str]:
        self._record("classes", query)
        return [name for name in CLASSES if query.lower() in name][:limit]

    def start(self, settings: EvaluationSettings) -> int:
        self._record("start", settings)
        if self.running is not None:
            self.stop()
        assert self.task is not None
        run = len(self.runs) + 1
        self.settings[run], self.running = settings, run
        total = EACH * sum(bool(self._match(name, settings.mapping).classes) for name in FOLDERS)
        names = (settings.data, "fakenet", f"{len(CLASSES)} classes" + (", 3 units off" if run > 1 else ""))
        score_name = {"classification": "accuracy", "multilabel": "mean average precision"}.get(self.task, "mean absolute error")
        self.runs[run] = EvaluationRunSummary(
            run, "waiting", *names, self.task, 0, total, None, score_name, 0.0, False, None, None, True
        )  # fmt: skip
        self.publish()
        return run

    def stop(self) -> None:
        self._record("stop", None)
        if self.running is not None:
            self.end("stopped")

    def wait(self, run: int, timeout: float | None = None) -> None:
        self._record("wait", (run, timeout))

    def results(self, run: int) -> EvaluationResults:
        summary = self._summary(run)
        if not summary.photographs:
            raise EvaluationError(f"Run {run} has no photograph yet.")
        return EvaluationResults(summary, self._evaluation(run, summary.photographs))

    def _summary(self, run: int) -> EvaluationRunSummary:
        if run not in self.runs:
            raise EvaluationError(f"There is no run {run}.")
        return self.runs[run]

    def _evaluation(self, run: int, photographs: int) -> Evaluation:
        """Return the evaluation of random outputs: other ones for each run, about the same photographs."""
        summary, generator = self.runs[run], np.random.default_rng(7)
        matches = tuple(self._match(name, self.settings[run].mapping) for name in FOLDERS)
        matched = [match for match in matches if match.classes]
        truths: Any = np.repeat(np.arange(len(matched)), EACH)
        count = len(truths)
        values = generator.uniform(1, 20, (count, len(OUTPUTS)))
        noise = generator.normal(0, 1.6, (count, len(CLASSES))) + np.random.default_rng(run).normal(0, 0.4, (count, len(CLASSES)))
        own = np.array([match.classes[0] for match in matched])[truths]
        outputs = noise.astype(np.float32)
        outputs[np.arange(count), own] += 3.2
        labels = np.eye(len(matched), dtype=bool)[truths] | (generator.random((count, len(matched))) < 0.1)
        if summary.task == "multilabel":
            outputs[:, [match.classes[0] for match in matched]] += 2.4 * labels - 2
            truths = labels
        if summary.task == "regression":
            truths, outputs = values, (values + generator.normal(0, 1.5, values.shape)).astype(np.float32)
        regression = summary.task == "regression"
        names = () if regression else tuple(match.name for match in matched)
        groups = () if regression else tuple(match.classes for match in matched)
        described = Labels(np.arange(count), truths, names, groups, matches)
        scorer = make_scorer(described, len(CLASSES), QUANTITIES[summary.task], "fakenet", self.settings[run].threshold, 15)
        rows = np.sort(np.random.default_rng(3).permutation(count)[:photographs])
        scorer.add(rows, outputs[rows])
        common = {
            "model": "fakenet", "weights": "random", "classifier": summary.classifier, "dataset": summary.dataset,
            "classes": OUTPUTS if regression else CLASSES, "matches": matches, "sources": rows, "outputs": outputs[rows],
            "total": count, "unlabelled": 0, "unmatched": EACH * (len(FOLDERS) - len(matched)),
            "skipped": (SkippedImage("bonsai/image_0007.jpg", "it is truncated"),), "notes": (), "complete": summary.phase == "done",
            "seconds": summary.seconds, "digests": (("model", str(run)), ("photographs", "p"), ("labels", "l")),
        }  # fmt: skip
        return scorer.evaluation(rows, common)

    def photographs(self, run: int, request: PhotographsRequest) -> EvaluatedPhotographs:
        self._record("photographs", (run, request))
        evaluation: Any = self.results(run).evaluation
        found = {"classification": _tests, "multilabel": _labelled, "regression": _valued}[evaluation.task](evaluation, request)
        return EvaluatedPhotographs(tuple(found[: request.limit]), len(found))

    def thumbnails(self, run: int, sources: Sequence[int], size: int = 96) -> Sequence[EncodedImage]:
        self._record("thumbnails", (run, tuple(sources), size))
        return [encode(grating(source, size, signed=False), "JPEG") for source in sources]

    def photograph(self, run: int, source: int) -> SourcePhotograph:
        self._record("photograph", (run, source))
        return SourcePhotograph(encode(grating(source, 64, signed=False)), f"image_{source:04d}.jpg", "bonsai")

    def compare(self, after: int, before: int | None = None, limit: int = 24) -> ComparisonResults:
        self._record("compare", (after, before, limit))
        before = after - 1 if before is None else before
        first, second = self.results(before), self.results(after)
        comparison = compare_evaluations(first.evaluation, second.evaluation)

        def photographs(sources: Any) -> tuple[ComparedPhotograph, ...]:
            return tuple(_changed(first.evaluation, second.evaluation, int(source)) for source in sources[:limit])

        flips = photographs(comparison.now_right), photographs(comparison.now_wrong)
        return ComparisonResults(first.summary, second.summary, comparison, *flips)

    def file(self, run: int, kind: EvaluationFile) -> bytes:
        self._record("file", (run, kind))
        self.results(run)
        return encode(grating(run, 16, signed=True)).data if kind.endswith(".png") else f"{kind} of run {run}".encode()

    # Methods for tests

    def _record(self, kind: str, arguments: Any) -> None:
        self.calls.append((kind, arguments))
        if self.error is not None:
            raise self.error

    def publish(self) -> None:
        self.service.publish("evaluation")

    def change(self, run: int | None = None, **fields: Any) -> None:
        """Change fields of a run's summary (by default of the active run), without an event."""
        number = run if run is not None else self.running
        assert number is not None
        self.runs[number] = replace(self.runs[number], **fields)

    def advance(self, photographs: int) -> None:
        """Evaluate some photographs."""
        assert self.running is not None
        total = self.runs[self.running].total
        progress = Progress("evaluation", photographs, total, 90.0)
        self.change(phase="running", photographs=photographs, progress=progress, seconds=photographs / 90)
        evaluation: Any = self._evaluation(self.running, photographs)
        if self.task == "classification":
            self.change(score=evaluation.accuracy)
        elif self.task == "multilabel":
            self.change(score=evaluation.mean_average_precision)
        else:
            self.change(score=float(evaluation.mean_absolute_error[0]))
        self.publish()

    def end(self, phase: Any = "done", problem: str | None = None) -> None:
        self.change(phase=phase, progress=None, problem=problem)
        self.running = None
        self.publish()

    def whole_run(self, **settings: Any) -> int:
        """Record a complete run, and return its number."""
        run = self.start(EvaluationSettings(**{"data": "caltech101", **settings}))
        self.advance(self.runs[run].total)
        self.end()
        if run > 1:
            self.compared = (run - 1, run)
        return run


def _tests(evaluation: Any, request: PhotographsRequest) -> list[EvaluatedPhotograph]:
    rows = np.argsort(-evaluation.confidences, kind="stable")
    right = evaluation.right
    kept = [
        row
        for row in rows.tolist()
        if (request.truth is None or evaluation.truths[row] == request.truth)
        and (request.prediction is None or evaluation.predicted[row] == request.prediction)
        and (request.right is None or right[row] == request.right)
    ]
    return [
        EvaluatedPhotograph(
            int(evaluation.sources[row]),
            f"{evaluation.categories[evaluation.truths[row]]}/image_{evaluation.sources[row]:04d}.jpg",
            int(evaluation.truths[row]),
            int(evaluation.predicted[row]),
            evaluation.classes[evaluation.predictions[row]],
            float(evaluation.confidences[row]),
            float(evaluation.true_probabilities[row]),
        )
        for row in kept
    ]


def _labelled(evaluation: Any, request: PhotographsRequest) -> list[EvaluatedPhotograph]:
    label = request.truth if request.truth is not None else request.prediction or 0
    probabilities = evaluation.probabilities
    kept = evaluation.truths[:, label] if request.truth is not None else ~evaluation.truths[:, label]
    rows = [row for row in np.argsort(-probabilities[:, label], kind="stable").tolist() if kept[row]]
    return [
        EvaluatedPhotograph(
            row,
            f"image_{row:04d}.jpg",
            confidence=float(probabilities[row, label]),
            labels=tuple(np.flatnonzero(evaluation.truths[row]).tolist()),
            predicted_labels=tuple(np.flatnonzero(probabilities[row] >= evaluation.threshold).tolist()),
        )
        for row in rows
    ]


def _valued(evaluation: Any, request: PhotographsRequest) -> list[EvaluatedPhotograph]:
    errors = np.abs(evaluation.predictions - evaluation.truths)[:, request.truth or 0]
    return [
        EvaluatedPhotograph(
            row,
            f"image_{row:04d}.jpg",
            values=tuple(evaluation.truths[row].tolist()),
            predicted_values=tuple(evaluation.predictions[row].tolist()),
        )
        for row in np.argsort(-errors, kind="stable").tolist()
    ]


def _changed(before: Any, after: Any, source: int) -> ComparedPhotograph:
    first, second = (int(np.flatnonzero(one.sources == source)[0]) for one in (before, after))
    return ComparedPhotograph(
        source,
        f"image_{source:04d}.jpg",
        after.categories[after.truths[second]],
        before.classes[before.predictions[first]],
        after.classes[after.predictions[second]],
        float(before.true_probabilities[first]),
        float(after.true_probabilities[second]),
    )


class FakeEvaluationService(FakeService):
    """Implements service.protocol.SupportsEvaluation."""

    def __init__(self, ready: bool = True, task: EvaluationTask | None = "classification") -> None:
        super().__init__(ready)
        self._api = FakeEvaluationApi(self, task)

    @property
    def evaluation(self) -> FakeEvaluationApi:
        return self._api
