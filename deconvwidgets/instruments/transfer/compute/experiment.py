"""The experiment behind all training functions: features of a dataset, on which heads are trained and tested fold by fold."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from deconvwidgets.arguments import flag, text
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.engine import Network
from deconvwidgets.engine.example import reference_tensor
from deconvwidgets.errors import HeadError, JobCancelledError, LayerError
from deconvwidgets.images.empty_classes import left_out_note, without_empty_classes
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import require_classes
from deconvwidgets.images.open import open_images
from deconvwidgets.images.splits import draw_fold
from deconvwidgets.instruments.transfer.compute.checks import checked_callback
from deconvwidgets.instruments.transfer.compute.feature_crops import DESCRIPTIONS, Crops
from deconvwidgets.instruments.transfer.compute.features import FeatureShape, Store, default_layer, extract_features
from deconvwidgets.instruments.transfer.compute.folds import FoldImages, HeadTrainer
from deconvwidgets.instruments.transfer.compute.muted_units import UnitsOfLayers, muted_units
from deconvwidgets.instruments.transfer.compute.protocol import TransferData
from deconvwidgets.instruments.transfer.compute.report import FoldResults, RunInfo
from deconvwidgets.instruments.transfer.compute.scores import class_accuracy
from deconvwidgets.instruments.transfer.records import HeadReport
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.progress import Progress
from deconvwidgets.records.units import describe_units


@dataclass(frozen=True)
class TransferExperiment:
    """A model's features of a dataset, on which any number of heads can be trained."""

    data: TransferData
    info: RunInfo  # of the model and the data; `run` sets the numbers of the protocol
    progress: bool
    job: JobContext
    network: Network
    on_fold: Callable[[HeadReport], None] | None = None

    @classmethod
    def prepare(
        cls,
        bundle: ModelBundle,
        dataset: ImageSet | Any,
        layer: str | None,
        images_per_class: int,
        views: Crops,
        progress: bool,
        path: str | Path | None,
        store: Store,
        device: str,
        job: JobContext | None,
        on_fold: Callable[[HeadReport], None] | None,
    ) -> TransferExperiment:
        """Check the classes, and compute the features or load them."""
        checked_callback(on_fold, "on_fold")
        progress, job = flag(progress, "progress", HeadError), as_job(job)
        bundle = on_device(bundle, device)
        network = bundle.network
        layer_info = default_layer(network) if layer is None else network.layer(text(layer, "layer", "the name of a layer", LayerError))
        images = _without_empty_classes(open_images(dataset))
        require_classes(images, images_per_class)
        features = extract_features(bundle, images, layer_info.name, views, store, path, progress=progress, job=job)
        data = TransferData.of(images, features[layer_info.name], reference_tensor(bundle.model).device)
        data = replace(data, channels=FeatureShape.of(layer_info).channels)
        return cls(data, _run_info(bundle, network, layer_info, data, views), progress, job, network, on_fold)

    def without(self, units: UnitsOfLayers | None) -> TransferExperiment:
        """Return the experiment without some units: their features count as zero. Raises HeadError or LayerError for other units."""
        if units is None:
            return self
        muted = muted_units(self.network, self.network.layer(self.info.layer), units, self.info.model)
        info = replace(self.info, muted=muted.units)
        return replace(self, data=replace(self.data, muted=muted.channels), info=info)

    def run(self, trainer: HeadTrainer, images_per_class: int, folds: int, seed: int) -> HeadReport:
        """Train and test heads. Raises HeadError, and JobCancelledError if the job is cancelled during the first fold."""
        if folds < 1:
            raise HeadError(f"folds={folds}: at least one fold is needed")
        info = replace(self.info, images_per_class=images_per_class, folds=folds, seed=seed, classifier=trainer.classifier)
        results = FoldResults(info)
        with tqdm(total=folds, desc=f"{trainer.classifier}, {images_per_class} per class", unit="fold", disable=not self.progress) as bar:
            for fold in range(folds):
                try:
                    self._run_fold(trainer, results, fold)
                except JobCancelledError:
                    if not len(results):
                        raise
                    break
                bar.update()
                bar.set_postfix_str(f"{100 * np.mean(results.accuracies):.1f}%")
                self._report(results)
        return results.report()

    def _run_fold(self, trainer: HeadTrainer, results: FoldResults, fold: int) -> None:
        info, data, lease = results.info, self.data, self._checked_lease
        split = draw_fold(data.labels, info.images_per_class, info.seed, fold)
        truths = data.labels[split.test]
        images = FoldImages(fold, info.seed, data.rows(split.train), data.labels[split.train], len(info.categories))
        trained = trainer.train(images, lease)
        logits = data.logits(split.test, trained, lease)
        if fold == 0:
            head, head_logits = trained, logits
            if data.orientations > 1:
                unmirrored = replace(images, features=data.rows(split.train, unmirrored=True))
                head = trainer.with_weight_decay(trained.weight_decay).train(unmirrored, lease)
                head_logits = data.logits(split.test, head, lease, unmirrored=True)
            results.set_head(head, class_accuracy(truths, head_logits.argmax(1).numpy()))
        results.add(trained, split.test, truths, logits)

    @contextmanager
    def _checked_lease(self) -> Iterator[None]:
        """Enter the device lease. Raises JobCancelledError if the job was cancelled."""
        self.job.check_cancelled("Retraining was stopped before its first fold was complete; the features stay on disk")
        with self.job.device_lease():
            yield

    def _report(self, results: FoldResults) -> None:
        self.job.report(Progress("head", len(results), results.info.folds))
        if self.on_fold is not None:
            self.on_fold(results.report())


def _without_empty_classes(images: ImageSet) -> ImageSet:
    kept = without_empty_classes(images)
    if kept is not images and (note := left_out_note(kept)):
        warnings.warn(note, stacklevel=4)  # the line that calls the training function
    return kept


def _units(bundle: ModelBundle) -> list[str]:
    """Return which units are changed in the features, in words; nothing if all are on."""
    return [described] if (described := describe_units(bundle.units.values())) else []


def _run_info(bundle: ModelBundle, network: Network, info: LayerInfo, data: TransferData, crops: Crops) -> RunInfo:
    shape = FeatureShape.of(info)
    return RunInfo(
        dataset=data.name,
        model=bundle.label,
        layer=info.name,
        alias=info.alias,
        pool=shape.pool,
        # A head belongs to a network and its layer; which units are on is a state that it can be used in or not.
        digest=(bundle.unchanged or bundle).network.digest(info.name),
        features=", ".join([shape.describe(info.short_name), DESCRIPTIONS[crops], *_units(bundle)]),
        crops=crops,
        images_per_class=0,
        folds=0,
        seed=0,
        categories=data.categories,
        classifier="",
        skipped=data.skipped,
        units=describe_units(bundle.units.values()),
    )
