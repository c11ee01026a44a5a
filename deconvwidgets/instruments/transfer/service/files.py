"""A run's results as files: what is known of the run, written by `deconvwidgets.figures`."""

from __future__ import annotations

from collections.abc import Iterator

from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.transfer.figures.files import transfer_file
from deconvwidgets.instruments.transfer.figures.sheet import TransferSheet
from deconvwidgets.instruments.transfer.records import HeadReport, TestPhotograph, TransferFile, TransferResults, TransferSettings
from deconvwidgets.instruments.transfer.service.photographs import photograph_at
from deconvwidgets.models.bundle import ModelBundle


def make_file(
    kind: TransferFile, bundle: ModelBundle, settings: TransferSettings, images: ImageSet, report: HeadReport, view: TransferResults
) -> bytes:
    """A file's bytes. Raises ServiceError for a kind that does not exist."""
    sheet = TransferSheet(bundle.name, bundle.weights, view, _settings(settings, report), _digests(images, report))
    return transfer_file(kind, sheet, _tests(report, images))


def _tests(report: HeadReport, images: ImageSet) -> Iterator[TestPhotograph]:
    return (photograph_at(report, images, place) for place in range(len(report.sources)))


def _settings(settings: TransferSettings, report: HeadReport) -> tuple[tuple[str, str], ...]:
    decay = "chosen on held-out training images, fold by fold" if settings.weight_decay is None else f"{settings.weight_decay:g}"
    return (
        ("data", f"{report.dataset} ({settings.data})"),
        ("features", report.features),
        ("training images a class", str(settings.images_per_class)),
        ("folds", str(settings.folds)),
        ("weight decay", decay),
        ("seed", str(settings.seed)),
    )


def _digests(images: ImageSet, report: HeadReport) -> tuple[tuple[str, str], ...]:
    return ((f"digest of {report.model} up to {report.layer}", report.head.digest), ("digest of the photographs", images.digest))
