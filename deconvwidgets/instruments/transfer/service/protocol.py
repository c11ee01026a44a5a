"""The requests of a TransferPanel. No torch here: a widget never computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from deconvwidgets.instruments.transfer.records import (
    HeadStep,
    TestPhotographs,
    TestsRequest,
    TransferDataSummary,
    TransferFile,
    TransferResults,
    TransferSettings,
    TransferStatus,
)
from deconvwidgets.records.images import EncodedImage, SourcePhotograph
from deconvwidgets.service.protocol import ModelService


@runtime_checkable
class TransferService(Protocol):
    """Answers the requests of a TransferPanel. `TransferApi` documents the parameters and errors.

    Runs are numbered from 1. While a run is active, the event "transfer" is published at most about ten times per second.
    """

    def status(self) -> TransferStatus:
        """Return the data sets and layers to choose from, the runs, and the head in use."""
        ...

    def data(self, settings: TransferSettings) -> TransferDataSummary:
        """Return the classes of `settings.data`, and why it cannot be trained on, if so."""
        ...

    def start(self, settings: TransferSettings) -> int:
        """Start a run on the worker, and return its number. An active run is stopped."""
        ...

    def stop(self) -> None:
        """Stop the active run at its next step. Complete folds are kept."""
        ...

    def wait(self, run: int, timeout: float | None = None) -> None:
        """Wait for the end of a run."""
        ...

    def steps(self, run: int, since: int = 0) -> tuple[HeadStep, ...]:
        """Return the training steps of a run from number `since` on."""
        ...

    def results(self, run: int) -> TransferResults:
        """Return the results of a run so far."""
        ...

    def photographs(self, run: int, request: TestsRequest) -> TestPhotographs:
        """Return test photographs of a run, the most confident first."""
        ...

    def thumbnails(self, run: int, sources: Sequence[int], size: int = 96) -> Sequence[EncodedImage]:
        """Return photographs of a run's data set, cropped to squares of `size` x `size` pixels."""
        ...

    def photograph(self, run: int, source: int) -> SourcePhotograph:
        """Return a whole photograph of a run's data set, and its true class."""
        ...

    def use_head(self, run: int) -> str:
        """Use the run's head, and return a sentence about what changed."""
        ...

    def undo_head(self) -> str:
        """Undo the last `use_head` or `load_head`, and return a sentence about what changed."""
        ...

    def save_head(self, run: int, path: str) -> str:
        """Save the run's head as safetensors on the kernel's machine, and return a sentence that names the file."""
        ...

    def load_head(self, path: str) -> str:
        """Use a saved head ("caltech101": the one that comes with the package), and return a sentence about what changed."""
        ...

    def file(self, run: int, kind: TransferFile) -> bytes:
        """Return the results of a run as the bytes of a file."""
        ...

    def begin_upload(self, name: str, size: int) -> str:
        """Begin the upload of a zip of `size` bytes, and return its id."""
        ...

    def add_chunk(self, upload: str, offset: int, data: bytes) -> int:
        """Add the chunk at `offset`, and return the number of bytes received."""
        ...

    def finish_upload(self, upload: str) -> str:
        """Unpack an upload, and return its folder, for `TransferSettings.data`."""
        ...

    def cancel_upload(self, upload: str) -> None:
        """Drop an unfinished upload."""
        ...


@runtime_checkable
class SupportsTransfer(ModelService, Protocol):
    """A model service that answers TransferPanels."""

    @property
    def transfer(self) -> TransferService:
        """Answers the requests of a TransferPanel."""
        ...
