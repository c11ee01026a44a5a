"""The results of a run as files."""

from __future__ import annotations

from collections.abc import Iterator

from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.transfer.figures.files import transfer_file
from deconvwidgets.instruments.transfer.figures.sheet import TransferSheet
from deconvwidgets.instruments.transfer.muting import name_units
from deconvwidgets.instruments.transfer.records import HeadReport, TestPhotograph, TransferFile, TransferSettings
from deconvwidgets.instruments.transfer.service.photographs import cell_photographs, photograph_in_row
from deconvwidgets.instruments.transfer.service.results import transfer_results
from deconvwidgets.instruments.transfer.service.runs import TransferRun
from deconvwidgets.service.thumbnails import Thumbnails


def make_file(kind: TransferFile, run: TransferRun, thumbnails: Thumbnails) -> bytes:
    """Return the results of a run so far as the bytes of a file.

    Raises HeadError before the first fold is complete, ServiceError for an unknown kind.
    """
    report, summary = run.results()
    images, bundle = run.images, run.inputs.bundle
    photographs = cell_photographs(report, images, thumbnails) if kind == "results.html" else None
    results, settings, digests = transfer_results(report, summary), _settings(run.settings, report), _digests(images, report)
    sheet = TransferSheet(bundle.label, bundle.weights, results, settings, digests, photographs)
    return transfer_file(kind, sheet, _tests(report, images))


def _tests(report: HeadReport, images: ImageSet) -> Iterator[TestPhotograph]:
    return (photograph_in_row(report, images, row) for row in range(len(report.sources)))


def _settings(settings: TransferSettings, report: HeadReport) -> tuple[tuple[str, str], ...]:
    decay = "chosen on held-out training images, fold by fold" if settings.weight_decay is None else f"{settings.weight_decay:g}"
    temperatures = ", ".join(f"{temperature:.3g}" for temperature in report.temperatures)
    return (
        ("data", f"{report.dataset} ({settings.data})"),
        ("features", report.features),
        ("training images per class", str(settings.images_per_class)),
        ("folds", str(settings.folds)),
        ("weight decay", decay),
        ("temperature, fold by fold", temperatures),
        ("seed", str(settings.seed)),
        *((("units left out", name_units(report.muted)),) if report.muted else ()),
    )


def _digests(images: ImageSet, report: HeadReport) -> tuple[tuple[str, str], ...]:
    return ((f"digest of {report.model} up to {report.layer}", report.head.digest), ("digest of the photographs", images.digest))
