"""A api that trains nothing: a test moves its runs along by hand, and looks at what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from deconvwidgets.errors import HeadError, PictureError
from deconvwidgets.instruments.transfer.records import (
    DataChoice,
    HeadStep,
    LearningCurve,
    PaperRow,
    Phase,
    TestPhotograph,
    TestPhotographs,
    TestsRequest,
    TransferDataSummary,
    TransferFile,
    TransferResults,
    TransferRunSummary,
    TransferSettings,
    TransferStatus,
)
from deconvwidgets.records.images import EncodedImage, SkippedImage
from deconvwidgets.records.progress import Progress
from tests.widgets.fake_service import FakeService, encode, grating

KINDS = ("accordion", "bonsai", "cougar face", "dalmatian", "euphonium", "ferry", "gramophone", "hedgehog", "ibis", "joshua tree", "ketch")
CHOICES = (
    DataChoice("photo-crops", "crops of the photographs", ""),
    DataChoice("caltech101", "Caltech-101", ""),
    DataChoice("caltech256", "Caltech-256", "Not found: set DECONVWIDGETS_DATA to the folder that holds caltech256."),
    DataChoice("images", "gratings, the images of this service", ""),
)
PAPER = (
    PaperRow("paper, ImageNet features, new softmax, 30 a class (table 4)", 86.5, 0.5, 30),
    PaperRow("paper, ImageNet features, new softmax, 15 a class (table 4)", 83.8, 0.5, 15),
)


class FakeTransferApi:
    """Implements service.protocol.TransferService."""

    def __init__(self, service: FakeTransferService) -> None:
        self.service = service
        self.calls: list[tuple[str, Any]] = []
        self.runs: dict[int, TransferRunSummary] = {}
        self.settings: dict[int, TransferSettings] = {}
        self.taken: dict[int, list[HeadStep]] = {}
        self.running: int | None = None
        self.used: int | None = None
        self.kept_before: list[int | None] = []
        self.error: Exception | None = None
        self.uploads: dict[str, bytearray] = {}
        self.trouble: str | None = None  # with the data

    def status(self) -> TransferStatus:
        layers = (("pool5", "pool5 · 256 x 6 x 6 = 9,216"), ("conv5", "conv5 · 256 x 13 x 13, averaged to 6 x 6"), ("conv4", "conv4"))
        words = "ImageNet" if self.used is None else f"{len(KINDS)} classes of run {self.used}"
        return TransferStatus(CHOICES, layers, self.running, tuple(self.runs.values()), words, self.used, bool(self.kept_before))

    def data(self, settings: TransferSettings) -> TransferDataSummary:
        self._note("data", settings)
        if settings.data.startswith("/nowhere"):
            raise PictureError(f"There is no folder {settings.data}: give the path of a folder that holds one folder for each class.")
        sizes = tuple(40 + 7 * (at % 4) for at in range(len(KINDS)))
        most = min(sizes) - 1
        problem = self.trouble
        if settings.images_per_class > most:
            problem = f"bonsai has {min(sizes)} photographs: at most {most} per class leave one to test. Ask for fewer."
        notes = ("2 photographs cannot be read and take no part.",)
        skipped = (SkippedImage("bonsai/image_0007.jpg", "it is truncated"), SkippedImage("ibis/x.png", "it is not an image"))
        name = settings.data.rpartition("/")[2]
        return TransferDataSummary(name, sum(sizes), KINDS, sizes, most, problem, notes, skipped)

    def start(self, settings: TransferSettings) -> int:
        self._note("start", settings)
        if self.running is not None:
            self.stop()
        run = len(self.runs) + 1
        self.settings[run], self.taken[run], self.running = settings, [], run
        layer = settings.layer or "pool5"
        asked = (settings.data, layer, settings.images_per_class, settings.folds, settings.weight_decay, settings.views)
        self.runs[run] = TransferRunSummary(run, "waiting", *asked, (), (), "", 0.0, 0, None, None, None, PAPER)
        self.publish()
        return run

    def stop(self) -> None:
        self._note("stop", None)
        if self.running is not None:
            self.change(phase="stopped", progress=None)
            self.running = None
            self.publish()

    def wait(self, run: int, timeout: float | None = None) -> None:
        self._note("wait", (run, timeout))

    def steps(self, run: int, since: int = 0) -> tuple[HeadStep, ...]:
        if run not in self.taken:
            raise HeadError(f"There is no run {run}; the last one is {len(self.runs)}.")
        return tuple(self.taken[run][since:])

    def results(self, run: int) -> TransferResults:
        summary = self.runs.get(run)
        if summary is None or not summary.per_fold:
            raise HeadError(f"Run {run} has no fold that is done yet")
        draw = np.random.default_rng(run)
        classes = len(KINDS)
        confusion = np.diag(draw.integers(12, 20, classes)) + draw.poisson(0.3, (classes, classes))
        tests = confusion.sum(axis=1)
        accuracy = (np.diag(confusion) / tests).astype(np.float32)
        return TransferResults(summary, KINDS, accuracy, tests, confusion, (SkippedImage("ibis/x.png", "it is not an image"),), True)

    def photographs(self, run: int, request: TestsRequest) -> TestPhotographs:
        self._note("photographs", (run, request))
        confusion = self.results(run).confusion
        found = []
        for truth, prediction in zip(*np.nonzero(confusion), strict=True):
            fits = request.truth in (None, truth) and request.prediction in (None, prediction)
            if fits and request.right in (None, truth == prediction):
                for at in range(int(confusion[truth, prediction])):
                    words = f"{KINDS[truth]}/image_{at:04}.jpg"
                    found.append(TestPhotograph(at + 40 * int(truth), words, 0, int(truth), int(prediction), 0.99 - 0.03 * at))
        found.sort(key=lambda one: -(one.confidence or 0))
        return TestPhotographs(tuple(found[: request.limit]), len(found))

    def thumbnails(self, run: int, sources: Sequence[int], size: int = 96) -> list[EncodedImage]:
        self._note("thumbnails", (run, tuple(sources), size))
        return [encode(grating(source, size, signed=False), "JPEG") for source in sources]

    def use_head(self, run: int) -> str:
        self._note("use", run)
        self.kept_before.append(self.used)
        self.used = run
        self.service.publish("changed")
        return f"The classes are now the {len(KINDS)} of run {run}."

    def undo_head(self) -> str:
        self._note("undo", None)
        if not self.kept_before:
            raise HeadError("There is nothing to undo: no head was used yet")
        self.used = self.kept_before.pop()
        self.service.publish("changed")
        return "The classes are ImageNet's again."

    def save_head(self, run: int, path: str) -> str:
        self._note("save", (run, path))
        return f"Saved run {run}'s head as {path}."

    def load_head(self, path: str) -> str:
        self._note("load", path)
        return f"The classes are now those of {path}."

    def file(self, run: int, kind: TransferFile) -> bytes:
        self._note("file", (run, kind))
        self.results(run)
        return encode(grating(run, 16, signed=True)).data if kind.endswith(".png") else f"{kind} of run {run}".encode()

    def begin_upload(self, name: str, size: int) -> str:
        self._note("begin", (name, size))
        if not name.endswith(".zip"):
            raise PictureError(f"{name} is no zip: pack the folder that holds the class folders.")
        upload = f"upload-{len(self.uploads)}"
        self.uploads[upload] = bytearray()
        return upload

    def add_chunk(self, upload: str, offset: int, data: bytes) -> int:
        self._note("chunk", (upload, offset, len(data)))
        held = self.uploads[upload]
        if offset == len(held):
            held.extend(data)
        return len(held)

    def finish_upload(self, upload: str) -> str:
        self._note("finish", upload)
        if b"../" in self.uploads[upload]:
            raise PictureError("The zip names ../up.jpg, outside its own folder: it was refused, and nothing of it was unpacked.")
        return f"/kept/{upload}"

    def cancel_upload(self, upload: str) -> None:
        self._note("cancel", upload)
        self.uploads.pop(upload, None)

    # What a test moves along

    def _note(self, kind: str, what: Any) -> None:
        self.calls.append((kind, what))
        if self.error is not None:
            raise self.error

    def publish(self) -> None:
        self.service.publish("transfer")

    def change(self, run: int | None = None, **fields: Any) -> None:
        """Change the run's summary, the running one's by default; nobody is told."""
        number = run if run is not None else self.running
        assert number is not None
        self.runs[number] = replace(self.runs[number], **fields)

    def features(self, done: int, total: int, rate: float = 120.0) -> None:
        self.change(phase="features", progress=Progress("features", done, total, rate), seconds=done / rate)
        self.publish()

    def train(self, fold: int, decay: float, steps: int = 8, final: bool = False, tell: bool = True) -> None:
        """So many steps of one head."""
        assert self.running is not None
        taken, summary = self.taken[self.running], self.runs[self.running]
        for step in range(steps):
            loss = 0.15 + (2.4 if decay > 1e-3 else 0.8) / (1 + step)
            accuracy = 1 - 0.8 / (2 + step) - 0.01 * fold
            taken.append(HeadStep(fold, decay, step, loss, accuracy, None if final else accuracy - 0.08))
        self.change(phase="training", progress=Progress("head", len(summary.per_fold), summary.folds), steps=len(taken))
        if tell:
            self.publish()

    def finish_fold(self, accuracy: float, decay: float = 1e-3) -> None:
        assert self.running is not None
        summary = self.runs[self.running]
        folds = (*summary.per_fold, accuracy)
        self.change(
            per_fold=folds, weight_decays=(*summary.weight_decays, decay), features="256 x 6 x 6 = 9,216 of pool5, one crop",
            progress=Progress("head", len(folds), summary.folds), seconds=12.0 + 3 * len(folds),
        )  # fmt: skip
        self.publish()

    def draw_curve(self, counts: Sequence[int], done: int | None = None) -> None:
        assert self.running is not None
        summary, numbers = self.runs[self.running], tuple(counts[:done])
        means, stds = tuple(0.9 - 0.6 / (1 + n / 3) for n in numbers), tuple(0.03 / n for n in numbers)
        model = ("caltech101", "fakenet", summary.layer, summary.features)
        curve = LearningCurve(*model, numbers, means, stds, summary.folds, 0, len(numbers) == len(counts))
        total = summary.folds * len(counts)
        progress = Progress("curve", summary.folds * len(numbers), total, message=f"{numbers[-1]} per class")
        self.change(phase="curve", curve=curve, progress=progress)
        self.publish()

    def end(self, phase: Phase = "done", problem: str | None = None) -> None:
        self.change(phase=phase, progress=None, problem=problem)
        self.running = None
        self.publish()

    def whole_run(self, **settings: Any) -> int:
        """A run from its start to its end."""
        run = self.start(TransferSettings(**{"data": "caltech101", **settings}))
        folds = self.runs[run].folds
        for fold in range(folds):
            for decay in (1e-2, 1e-3, 1e-4):
                self.train(fold, decay, tell=False)
            self.train(fold, 1e-3, final=True, tell=False)
            self.finish_fold(0.85 + 0.005 * fold)
        self.end()
        return run


class FakeTransferService(FakeService):
    """Implements service.protocol.SupportsTransfer."""

    def __init__(self, ready: bool = True) -> None:
        super().__init__(ready)
        self._api = FakeTransferApi(self)

    @property
    def transfer(self) -> FakeTransferApi:
        return self._api
