"""The results of Zeiler & Fergus 2014 for the transfer experiments, for comparison: mean accuracies over classes, in percent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from deconvwidgets.instruments.transfer.records import PaperRow

Dataset = Literal["Caltech-101", "Caltech-256"]
Classifier = Literal["softmax", "linear SVM"]


@dataclass(frozen=True, slots=True)
class PaperResult:
    """A number from a table of the paper."""

    table: int
    dataset: Dataset
    images_per_class: int
    layer: int | None  # of the features, 1 to 7; None: the whole network below the softmax (layer 7)
    classifier: Classifier
    mean: float
    std: float | None
    pretrained: bool = True

    def row(self) -> PaperRow:
        """Return the result with a description, such as "paper: new softmax, 30 per class (table 4)"."""
        if not self.pretrained:
            method = "from scratch"
        elif self.layer is None:
            method = "new softmax"
        else:
            method = f"{'SVM' if self.classifier == 'linear SVM' else 'softmax'} on layer {self.layer}"
        description = f"paper: {method}, {self.images_per_class} per class (table {self.table})"
        return PaperRow(description, self.mean, self.std, self.images_per_class)


def _by_images(table: int, dataset: Dataset, pretrained: bool, *numbers: tuple[int, float, float]) -> list[PaperResult]:
    return [PaperResult(table, dataset, images, None, "softmax", mean, std, pretrained) for images, mean, std in numbers]


def _by_layer(classifier: Classifier, *numbers: tuple[int, float, float]) -> Iterable[PaperResult]:
    for layer, caltech101, caltech256 in numbers:
        yield PaperResult(7, "Caltech-101", 30, layer, classifier, caltech101, None)
        yield PaperResult(7, "Caltech-256", 60, layer, classifier, caltech256, None)


RESULTS: tuple[PaperResult, ...] = (
    *_by_images(4, "Caltech-101", True, (15, 83.8, 0.5), (30, 86.5, 0.5)),
    *_by_images(4, "Caltech-101", False, (15, 22.8, 1.5), (30, 46.5, 1.7)),
    *_by_images(5, "Caltech-256", True, (15, 65.7, 0.2), (30, 70.6, 0.2), (45, 72.7, 0.4), (60, 74.2, 0.3)),
    *_by_images(5, "Caltech-256", False, (15, 9.0, 1.4), (30, 22.5, 0.7), (45, 31.2, 0.8), (60, 38.8, 1.4)),
    *_by_layer("softmax", (5, 82.9, 65.7), (7, 85.4, 72.6)),
    *_by_layer("linear SVM", (1, 44.8, 24.6), (2, 66.2, 39.6), (3, 72.3, 46.0), (4, 76.6, 51.3), (5, 86.2, 65.6), (7, 85.5, 71.7)),
)


def paper_rows(
    dataset: str, images_per_class: int, layer: str | None = None, convolutions: int = 5, curve: bool = False
) -> tuple[PaperRow, ...]:
    """Return the results of the paper that are comparable to a run.

    Parameters
    ----------
    dataset : str
        The dataset of the run. There are results for "Caltech-101" and "Caltech-256" only.
    images_per_class : int
        The number of training images per class. If the paper has no results for it, those of the next smaller and larger number are
        returned.
    layer : str, optional
        The alias of the layer ("pool5"). The results of table 7 for this layer come first.
    convolutions : int
        The number of convolutions of the model. Only the layers of models with five correspond to those of the paper.
    curve : bool
        Also return the results of pretrained features for all other numbers of training images.
    """
    results = [result for result in RESULTS if result.dataset == dataset]
    nearest = _nearest({result.images_per_class for result in results if result.table != 7}, images_per_class)
    number = _layer_number(layer) if convolutions == 5 else None
    same_layer = [result for result in results if (result.table, result.layer, result.images_per_class) == (7, number, images_per_class)]
    whole = [result for result in results if result.table != 7 and (result.images_per_class in nearest or (curve and result.pretrained))]
    ordered = sorted(whole, key=lambda result: (not result.pretrained, result.images_per_class not in nearest))
    return tuple(result.row() for result in [*same_layer, *ordered])


def _nearest(numbers: Iterable[int], number: int) -> set[int]:
    """Return `number` if it is among the numbers, else its neighbours."""
    lower = [other for other in numbers if other <= number]
    higher = [other for other in numbers if other >= number]
    neighbours = {*([max(lower)] if lower else []), *([min(higher)] if higher else [])}
    return {number} if number in neighbours else neighbours


def _layer_number(layer: str | None) -> int | None:
    """Return the paper's number of a layer: 5 for "conv5" and "pool5", 7 for "fc7"."""
    kind, number = (layer or "")[:-1], (layer or "")[-1:]
    if number not in "1234567" or kind not in ("conv", "pool", "fc") or not number:
        return None
    return int(number) if (kind == "fc") == (int(number) > 5) else None
