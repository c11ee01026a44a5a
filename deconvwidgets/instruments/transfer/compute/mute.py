"""Training a head again without units that look at the wrong thing, such as the background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deconvwidgets.compute.job import JobContext
from deconvwidgets.compute.paired import mcnemar_exact
from deconvwidgets.errors import HeadError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.transfer.compute.checks import checked_protocol
from deconvwidgets.instruments.transfer.compute.experiment import TransferExperiment
from deconvwidgets.instruments.transfer.compute.feature_crops import Crops
from deconvwidgets.instruments.transfer.compute.features import Store
from deconvwidgets.instruments.transfer.compute.folds import SoftmaxTrainer
from deconvwidgets.instruments.transfer.compute.muted_units import UnitsOfLayers
from deconvwidgets.instruments.transfer.muting import MuteReport
from deconvwidgets.instruments.transfer.records import HeadReport
from deconvwidgets.models.bundle import ModelBundle


def mute_units(
    bundle: ModelBundle,
    dataset: ImageSet | Any,
    units: UnitsOfLayers,
    layer: str | None = None,
    images_per_class: int = 30,
    folds: int = 5,
    seed: int = 0,
    *,
    views: Crops = "one",
    weight_decay: float | Sequence[float] | None = None,
    temperature: float | None = None,
    progress: bool = True,
    path: str | Path | None = None,
    store: Store = "disk",
    device: str = "auto",
    job: JobContext | None = None,
    on_fold: Callable[[HeadReport], None] | None = None,
) -> MuteReport:
    """Train heads with all units and heads without some, and compare them on the same test photographs.

    Leaving a unit out of the head is exact: its columns are dropped before the training, and the head has weights of zero for it. The
    features are computed once, so this takes seconds. The head is that of `train_softmax_head(..., muted=units)`.

    Parameters
    ----------
    bundle, dataset, layer, images_per_class, folds, seed, views, weight_decay, temperature, progress, path, store, device, job, on_fold
        As in `train_softmax_head`.
    units : mapping of str to sequence of int, or sequence of (str, int)
        The units to leave out, by layer: {"conv5": [133, 254]}, or [("conv5", 133), ("conv5", 254)]. They belong to the layer of the
        head, or to one below it that leads to it by pooling only: unit 133 of conv5 is unit 133 of pool5.

    Returns
    -------
    MuteReport
        Both results (accuracies are shares), the photographs and classes that changed, and the p-value of an exact sign test.

    Raises
    ------
    HeadError
        As in `train_softmax_head`, for units of other layers, and if there are no units, or all of them.
    LayerError
        For a layer or unit that does not exist.
    JobCancelledError
        If the job is cancelled before the last fold is complete.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> found = dw.mute_units(
    ...     dw.load_model("alexnet"), dw.open_images("photo-crops"), {"conv1": [3]}, "conv1", 2, 1, store="memory", progress=False
    ... )
    >>> found.units, bool(found.after.head.weight.reshape(28, 64, -1)[:, 3].any())
    ((('conv1', 3),), False)
    """
    images_per_class, folds, seed = checked_protocol(images_per_class, folds, seed)
    trainer = SoftmaxTrainer.of(weight_decay, temperature)
    experiment = TransferExperiment.prepare(bundle, dataset, layer, images_per_class, views, progress, path, store, device, job, on_fold)
    without = experiment.without(units)
    if not without.info.muted:
        raise HeadError("There are no units to leave out: name at least one.")
    before, after = (one.run(trainer, images_per_class, folds, seed) for one in (experiment, without))
    return compare_reports(before, after)


def compare_reports(before: HeadReport, after: HeadReport) -> MuteReport:
    """Return the comparison of heads with all units and of heads without some, for the folds that both have.

    Raises
    ------
    HeadError
        If they were not tested on the same photographs.
    """
    tests = min(len(before.sources), len(after.sources))
    same = before.categories == after.categories and before.seed == after.seed
    if not same or any(not np.array_equal(one[:tests], other[:tests]) for one, other in _tests(before, after)):
        raise HeadError("The heads were not tested on the same photographs: use the same data set, classes, numbers and seed.")
    truths = before.truths[:tests]
    was, now = (report.predictions[:tests] == truths for report in (before, after))
    numbers, rows = np.unique(before.sources[:tests], return_inverse=True)
    moved = np.bincount(rows, now.astype(np.float64) - was)
    right, wrong = numbers[moved > 0], numbers[moved < 0]
    counts = np.bincount(truths, minlength=len(before.categories))
    with np.errstate(invalid="ignore"):  # NaN for a class without tests
        changes = np.bincount(truths, now.astype(np.float64) - was, len(before.categories)) / counts
    return MuteReport(after.muted, before, after, right, wrong, mcnemar_exact(len(right), len(wrong)), changes)


def _tests(before: HeadReport, after: HeadReport) -> tuple[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]], ...]:
    return tuple((getattr(before, name), getattr(after, name)) for name in ("sources", "folds", "truths"))
