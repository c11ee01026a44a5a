"""Random results of runs. All numbers are computed from a list of test photographs."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Answer = tuple[dict[str, Any], list[bytes]]
PAPER = [
    {"description": "paper: new softmax, 30 per class (table 4)", "mean": 86.5, "std": 0.5},
    {"description": "paper: softmax on layer 5, 30 per class (table 7)", "mean": 82.9, "std": 0.4},
    {"description": "paper: from scratch, 30 per class (table 4)", "mean": 46.5, "std": 1.7},
]

OVERVIEW = {"model": "alexnet", "trained": True, "weights": "torchvision", "device": "cpu", "units": []}
SIZES = {"photographs": 4, "categories": ["a", "b"], "sizes": [2, 2], "most": 1}
DATA = {"name": "Caltech-101", **SIZES, "problem": None, "notes": [], "skipped": []}


class FakeRun:
    """A run with `done` complete folds of `folds`. Each class is confused with its neighbours; `errors` is the mean error rate."""

    def __init__(
        self,
        run: int,
        categories: Sequence[str],
        folds: int = 5,
        done: int | None = None,
        errors: float = 0.15,
        confidences: bool = True,
        untested: Sequence[int] = (),
        skipped: int = 0,
        **summary: Any,
    ) -> None:
        self.run, self.categories, self.folds, self.confidences = run, list(categories), folds, confidences
        self.done = folds if done is None else done
        self.skipped = [{"name": f"class-{number}/broken-{number}.jpg", "reason": "cannot be decoded"} for number in range(skipped)]
        generator = np.random.default_rng(run)
        count = len(categories)
        difficulty = np.clip(generator.gamma(1.2, errors / 1.2, count), 0, 0.7)
        rows = []
        for truth in range(count):
            sources = truth * 100 + np.arange(int(generator.integers(20, 60)))
            neighbours = [(truth + step) % count for step in (1, 2, 7)]
            for fold in range(0 if truth in untested else self.done):
                for source in generator.permutation(sources)[: max(6, len(sources) // 2)]:
                    wrong = generator.random() < difficulty[truth]
                    prediction = int(generator.choice(neighbours, p=[0.7, 0.2, 0.1])) if wrong else truth
                    rows.append((source, fold, truth, prediction, generator.uniform(0.3, 1)))
        self.tests = np.array(rows or np.zeros((0, 5)), dtype=np.float64)
        self.changes = summary

    def counts(self) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]:
        """Return the accuracy and the number of tests of each class, and the confusion matrix."""
        count = len(self.categories)
        truths, predictions = self.tests[:, 2].astype(int), self.tests[:, 3].astype(int)
        confusion = np.zeros((count, count), np.int32)
        np.add.at(confusion, (truths, predictions), 1)
        tests = confusion.sum(1).astype(np.int32)
        accuracy = np.where(tests > 0, np.diag(confusion) / np.maximum(tests, 1), np.nan).astype(np.float32)
        return accuracy, tests, confusion

    def per_fold(self) -> list[float]:
        shares = []
        for fold in range(self.done):
            rows = self.tests[self.tests[:, 1] == fold]
            right = rows[:, 2] == rows[:, 3]
            shares.append(float(np.mean([right[rows[:, 2] == truth].mean() for truth in np.unique(rows[:, 2])])))
        return shares

    def summary(self) -> dict[str, Any]:
        per_fold = self.per_fold()
        defaults: dict[str, Any] = {
            "run": self.run,
            "phase": "done" if self.done == self.folds else "training",
            "dataset": "Caltech-101",
            "layer": "pool5",
            "images_per_class": 30,
            "folds": self.folds,
            "weight_decay": None,
            "views": "one",
            "per_fold": per_fold,
            "weight_decays": [0.001] * self.done,
            "temperatures": [0.8] * self.done,
            "calibration": None,
            "without": "",
            "base": None,
            "change": "",
            "features": "9,216 of pool5" if self.done else "",
            "seconds": 31.0 * self.done,
            "steps": 0,
            "progress": None,
            "problem": None,
            "curve": None,
            "paper": PAPER,
            "classes": len(self.categories),
            "mean": float(np.mean(per_fold)) if per_fold else None,
            "std": float(np.std(per_fold)) if per_fold else None,
        }
        return {**defaults, **self.changes}


class FakeResults:
    """Answers the requests of the results area, and records them."""

    def __init__(self, *runs: FakeRun, image: Callable[[int, int], Image.Image] | None = None) -> None:
        self.runs = {run.run: run for run in runs}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.used: int | None = None
        self.next_status: dict[str, Any] | None = None
        self.errors: dict[str, str] = {}  # request -> message
        self.image = image or noise

    def status(self, **changes: Any) -> dict[str, Any]:
        runs = [run.summary() for run in self.runs.values()]
        defaults = {"choices": [], "layers": [], "running": None, "runs": runs, "classifier": self.classifier()}
        return {**defaults, "used": self.used, "can_undo": self.used is not None, **changes}

    def classifier(self) -> str:
        return "ImageNet" if self.used is None else f"Caltech-101's 12 classes (head of run {self.used})"

    def answer(self, kind: str, fields: dict[str, Any]) -> Answer:
        """Return the answer to a request. Raises ValueError with a message."""
        if kind in ("hello", "status", "data"):
            return {"overview": OVERVIEW, "status": self.next_status or self.status(), "summary": DATA}, []
        if kind in ("plotly", "chart"):
            raise ValueError("There are no charts here.")
        self.calls.append((kind, fields))
        if kind in self.errors:
            raise ValueError(self.errors[kind])
        handler: Callable[[dict[str, Any]], Answer] = getattr(self, f"_{kind}")
        return handler(fields)

    def _run(self, fields: dict[str, Any]) -> Answer:
        run = self.runs[fields["run"]]
        content = {"summary": run.summary(), "categories": run.categories, "skipped": run.skipped, "has_confidences": run.confidences}
        return content, [array.tobytes() for array in run.counts()]

    def _photographs(self, fields: dict[str, Any]) -> Answer:
        run = self.runs[fields["run"]]
        rows = run.tests
        for name, column in (("truth", 2), ("prediction", 3)):
            if name in fields:
                rows = rows[rows[:, column] == fields[name]]
        if "right" in fields:
            rows = rows[(rows[:, 2] == rows[:, 3]) == fields["right"]]
        rows = rows[np.argsort(-rows[:, 4], kind="stable")]
        keys = ("source", "fold", "truth", "prediction")
        found = []
        for row in rows[: fields["limit"]]:
            numbers = {key: int(value) for key, value in zip(keys, row[:4], strict=True)}
            name = f"{run.categories[numbers['truth']]}/image_{numbers['source'] % 100:04d}.jpg"
            found.append({**numbers, "name": name, "confidence": float(row[4]) if run.confidences else None})
        return {"photographs": found, "total": len(rows)}, []

    def _thumbnails(self, fields: dict[str, Any]) -> Answer:
        size = fields["size"]
        images = [self.image(source, size) for source in fields["sources"]]
        data = []
        for image in images:
            buffer = io.BytesIO()
            image.save(buffer, "JPEG")
            data.append(buffer.getvalue())
        return {"images": [{"mime": "image/jpeg", "width": size, "height": size}] * len(data)}, data

    def _use_head(self, fields: dict[str, Any]) -> Answer:
        return self._set_head(fields["run"])

    def _undo_head(self, fields: dict[str, Any]) -> Answer:
        return self._set_head(None)

    def _set_head(self, run: int | None) -> Answer:
        before, self.used = self.classifier(), run
        return {"message": f"alexnet now predicts {self.classifier()}; before: {before}."}, []

    def _save_head(self, fields: dict[str, Any]) -> Answer:
        return {"message": f"Saved as {fields['path']}."}, []

    def _solve_again(self, fields: dict[str, Any]) -> Answer:
        return {"run": 2, "message": f"Run 2 leaves out {fields['units']} of run {fields['run']}."}, []

    def _load_head(self, fields: dict[str, Any]) -> Answer:
        return {"message": f"alexnet now predicts the classes of {fields['path']}; before: {self.classifier()}."}, []

    def _file(self, fields: dict[str, Any]) -> Answer:
        return {"mime": "text/csv", "name": f"run{fields['run']}-{fields['file']}"}, [b"class,accuracy\n"]


def noise(source: int, size: int) -> Image.Image:
    """Return a noise image that depends on the source."""
    pixels = np.random.default_rng(source).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((size, size))
