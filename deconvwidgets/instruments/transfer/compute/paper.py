"""What Zeiler & Fergus 2014 report of the transfer experiments, to stand beside our runs. Mean accuracies over classes, in percent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from deconvwidgets.instruments.transfer.records import PaperRow

Dataset = Literal["Caltech-101", "Caltech-256"]
Classifier = Literal["softmax", "linear SVM"]


@dataclass(frozen=True, slots=True)
class PaperResult:
    """One number of a table. `layer` is the layer of the features, 1 to 7; None: all of the network below the softmax (layer 7)."""

    table: int
    dataset: Dataset
    images_per_class: int
    layer: int | None
    classifier: Classifier
    mean: float
    std: float | None
    pretrained: bool = True

    def row(self) -> PaperRow:
        """The result with its words: "paper: new softmax, 30 a class (table 4)"."""
        if not self.pretrained:
            what = "from scratch"
        elif self.layer is None:
            what = "new softmax"
        else:
            what = f"{'SVM' if self.classifier == 'linear SVM' else 'softmax'} on layer {self.layer}"
        return PaperRow(f"paper: {what}, {self.images_per_class} a class (table {self.table})", self.mean, self.std, self.images_per_class)


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
    """The paper's results to set beside a run on `dataset` ("Caltech-101" or "Caltech-256", else there are none).

    Args:
        images_per_class: results with as many training images; between the paper's numbers, those of the next smaller and larger one.
        layer: the run's layer by its paper name ("pool5"): table 7's results on that layer come first, where it has them.
        convolutions: of the model. The paper's layers have counterparts in models of five alone.
        curve: the results of ImageNet features for all the paper's numbers of training images as well.
    """
    near = _nearest({one.images_per_class for one in RESULTS if one.dataset == dataset and one.table != 7}, images_per_class)
    number = _layer_number(layer) if convolutions == 5 else None
    own = [one for one in RESULTS if one.dataset == dataset]
    same_layer = [one for one in own if one.table == 7 and one.layer == number and one.images_per_class == images_per_class]
    whole = [one for one in own if one.table != 7 and (one.images_per_class in near or (curve and one.pretrained))]
    return tuple(one.row() for one in [*same_layer, *sorted(whole, key=lambda one: (not one.pretrained, one.images_per_class not in near))])


def _nearest(numbers: Iterable[int], wanted: int) -> set[int]:
    """`wanted`, where it is one of the numbers; else its neighbours."""
    below = [number for number in numbers if number <= wanted]
    above = [number for number in numbers if number >= wanted]
    ends = {*([max(below)] if below else []), *([min(above)] if above else [])}
    return {wanted} if wanted in ends else ends


def _layer_number(layer: str | None) -> int | None:
    """The paper's number of a layer: 5 for "conv5" and "pool5", 7 for "fc7"."""
    kind, number = (layer or "")[:-1], (layer or "")[-1:]
    if number not in "1234567" or kind not in ("conv", "pool", "fc") or not number:
        return None
    return int(number) if (kind == "fc") == (int(number) > 5) else None
