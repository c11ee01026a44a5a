"""Training a classifier for another dataset on fixed features of a layer, by the published protocol.

Source: Zeiler & Fergus 2014, sections 5.2 and 5.3: n random training images per class, at most 50 of the remaining images per class for
testing, several folds, accuracy averaged over classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from deconvwidgets.arguments import instance, positive_number
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import HeadError, JobCancelledError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.transfer.compute.checks import checked_callback, checked_curve, checked_protocol
from deconvwidgets.instruments.transfer.compute.experiment import TransferExperiment
from deconvwidgets.instruments.transfer.compute.feature_crops import Crops
from deconvwidgets.instruments.transfer.compute.features import Store
from deconvwidgets.instruments.transfer.compute.folds import SoftmaxTrainer, SvmTrainer
from deconvwidgets.instruments.transfer.compute.muted_units import UnitsOfLayers
from deconvwidgets.instruments.transfer.compute.svm import COST
from deconvwidgets.instruments.transfer.records import HeadReport, HeadStep, LearningCurve
from deconvwidgets.models.bundle import ModelBundle


def train_softmax_head(
    bundle: ModelBundle,
    dataset: ImageSet | Any,
    layer: str | None = None,
    images_per_class: int = 30,
    folds: int = 5,
    seed: int = 0,
    *,
    views: Crops = "one",
    weight_decay: float | Sequence[float] | None = None,
    temperature: float | None = None,
    muted: UnitsOfLayers | None = None,
    progress: bool = True,
    path: str | Path | None = None,
    store: Store = "disk",
    device: str = "auto",
    job: JobContext | None = None,
    on_step: Callable[[HeadStep], None] | None = None,
    on_fold: Callable[[HeadReport], None] | None = None,
) -> HeadReport:
    """Train and test a softmax classifier on the features of a layer, fold by fold (Zeiler & Fergus 2014, sections 5.2 and 5.3).

    A run that is cancelled after its first fold returns the report of the folds so far, with `complete` False.

    Parameters
    ----------
    bundle : ModelBundle
        The model.
    dataset : ImageSet, or any argument of `open_images`
        Labelled photographs: an ImageSet, "caltech101", a folder of class folders, a torchvision dataset, ... A class without a readable
        photograph is left out, with a warning.
    layer : str, optional
        Name or alias; by default the deepest layer with feature maps (pool5 of AlexNet). More than 10,000 values are average-pooled.
    images_per_class : int
        Number of training images per class.
    folds : int
        Number of random splits.
    seed : int
        The seed of the splits and of the held-out images. A run is reproducible on the same machine, device and number of threads.
    views : {"one", "flips", "ten"}
        The crops of a photograph. "one": the crop of the model's transform. "flips": the features of this crop and of its mirror image,
        side by side. "ten": the mean features of five crops and of their mirror images, side by side. The head of the report is trained
        on the unmirrored features only, since a model has one input per photograph; `head.report` has its accuracy on the first fold.
    weight_decay : float or sequence of float, optional
        The weight of half the squared norm of the weights, added to the mean cross entropy, for features scaled to a mean squared norm of
        1. Of several, each fold uses the one with the smallest log loss on a held-out fifth of its training images, at its temperature
        (of equal ones, the one with the best accuracy), and then trains on all of them. If the fifth is less than 100 images, each fifth
        is held out in turn, and the strongest weight decay is used whose log loss is the smallest within half a standard error. By
        default six are tried, from 1e-1 to 1e-6; if the last is the best, also 1e-7.
    temperature : float, optional
        The logits are divided by it, which changes the probabilities and no prediction; the weights and the bias of the head include it.
        By default it is fitted on the held-out images (Guo et al. 2017), or 1 if `weight_decay` is one number: nothing is held out then.
    muted : mapping of str to sequence of int, or sequence of (str, int), optional
        Units that the head is trained without, such as {"conv5": [133, 254]}: the head has weights of zero for them. They belong to the
        layer of the head, or to one below it that leads to it by pooling only. `mute_units` compares the results.
    progress : bool
        Show progress bars.
    path : str or Path, optional
        The folder for the features, which later runs reuse; by default in the cache.
    store : {"disk", "memory"}
        "memory" does not store the features.
    device : str
        "auto", "cpu", "cuda:1", ...
    job : JobContext, optional
        Progress and cancellation.
    on_step : callable, optional
        Called with a HeadStep after each training step.
    on_fold : callable, optional
        Called with the HeadReport so far after each fold.

    Raises
    ------
    HeadError
        If a class has too few photographs, if there are fewer than two classes, or for an invalid weight decay or number of folds.
    LayerError
        For an unknown layer.
    PictureError
        If the dataset cannot be opened.
    JobCancelledError
        If the job is cancelled during the first fold.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> report = dw.train_softmax_head(
    ...     dw.load_model("alexnet"), dw.open_images("photo-crops"), "conv1", images_per_class=2, folds=1, store="memory", progress=False
    ... )
    >>> report.features
    '64 x 12 x 12 = 9,216 of conv1, average-pooled from 55 x 55, one crop'
    >>> len(report.per_fold)
    1
    """
    images_per_class, folds, seed = checked_protocol(images_per_class, folds, seed)
    trainer = SoftmaxTrainer.of(weight_decay, temperature, checked_callback(on_step, "on_step"))
    experiment = TransferExperiment.prepare(bundle, dataset, layer, images_per_class, views, progress, path, store, device, job, on_fold)
    return experiment.without(muted).run(trainer, images_per_class, folds, seed)


def train_svm_head(
    bundle: ModelBundle,
    dataset: ImageSet | Any,
    layer: str | None = None,
    images_per_class: int = 30,
    folds: int = 5,
    seed: int = 0,
    *,
    views: Crops = "one",
    cost: float = COST,
    progress: bool = True,
    path: str | Path | None = None,
    store: Store = "disk",
    device: str = "auto",
    job: JobContext | None = None,
    on_fold: Callable[[HeadReport], None] | None = None,
) -> HeadReport:
    """Train and test a linear SVM, one class against the rest, by scikit-learn on the CPU (Zeiler & Fergus 2014, table 7).

    Parameters
    ----------
    bundle, dataset, layer, images_per_class, folds, seed, views, progress, path, store, device, job, on_fold
        As in `train_softmax_head`.
    cost : float
        scikit-learn's C, for features scaled to a mean squared norm of 1.

    Raises
    ------
    HeadError
        As in `train_softmax_head`, and if scikit-learn is not installed.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> report = dw.train_svm_head(
    ...     dw.load_model("alexnet"), dw.open_images("photo-crops"), "conv1", images_per_class=2, folds=1, store="memory", progress=False
    ... )
    >>> report.classifier
    'linear SVM'
    """
    images_per_class, folds, seed = checked_protocol(images_per_class, folds, seed)
    trainer = SvmTrainer(positive_number(cost, "cost", HeadError))
    experiment = TransferExperiment.prepare(bundle, dataset, layer, images_per_class, views, progress, path, store, device, job, on_fold)
    return experiment.run(trainer, images_per_class, folds, seed)


def learning_curve(
    bundle: ModelBundle,
    dataset: ImageSet | Any,
    layer: str | None = None,
    images_per_class: Sequence[int] = (1, 5, 10, 15, 20, 25, 30),
    folds: int = 5,
    seed: int = 0,
    *,
    views: Crops = "one",
    weight_decay: float | Sequence[float] | None = None,
    muted: UnitsOfLayers | None = None,
    progress: bool = True,
    path: str | Path | None = None,
    store: Store = "disk",
    device: str = "auto",
    job: JobContext | None = None,
    on_step: Callable[[HeadStep], None] | None = None,
    on_fold: Callable[[HeadReport], None] | None = None,
    on_point: Callable[[LearningCurve], None] = lambda curve: None,
    known: HeadReport | None = None,
) -> LearningCurve:
    """Measure the accuracy of a softmax classifier by the number of training images per class.

    A run that is cancelled after its first point returns the curve so far, with `complete` False.

    Parameters
    ----------
    bundle, dataset, layer, folds, seed, views, weight_decay, muted, progress, path, store, device, job, on_step, on_fold
        As in `train_softmax_head`.
    images_per_class : sequence of int
        The numbers of training images per class.
    on_point : callable
        Called with the LearningCurve so far after each number.
    known : HeadReport, optional
        A complete report of `train_softmax_head` with the same settings, which is used for its number of images.

    Raises
    ------
    HeadError
        As in `train_softmax_head`, and if there is no number of training images.
    JobCancelledError
        If the job is cancelled before the first point is complete.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> curve = dw.learning_curve(
    ...     dw.load_model("alexnet"), dw.open_images("photo-crops"), "conv1", (1, 2), folds=1, store="memory", progress=False
    ... )
    >>> curve.images_per_class, len(curve.means)
    ((1, 2), 2)
    """
    trainer = SoftmaxTrainer.of(weight_decay, on_step=checked_callback(on_step, "on_step"))
    sizes, folds, seed = checked_curve(images_per_class, folds, seed)
    checked_callback(on_point, "on_point", required=True)
    known = None if known is None else instance(known, HeadReport, "known", HeadError)
    experiment = TransferExperiment.prepare(bundle, dataset, layer, sizes[-1], views, progress, path, store, device, job, on_fold)
    experiment = experiment.without(muted)
    reports: list[HeadReport] = []
    for size in sizes:
        try:
            report = known if known is not None and known.images_per_class == size else experiment.run(trainer, size, folds, seed)
        except JobCancelledError:
            if not reports:
                raise
            break
        if not report.complete:
            break
        reports.append(report)
        on_point(_curve(reports, folds, len(sizes)))
    return _curve(reports, folds, len(sizes))


def _curve(reports: Sequence[HeadReport], folds: int, points: int) -> LearningCurve:
    if not reports:
        raise JobCancelledError("The learning curve was stopped before its first point was complete; the features stay on disk")
    first = reports[0]
    return LearningCurve(
        dataset=first.dataset,
        model=first.model,
        layer=first.layer,
        features=first.features,
        images_per_class=tuple(report.images_per_class for report in reports),
        means=tuple(report.mean for report in reports),
        stds=tuple(report.std for report in reports),
        folds=folds,
        seed=first.seed,
        complete=len(reports) == points,
    )
