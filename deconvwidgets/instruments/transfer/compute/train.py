"""Retraining the classifier on another data set, on fixed features of any layer, by the published protocol.

Source: Zeiler & Fergus 2014, sections 5.2 and 5.3: n training images a class at random, at most 50 test images a class of the rest,
several folds, accuracy averaged over classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from deconvwidgets.compute.devices import on_device, reference_tensor
from deconvwidgets.compute.job import JobContext
from deconvwidgets.engine import Network
from deconvwidgets.errors import HeadError, JobCancelledError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import require_classes
from deconvwidgets.images.open import open_images
from deconvwidgets.instruments.transfer.compute.feature_crops import WORDS, Views
from deconvwidgets.instruments.transfer.compute.features import FeatureShape, Store, default_layer, extract_features
from deconvwidgets.instruments.transfer.compute.folds import FoldImages, HeadTrainer, SoftmaxTrainer, SvmTrainer, decays_of
from deconvwidgets.instruments.transfer.compute.protocol import TransferData
from deconvwidgets.instruments.transfer.compute.report import FoldResults, RunFacts
from deconvwidgets.instruments.transfer.compute.scores import class_accuracy
from deconvwidgets.instruments.transfer.compute.splits import draw_fold
from deconvwidgets.instruments.transfer.compute.svm import COST
from deconvwidgets.instruments.transfer.records import HeadReport, HeadStep, LearningCurve
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.progress import Progress


def train_softmax_head(
    bundle: ModelBundle,
    dataset: ImageSet | Any,
    layer: str | None = None,
    images_per_class: int = 30,
    folds: int = 5,
    seed: int = 0,
    *,
    views: Views = "one",
    weight_decay: float | Sequence[float] | None = None,
    progress: bool = True,
    path: str | Path | None = None,
    store: Store = "disk",
    device: str = "auto",
    job: JobContext | None = None,
    on_step: Callable[[HeadStep], None] | None = None,
    on_fold: Callable[[HeadReport], None] | None = None,
) -> HeadReport:
    """Train a softmax classifier on the features of `layer` for the classes of `dataset`, and test it, fold by fold.

    Args:
        dataset: a labelled ImageSet, or anything `open_images` takes ("caltech101", a folder of class folders, a torchvision data set).
        layer: name or alias; None for the deepest that has maps (AlexNet: pool5). Over 10,000 values are average-pooled.
        seed: draws the folds and the held-out images; a run repeats exactly on one machine, device and number of threads.
        views: "one"; "flips", features of each photograph and of its mirror image side by side; "ten", those of five crops, averaged, and
            of their mirror images. A model in place sees one view, so the report's head is trained on the unmirrored features alone
            (its own accuracy on the first fold is in `head.report`).
        weight_decay: on half the squared norm of the weights, for features scaled to a mean squared norm of 1, beside the mean cross
            entropy. Of several (None: five, from 1e-2 to 1e-6) each fold takes the best on a held-out fifth of its training images,
            then trains on all of them.
        path: the folder for the features (None: the cache), which later runs reuse; store="memory" keeps nothing.

    A run that is stopped after its first fold returns what is done, with `complete` False.
    Raises HeadError for classes that are too small or missing, LayerError, PictureError, and JobCancelledError when stopped before the
    first fold is done.
    """
    trainer = SoftmaxTrainer(decays_of(weight_decay), on_step)
    run = TransferRun.prepare(bundle, dataset, layer, images_per_class, views, progress, path, store, device, job, on_fold)
    return run.folds(trainer, images_per_class, folds, seed)


def train_svm_head(
    bundle: ModelBundle,
    dataset: ImageSet | Any,
    layer: str | None = None,
    images_per_class: int = 30,
    folds: int = 5,
    seed: int = 0,
    *,
    views: Views = "one",
    cost: float = COST,
    progress: bool = True,
    path: str | Path | None = None,
    store: Store = "disk",
    device: str = "auto",
    job: JobContext | None = None,
    on_fold: Callable[[HeadReport], None] | None = None,
) -> HeadReport:
    """The same with a linear SVM, one class against the rest (Zeiler & Fergus 2014, table 7); scikit-learn does the work, on the CPU.

    `cost` is scikit-learn's C, for features scaled to a mean squared norm of 1. Raises HeadError without scikit-learn.
    """
    trainer = SvmTrainer(cost)
    run = TransferRun.prepare(bundle, dataset, layer, images_per_class, views, progress, path, store, device, job, on_fold)
    return run.folds(trainer, images_per_class, folds, seed)


def learning_curve(
    bundle: ModelBundle,
    dataset: ImageSet | Any,
    layer: str | None = None,
    images_per_class: Sequence[int] = (1, 5, 10, 15, 20, 25, 30),
    folds: int = 5,
    seed: int = 0,
    *,
    views: Views = "one",
    weight_decay: float | Sequence[float] | None = None,
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
    """Accuracy by number of training images a class, as `train_softmax_head` measures it; `on_point` sees the curve after each number.

    `known` is what `train_softmax_head` gave with the same settings: its number of images is not trained with again.
    Stopped after its first number, it returns what is done, with `complete` False. Raises as `train_softmax_head` does.
    """
    trainer = SoftmaxTrainer(decays_of(weight_decay), on_step)
    sizes = tuple(sorted(set(images_per_class)))
    if not sizes:
        raise HeadError("A learning curve needs at least one number of training images, such as images_per_class=(5, 15, 30)")
    run = TransferRun.prepare(bundle, dataset, layer, sizes[-1], views, progress, path, store, device, job, on_fold)
    reports: list[HeadReport] = []
    for size in sizes:
        try:
            report = known if known is not None and known.images_per_class == size else run.folds(trainer, size, folds, seed)
        except JobCancelledError:
            if not reports:
                raise
            break
        if not report.complete:
            break
        reports.append(report)
        on_point(_curve(reports, folds, len(sizes)))
    if not reports:
        raise JobCancelledError("The learning curve was stopped before its first point was done; the features stay where they lie on disk")
    return _curve(reports, folds, len(sizes))


def _curve(reports: Sequence[HeadReport], folds: int, wanted: int) -> LearningCurve:
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
        complete=len(reports) == wanted,
    )


@dataclass(frozen=True)
class TransferRun:
    """A model's features of a data set, ready for any number of folds and trainers."""

    data: TransferData
    facts: RunFacts  # of the layer and the data; the protocol's numbers are filled in for each run
    progress: bool
    job: JobContext
    on_fold: Callable[[HeadReport], None] | None = None

    @classmethod
    def prepare(
        cls,
        bundle: ModelBundle,
        dataset: ImageSet | Any,
        layer: str | None,
        images_per_class: int,
        views: Views,
        progress: bool,
        path: str | Path | None,
        store: Store,
        device: str,
        job: JobContext | None,
        on_fold: Callable[[HeadReport], None] | None,
    ) -> TransferRun:
        """Check the classes, then compute the features, or find them."""
        images = open_images(dataset)
        require_classes(images, images_per_class)
        bundle, job = on_device(bundle, device), job or JobContext()
        network = bundle.network
        info = default_layer(network) if layer is None else network.layer(layer)
        features = extract_features(bundle, images, info.name, views, store, path, progress=progress, job=job)
        data = TransferData.of(images, features[info.name], reference_tensor(bundle.model).device)
        return cls(data, _facts(bundle, network, info, data, views), progress, job, on_fold)

    def folds(self, trainer: HeadTrainer, images_per_class: int, folds: int, seed: int) -> HeadReport:
        """Train and test. Raises HeadError, and JobCancelledError when stopped before the first fold is done."""
        if folds < 1:
            raise HeadError(f"folds={folds}: one fold is the least")
        facts = replace(self.facts, images_per_class=images_per_class, folds=folds, seed=seed, classifier=trainer.classifier)
        results = FoldResults(facts)
        with tqdm(total=folds, desc=f"{trainer.classifier}, {images_per_class} a class", unit="fold", disable=not self.progress) as bar:
            for fold in range(folds):
                try:
                    self._fold(trainer, results, fold)
                except JobCancelledError:
                    if not len(results):
                        raise
                    break
                bar.update()
                bar.set_postfix_str(f"{100 * np.mean(results.accuracies):.1f} %")
                self._report(results)
        return results.report()

    def _fold(self, trainer: HeadTrainer, results: FoldResults, fold: int) -> None:
        facts, data, lease = results.facts, self.data, self._checked_lease
        split = draw_fold(data.labels, facts.images_per_class, facts.seed, fold)
        truths = data.labels[split.test]
        images = FoldImages(fold, facts.seed, data.rows(split.train), data.labels[split.train], len(facts.categories))
        trained = trainer.train(images, lease)
        logits = data.logits(split.test, trained, lease)
        if fold == 0:
            head, own = trained, logits
            if data.kinds > 1:
                head = trainer.again(trained.weight_decay).train(replace(images, features=data.rows(split.train, plain=True)), lease)
                own = data.logits(split.test, head, lease, plain=True)
            results.set_head(head, class_accuracy(truths, own.argmax(1).numpy()))
        results.add(trained.weight_decay, split.test, truths, logits)

    @contextmanager
    def _checked_lease(self) -> Iterator[None]:
        """Enter the device lease. Raises JobCancelledError if the job was cancelled."""
        self.job.check_cancelled("Retraining was stopped before its first fold was complete; the features stay on disk")
        with self.job.device_lease():
            yield

    def _report(self, results: FoldResults) -> None:
        self.job.report(Progress("head", len(results), results.facts.folds))
        if self.on_fold is not None:
            self.on_fold(results.report())


def _facts(bundle: ModelBundle, network: Network, info: LayerInfo, data: TransferData, views: Views) -> RunFacts:
    shape = FeatureShape.of(info)
    return RunFacts(
        dataset=data.name,
        model=bundle.name,
        layer=info.name,
        alias=info.alias,
        pool=shape.pool,
        digest=network.digest(info.name),
        features=f"{shape.in_words(info.short_name)}, {WORDS[views]}",
        views=views,
        images_per_class=0,
        folds=0,
        seed=0,
        categories=data.categories,
        classifier="",
        skipped=data.skipped,
    )
