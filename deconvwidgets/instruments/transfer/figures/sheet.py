"""The content of the figures of a run: its results, and the text that describes them."""

from __future__ import annotations

from dataclasses import dataclass

from deconvwidgets.figures.class_results import ClassResult, class_results
from deconvwidgets.instruments.transfer.records import CellPhotographs, TransferResults


@dataclass(frozen=True, slots=True, eq=False)
class TransferSheet:
    """The content of the figures of a run."""

    model: str
    weights: str
    results: TransferResults
    settings: tuple[tuple[str, str], ...]  # (name, value)
    digests: tuple[tuple[str, str], ...]  # (name, value)
    photographs: CellPhotographs | None = None  # for a page

    def title(self) -> str:
        """Return the model, the layer and the dataset."""
        return f"{self.model} · {self.results.summary.layer} · {self.results.summary.dataset}"

    def subtitle(self) -> str:
        """Return the classifier, the number of training images, and the number of classes."""
        run = self.results.summary
        return f"softmax, {run.images_per_class} training images per class, {len(self.results.categories):,} classes"

    def headline(self) -> str:
        """Return mean and standard deviation, such as "85.3 ± 0.6%"."""
        run = self.results.summary
        mean, std = 100 * (run.mean or 0.0), 100 * (run.std or 0.0)
        return f"{mean:.1f} ± {std:.1f}%" if len(run.per_fold) > 1 else f"{mean:.1f}%"

    def progress(self) -> str:
        """Return the number of complete folds, the duration, and the phase of an incomplete run."""
        run = self.results.summary
        folds = f"{len(run.per_fold)} of {run.folds} fold{'' if run.folds == 1 else 's'}"
        return f"{folds}, {run.seconds:,.0f} s" + (f" ({run.phase})" if run.phase != "done" else "")

    def calibration(self) -> str:
        """Return the mean confidence, the expected calibration error and the log loss; empty without probabilities."""
        found = self.results.summary.calibration
        if found is None:
            return ""
        return found.describe() + ("" if found.log_loss is None else f", log loss {found.log_loss:.3f}")

    def classes(self) -> list[ClassResult]:
        """Return the results of all classes, in the order of the categories."""
        results = self.results
        return class_results(results.categories, results.class_tests, results.class_accuracy, results.confusion)

    def caption(self) -> str:
        """Return how the accuracy is computed, the origin of the weights, and the protocol."""
        tests = int(self.results.class_tests.sum())
        chosen = (
            ", and weight decay and temperature are chosen on held-out training images" if self.results.summary.weight_decay is None else ""
        )
        return (
            f"Accuracy is averaged over classes; {tests:,} tests in total, at most 50 per class and fold; mean and standard deviation over "
            f"folds. The training and test images of a fold are disjoint{chosen}. "
            f"Weights: {self.weights.rstrip('.')}. Protocol: Zeiler & Fergus 2014, sections 5.2 and 5.3."
        )
