"""Whether photographs are fed to a network as in training. Our extension: the paper has no such check."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from deconvwidgets.arguments import flag, integer
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.compute.paired import mcnemar_exact
from deconvwidgets.compute.stream import prepared_crops
from deconvwidgets.errors import DiagnosisError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.instruments.diagnosis.compute.input_labels import checked_labels
from deconvwidgets.instruments.diagnosis.compute.input_statistics import NormStatistics
from deconvwidgets.instruments.diagnosis.compute.input_sweep import Sweep
from deconvwidgets.instruments.diagnosis.compute.photographs import first_crops, require_readable, spread_sources
from deconvwidgets.instruments.diagnosis.input_records import InputCheck
from deconvwidgets.instruments.diagnosis.input_summary import judged, limitations_of
from deconvwidgets.instruments.diagnosis.limits import SWEEP_LEVEL
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.progress import Progress

_BATCH = 16
_STATISTICS, _SWEEP = "Input statistics", "Input sweep"


def check_input(
    bundle: ModelBundle,
    images: ImageSet,
    *,
    labels: Literal["auto"] | None = None,
    photographs: int = 100,
    device: str = "auto",
    progress: bool = False,
    job: JobContext | None = None,
) -> InputCheck:
    """Check whether photographs are fed to a network as in training.

    Without labels, the statistics that each batch norm recorded in training are compared with those of these photographs, in one pass. They
    cannot tell swapped channels. With labels, the photographs are prepared in other ways (channel order, range, mean, size), and the
    model's accuracy is measured with each.

    Parameters
    ----------
    bundle : ModelBundle
    images : ImageSet
        Each photograph is represented by its first crop.
    labels : "auto" or None
        "auto" sweeps over ways to prepare the photographs whose label names a class of the model.
    photographs : int
        How many are used, evenly spread over the set. With fewer than 50, the statistics are judged "near" at most.
    device : str
        "auto", "cpu", "cuda:1", ...
    progress : bool
        Show progress bars.
    job : JobContext, optional
        Progress, cancellation and the device lease.

    Returns
    -------
    InputCheck
        The divergence of each batch norm, and the results of the sweep, the best first.

    Raises
    ------
    DiagnosisError
        For labels or a number of photographs that are not valid, if no label names a class of the model, and if no photograph can be read.
    ModelError
        If a batch norm's input, its recorded statistics or the model's output contain NaN or infinity.
    JobCancelledError
        If the job is cancelled.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> images = dw.open_images("photos")
    >>> found = dw.check_input(dw.load_model("efficientnet_lite0"), images, photographs=8)
    >>> found.level, found.layers[0], bool(found.divergences[0] < 0.1)
    ('clear', '_bn0', True)
    >>> dw.check_input(dw.load_model("alexnet"), images, photographs=1).level  # without batch norm, labels are needed
    'not_checked'
    """
    images, job, progress = require_images(images), as_job(job), flag(progress, "progress", DiagnosisError)
    count = integer(photographs, "photographs", 1, error=DiagnosisError)
    bundle = on_device(bundle, device)
    classes = checked_labels(labels, bundle, images)
    statistics, skipped, read = NormStatistics(bundle), list[SkippedImage](), 0
    if statistics:
        read = _add_statistics(statistics, bundle, images, spread_sources(images.source_count, count), skipped, progress, job)
    sweep, labelled = None, 0
    if classes is not None:
        sweep = Sweep(bundle)
        labelled = _sweep(sweep, images, classes, count, skipped, progress, job)
    return _result(bundle, statistics, read, sweep, labelled, skipped)


def _add_statistics(
    statistics: NormStatistics,
    bundle: ModelBundle,
    images: ImageSet,
    sources: list[int],
    skipped: list[SkippedImage],
    show: bool,
    job: JobContext,
) -> int:
    """Add photographs to the statistics, and return how many could be read."""
    crops, batch, read = [images.crops_of(source)[0] for source in sources], list[torch.Tensor](), 0
    with job.progress_bar(_STATISTICS, "photograph", len(crops), show) as context:
        for number, item in enumerate(prepared_crops(bundle, images, crops, threads=context.decode_threads), start=1):
            context.check_cancelled(f"The check of the input was cancelled after {number - 1} photographs")
            batch.extend([] if item.pixels is None else [item.pixels])
            skipped.extend([] if item.skipped is None else [item.skipped])
            if batch and (len(batch) == _BATCH or number == len(crops)):
                with context.device_lease():
                    statistics.add(torch.stack(batch))
                read, batch = read + len(batch), []
            context.report(Progress(_STATISTICS, number, len(crops)))
    require_readable(read, skipped)
    return read


def _sweep(
    sweep: Sweep,
    images: ImageSet,
    classes: NDArray[np.int64],
    count: int,
    skipped: list[SkippedImage],
    show: bool,
    job: JobContext,
) -> int:
    """Add labelled photographs to a sweep, and return how many could be read."""
    usable = np.flatnonzero(classes >= 0)
    opened = list(first_crops(images, [int(usable[number]) for number in spread_sources(len(usable), count)]))
    skipped.extend(crop.skipped for crop in opened if crop.skipped is not None)
    found = [(crop.image, int(classes[crop.source])) for crop in opened if crop.image is not None]
    require_readable(len(found), skipped)
    total = len(found) * len(sweep.ways)
    with job.progress_bar(_SWEEP, "photograph", total, show) as context:
        for number in range(len(sweep.ways)):
            for start in range(0, len(found), _BATCH):
                context.check_cancelled(f"The sweep was cancelled after {number} of {len(sweep.ways)} ways")
                part = found[start : start + _BATCH]
                with context.device_lease():
                    sweep.add([image for image, _ in part], [label for _, label in part], number)
                context.report(Progress(_SWEEP, number * len(found) + start + len(part), total))
    return len(found)


def _result(
    bundle: ModelBundle, statistics: NormStatistics, read: int, sweep: Sweep | None, labelled: int, skipped: list[SkippedImage]
) -> InputCheck:
    norms = statistics.divergences()
    variants = () if sweep is None else sweep.variants()
    better = () if sweep is None else _better(sweep)
    level, summary = judged(bundle.network.traced, bool(bundle.surgery), norms, read, variants, better, labelled)
    order = sorted(range(len(variants)), key=lambda number: (-variants[number].top1, variants[number].log_loss, number))
    return InputCheck(
        level=level,
        summary=summary,
        layers=norms.names,
        divergences=norms.values,
        photographs=read,
        variants=tuple(replace(variants[number], better=number in better) for number in order),
        labelled=labelled,
        limitations=limitations_of(bool(norms.names), tuple(way.kind for way in sweep.ways) if sweep else ()),
        skipped=tuple(dict.fromkeys(skipped)),
    )


def _better(sweep: Sweep) -> tuple[int, ...]:
    """Return the numbers of the ways with which more photographs are right than as given, beyond chance."""
    given, found = sweep.right(0), []
    for number in range(1, len(sweep.ways)):
        other = sweep.right(number)
        gained, lost = int((other & ~given).sum()), int((given & ~other).sum())
        if gained > lost and mcnemar_exact(gained, lost) < SWEEP_LEVEL / (len(sweep.ways) - 1):
            found.append(number)
    return tuple(found)
