"""What the figures of a retraining run show: its results, and the words that say how they came about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deconvwidgets.instruments.transfer.records import TransferResults


@dataclass(frozen=True, slots=True, eq=False)
class ClassResult:
    """One class: `accuracy` is a share of its `tests`; `mistake` is the class that it was taken for most often, `times` so."""

    name: str
    tests: int
    accuracy: float  # NaN without tests
    mistake: str
    times: int


@dataclass(frozen=True, slots=True, eq=False)
class TransferSheet:
    """Everything that a figure says of a run. `settings` and `digests` are (name, value) in words."""

    model: str
    weights: str
    view: TransferResults
    settings: tuple[tuple[str, str], ...]
    digests: tuple[tuple[str, str], ...]

    def title(self) -> str:
        """Model, layer and data."""
        return f"{self.model} · {self.view.summary.layer} · {self.view.summary.dataset}"

    def subtitle(self) -> str:
        """The protocol."""
        run = self.view.summary
        return f"softmax, {run.images_per_class} training images a class, {len(self.view.categories):,} classes"

    def headline(self) -> str:
        """Mean and standard deviation: "85.3 ± 0.6 %"."""
        run = self.view.summary
        mean, std = 100 * (run.mean or 0.0), 100 * (run.std or 0.0)
        return f"{mean:.1f} ± {std:.1f} %" if len(run.per_fold) > 1 else f"{mean:.1f} %"

    def progress(self) -> str:
        """How much of the run that is."""
        run = self.view.summary
        folds = f"{len(run.per_fold)} of {run.folds} fold{'' if run.folds == 1 else 's'}"
        return f"{folds}, {run.seconds:,.0f} s" + (f" ({run.phase})" if run.phase != "done" else "")

    def classes(self) -> list[ClassResult]:
        """In the order of the categories."""
        view, found = self.view, []
        for number, name in enumerate(view.categories):
            wrong = view.confusion[number].copy()
            wrong[number] = 0
            times = int(wrong.max(initial=0))
            mistake = view.categories[int(wrong.argmax())] if times else ""
            found.append(ClassResult(name, int(view.class_tests[number]), float(view.class_accuracy[number]), mistake, times))
        return found

    def ranked(self) -> list[ClassResult]:
        """The classes that were tested, the best first."""
        tested = [one for one in self.classes() if not np.isnan(one.accuracy)]
        return sorted(tested, key=lambda one: -one.accuracy)

    def worst(self, most: int) -> list[ClassResult]:
        """The classes with a mistake, the worst first."""
        return [one for one in reversed(self.ranked()) if one.accuracy < 1][:most]

    def caption(self) -> str:
        """Source, protocol and weights."""
        tests = int(self.view.class_tests.sum())
        chosen = ", and no weight decay was chosen on test images" if self.view.summary.weight_decay is None else ""
        return (
            f"Accuracy is averaged over classes; {tests:,} tests in all, at most 50 a class and fold; mean and standard deviation over "
            f"folds. No image is both trained on and tested in a fold{chosen}. "
            f"Weights: {self.weights.rstrip('.')}. Protocol: Zeiler & Fergus 2014, sections 5.2 and 5.3."
        )
