"""The results of a run by class, from the predictions of its test photographs."""

from __future__ import annotations

import numpy as np

from deconvwidgets.instruments.transfer.records import HeadReport, TransferResults, TransferRunSummary


def transfer_results(report: HeadReport, summary: TransferRunSummary) -> TransferResults:
    """Return the results so far. The accuracy of a class without tests is NaN."""
    tests = report.confusion.sum(1)
    with np.errstate(invalid="ignore"):
        accuracy = (np.diag(report.confusion) / tests).astype(np.float32)
    return TransferResults(
        summary=summary,
        categories=report.categories,
        class_accuracy=accuracy,
        class_tests=tests,
        confusion=report.confusion,
        skipped=report.skipped,
        has_confidences=bool(np.isfinite(report.confidences).all()),
    )
