"""The requests of an EvaluationPanel. No torch here: a widget never computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from deconvwidgets.instruments.evaluation.records import EvaluationFile
from deconvwidgets.instruments.evaluation.settings import (
    ComparisonResults,
    EvaluatedPhotographs,
    EvaluationDataSummary,
    EvaluationResults,
    EvaluationSettings,
    EvaluationStatus,
    PhotographsRequest,
)
from deconvwidgets.records.images import EncodedImage, SourcePhotograph
from deconvwidgets.service.protocol import ModelService


@runtime_checkable
class EvaluationService(Protocol):
    """Answers the requests of an EvaluationPanel. `EvaluationApi` documents the parameters and errors.

    Runs are numbered from 1. While a run is active, the event "evaluation" is published at most about ten times per second. When the
    service's model changes, the newest run is repeated with it, if its settings say `automatic`.
    """

    def status(self) -> EvaluationStatus:
        """Return the image sets to choose from, the runs, and the two runs to compare."""
        ...

    def add_images(self, images: Any) -> str:
        """Add an image set (anything that `open_images` takes) to the choices, and return its name for `EvaluationSettings.data`."""
        ...

    def data(self, settings: EvaluationSettings) -> EvaluationDataSummary:
        """Return the classes of `settings.data`, how they match the model's classes, and why no evaluation is possible, if so.

        It reads folders, and may take seconds at the first call of an image set: a handler of it runs on a worker.
        """
        ...

    def classes(self, query: str, limit: int = 20) -> Sequence[str]:
        """Return the model's classes whose names contain or resemble `query`, the closest first: to choose one for the mapping."""
        ...

    def start(self, settings: EvaluationSettings) -> int:
        """Start a run on the worker, and return its number. An active run is stopped. May take as long as `data`."""
        ...

    def stop(self) -> None:
        """Stop the active run at its next batch. What was evaluated is kept, and a later run continues there."""
        ...

    def wait(self, run: int, timeout: float | None = None) -> None:
        """Wait for the end of a run."""
        ...

    def results(self, run: int) -> EvaluationResults:
        """Return the results of a run so far."""
        ...

    def photographs(self, run: int, request: PhotographsRequest) -> EvaluatedPhotographs:
        """Return evaluated photographs of a run: of a cell of the confusion matrix, or the most confident mistakes (`right=False`)."""
        ...

    def thumbnails(self, run: int, sources: Sequence[int], size: int = 96) -> Sequence[EncodedImage]:
        """Return photographs of a run's image set, cropped to squares of `size` x `size` pixels."""
        ...

    def photograph(self, run: int, source: int) -> SourcePhotograph:
        """Return a whole photograph of a run's image set. It is decoded, and may take a while: a handler of it runs on a worker."""
        ...

    def compare(self, after: int, before: int | None = None, limit: int = 24) -> ComparisonResults:
        """Return the change between two runs of the same photographs; `before` is by default the complete run before `after`."""
        ...

    def file(self, run: int, kind: EvaluationFile) -> bytes:
        """Return the results of a run so far as the bytes of a file."""
        ...


@runtime_checkable
class SupportsEvaluation(ModelService, Protocol):
    """A model service that answers EvaluationPanels."""

    @property
    def evaluation(self) -> EvaluationService:
        """Answers the requests of an EvaluationPanel."""
        ...
