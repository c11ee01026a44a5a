"""A fake TransferApi that does not train. Tests advance its runs step by step, and read the recorded calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from deconvwidgets.errors import HeadError, PictureError
from deconvwidgets.instruments.transfer.muting import MuteReport, parse_units
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
from deconvwidgets.records.images import EncodedImage, SkippedImage, SourcePhotograph
from deconvwidgets.records.progress import Progress
from tests.widgets.fake_service import FakeService, encode, grating

KINDS = ("accordion", "bonsai", "cougar face", "dalmatian", "euphonium", "ferry", "gramophone", "hedgehog", "ibis", "joshua tree", "ketch")
CHOICES = (
    DataChoice("photo-crops", "crops of the photographs", "", images_per_class=4),
    DataChoice("caltech101", "Caltech-101", ""),
    DataChoice("caltech256", "Caltech-256", "The folder of Caltech-256 is not known. Pass root=..., or set DECONVWIDGETS_DATA."),
    DataChoice("images", "gratings: the photographs of this service", ""),
)
PAPER = (
    PaperRow("paper: new softmax, 30 per class (table 4)", 86.5, 0.5, 30),
    PaperRow("paper: new softmax, 15 per class (table 4)", 83.8, 0.5, 15),
)


class FakeTransferApi:
    """Implements service.protocol.TransferService."""

    def __init__(self, service: FakeTransferService) -> None:
        self.service = service
        self.calls: list[tuple[str, Any]] = []
        self.runs: dict[int, TransferRunSummary] = {}
        self.settings: dict[int, TransferSettings] = {}
        self.recorded_steps: dict[int, list[HeadStep]] = {}
        self.running: int | None = None
        self.used: int | None = None
        self.former_heads: list[int | None] = []
        self.error: Exception | None = None  # raised by recorded calls
        self.uploads: dict[str, bytearray] = {}
        self.data_problem: str | None = None

    def status(self) -> TransferStatus:
        layers = (("pool5", "pool5 · 256 x 6 x 6 = 9,216"), ("conv5", "conv5 · 256 x 13 x 13, averaged to 6 x 6"), ("conv4", "conv4"))
        return TransferStatus(
            CHOICES, layers, self.running, tuple(self.runs.values()), self.classifier(), self.used, bool(self.former_heads)
        )

    def classifier(self) -> str:
        return "ImageNet" if self.used is None else f"Caltech-101's {len(KINDS)} classes (head of run {self.used})"

    def data(self, settings: TransferSettings) -> TransferDataSummary:
        self._record("data", settings)
        if settings.data.startswith("/nowhere"):
            raise PictureError(f"There is no folder {settings.data}. Give a folder of images, 'photos', 'caltech101', or a data set.")
        sizes = tuple(40 + 7 * (number % 4) for number in range(len(KINDS)))
        most = min(sizes) - 1
        problem = self.data_problem
        if settings.images_per_class > most:
            problem = (
                f"3 classes of {len(KINDS)} with fewer than {settings.images_per_class + 1} images ({settings.images_per_class} to train, "
                f"1 or more to test): 'accordion' ({min(sizes)}). Use at most {most} per class, or remove these classes."
            )
        notes = ("2 files could not be read and will not be used: bonsai/image_0007.jpg, ibis/x.png",)
        skipped = (SkippedImage("bonsai/image_0007.jpg", "it is truncated"), SkippedImage("ibis/x.png", "it is not an image"))
        name = settings.data.rpartition("/")[2]
        return TransferDataSummary(name, sum(sizes), KINDS, sizes, most, problem, notes, skipped)

    def start(self, settings: TransferSettings) -> int:
        self._record("start", settings)
        if self.running is not None:
            self.stop()
        run = len(self.runs) + 1
        self.settings[run], self.recorded_steps[run], self.running = settings, [], run
        layer = settings.layer or "pool5"
        arguments = (settings.data, layer, settings.images_per_class, settings.folds, settings.weight_decay, settings.views)
        self.runs[run] = TransferRunSummary(run, "waiting", *arguments, (), (), "", 0.0, 0, None, None, None, PAPER)
        self.publish()
        return run

    def solve_again(self, units: Mapping[str, Sequence[int]] | Sequence[tuple[str, int]] | str, run: int | None = None) -> int:
        self._record("solve_again", (units, run))
        base = run or len(self.runs)
        if base not in self.settings:
            raise HeadError("There is no run to repeat: train a head first.")
        if isinstance(units, Mapping):
            units = [(layer, unit) for layer, members in units.items() for unit in members]
        pairs = parse_units(units) if isinstance(units, str) else tuple(units)
        number = self.start(self.settings[base])
        self.change(muted=pairs, base=base)
        return number

    def muting(self, run: int) -> MuteReport:
        raise HeadError(f"Run {run} has no complete fold yet")

    def stop(self) -> None:
        self._record("stop", None)
        if self.running is not None:
            self.change(phase="stopped", progress=None)
            self.running = None
            self.publish()

    def wait(self, run: int, timeout: float | None = None) -> None:
        self._record("wait", (run, timeout))

    def steps(self, run: int, since: int = 0) -> tuple[HeadStep, ...]:
        if run not in self.recorded_steps:
            raise HeadError(f"There is no run {run}; the last one is {len(self.runs)}.")
        return tuple(self.recorded_steps[run][since:])

    def results(self, run: int) -> TransferResults:
        summary = self.runs.get(run)
        if summary is None or not summary.per_fold:
            raise HeadError(f"Run {run} has no complete fold yet")
        generator = np.random.default_rng(run)
        classes = len(KINDS)
        confusion = np.diag(generator.integers(12, 20, classes)) + generator.poisson(0.3, (classes, classes))
        tests = confusion.sum(axis=1)
        accuracy = (np.diag(confusion) / tests).astype(np.float32)
        return TransferResults(summary, KINDS, accuracy, tests, confusion, (SkippedImage("ibis/x.png", "it is not an image"),), True)

    def photographs(self, run: int, request: TestsRequest) -> TestPhotographs:
        self._record("photographs", (run, request))
        confusion = self.results(run).confusion
        found = []
        for truth, prediction in zip(*np.nonzero(confusion), strict=True):
            matches = request.truth in (None, truth) and request.prediction in (None, prediction)
            if matches and request.right in (None, truth == prediction):
                for number in range(int(confusion[truth, prediction])):
                    name = f"{KINDS[truth]}/image_{number:04}.jpg"
                    source = number + 40 * int(truth)
                    found.append(TestPhotograph(source, name, 0, int(truth), int(prediction), 0.99 - 0.03 * number))
        found.sort(key=lambda test: -(test.confidence or 0))
        return TestPhotographs(tuple(found[: request.limit]), len(found))

    def photograph(self, run: int, source: int) -> SourcePhotograph:
        self._record("photograph", (run, source))
        return SourcePhotograph(encode(grating(source, 32, signed=False)), f"photograph-{source}.png", "bee")

    def thumbnails(self, run: int, sources: Sequence[int], size: int = 96) -> list[EncodedImage]:
        self._record("thumbnails", (run, tuple(sources), size))
        return [encode(grating(source, size, signed=False), "JPEG") for source in sources]

    def use_head(self, run: int) -> str:
        self._record("use", run)
        self.former_heads.append(self.used)
        return self._set_head(run)

    def undo_head(self) -> str:
        self._record("undo", None)
        if not self.former_heads:
            raise HeadError("There is nothing to undo: no head was put on the model here.")
        return self._set_head(self.former_heads.pop())

    def _set_head(self, run: int | None) -> str:
        before, self.used = self.classifier(), run
        self.service.publish("changed")
        return f"fakenet now predicts {self.classifier()}; before: {before}."

    def save_head(self, run: int, path: str) -> str:
        self._record("save", (run, path))
        return f"Saved as {path}."

    def load_head(self, path: str) -> str:
        self._record("load", path)
        return f"fakenet now predicts the classes of {path}; before: {self.classifier()}."

    def file(self, run: int, kind: TransferFile) -> bytes:
        self._record("file", (run, kind))
        self.results(run)
        return encode(grating(run, 16, signed=True)).data if kind.endswith(".png") else f"{kind} of run {run}".encode()

    def begin_upload(self, name: str, size: int) -> str:
        self._record("begin", (name, size))
        if not name.endswith(".zip"):
            raise PictureError(f"{name!r} is not a zip by its name: zip the folder that contains the class folders, and choose that file.")
        upload = f"upload-{len(self.uploads)}"
        self.uploads[upload] = bytearray()
        return upload

    def add_chunk(self, upload: str, offset: int, data: bytes) -> int:
        self._record("chunk", (upload, offset, len(data)))
        received = self.uploads[upload]
        if offset == len(received):
            received.extend(data)
        return len(received)

    def finish_upload(self, upload: str) -> str:
        self._record("finish", upload)
        if b"../" in self.uploads[upload]:
            raise PictureError("'../up.jpg' would be written outside the folder, so nothing was unpacked. Do not use this file.")
        return f"/uploads/{upload}"

    def cancel_upload(self, upload: str) -> None:
        self._record("cancel", upload)
        self.uploads.pop(upload, None)

    # Methods for tests

    def _record(self, kind: str, arguments: Any) -> None:
        self.calls.append((kind, arguments))
        if self.error is not None:
            raise self.error

    def publish(self) -> None:
        self.service.publish("transfer")

    def change(self, run: int | None = None, **fields: Any) -> None:
        """Change fields of a run's summary (by default of the active run), without an event."""
        number = run if run is not None else self.running
        assert number is not None
        self.runs[number] = replace(self.runs[number], **fields)

    def features(self, done: int, total: int, rate: float = 120.0) -> None:
        self.change(phase="features", progress=Progress("features", done, total, rate), seconds=done / rate)
        self.publish()

    def train(self, fold: int, decay: float, steps: int = 8, final: bool = False, publish: bool = True) -> None:
        """Record some training steps of a head."""
        assert self.running is not None
        recorded, summary = self.recorded_steps[self.running], self.runs[self.running]
        for step in range(steps):
            loss = 0.15 + (2.4 if decay > 1e-3 else 0.8) / (1 + step)
            accuracy = 1 - 0.8 / (2 + step) - 0.01 * fold
            recorded.append(HeadStep(fold, decay, step, loss, accuracy, None if final else accuracy - 0.08))
        self.change(phase="training", progress=Progress("head", len(summary.per_fold), summary.folds), steps=len(recorded))
        if publish:
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
        """Record a complete run, and return its number."""
        run = self.start(TransferSettings(**{"data": "caltech101", **settings}))
        folds = self.runs[run].folds
        for fold in range(folds):
            for decay in (1e-2, 1e-3, 1e-4):
                self.train(fold, decay, publish=False)
            self.train(fold, 1e-3, final=True, publish=False)
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
