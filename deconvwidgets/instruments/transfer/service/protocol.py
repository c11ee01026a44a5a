"""The requests that a TransferPanel makes of the service."""

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
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.service.protocol import ModelService


@runtime_checkable
class TransferService(Protocol):
    """What the TransferPanel asks. Runs are numbered from 1; long work is done by the worker, in the order it was asked for.

    A "transfer" event of the service says that `status` has something new (at most about ten a second while a run goes on).
    """

    def status(self) -> TransferStatus:
        """What can be trained on, what is running, which runs there were, whose head answers."""
        ...

    def data(self, settings: TransferSettings) -> TransferDataSummary:
        """The classes of `settings.data`, and what hinders training on it in words. Raises PictureError where nothing is there."""
        ...

    def start(self, settings: TransferSettings) -> int:
        """Retrain on the worker; a run that is going on is stopped. Returns the run's number. Raises in words what can be said at once."""
        ...

    def stop(self) -> None:
        """Stop the run at its next step; the folds that are done are kept. Nothing where none is running."""
        ...

    def wait(self, run: int, timeout: float | None = None) -> None:
        """For scripts: return when the run has ended. Raises HeadError with what it failed with, ServiceError after `timeout` seconds."""
        ...

    def steps(self, run: int, since: int = 0) -> tuple[HeadStep, ...]:
        """The steps of a run's training from number `since` on."""
        ...

    def results(self, run: int) -> TransferResults:
        """A run's results so far. Raises HeadError before its first fold is done, or for a run that is none."""
        ...

    def photographs(self, run: int, request: TestsRequest) -> TestPhotographs:
        """Test photographs of a run, best fit first."""
        ...

    def thumbnails(self, run: int, sources: Sequence[int], size: int = 96) -> Sequence[EncodedImage]:
        """Photographs of a run's data, cropped to squares of `size` pixels a side."""
        ...

    def use_head(self, run: int) -> str:
        """Answer with the run's head from now on, and say what changed."""
        ...

    def undo_head(self) -> str:
        """Answer as before the last `use_head` or `load_head`, and say what changed. Raises HeadError where there is nothing to undo."""
        ...

    def save_head(self, run: int, path: str) -> str:
        """Write the run's head as safetensors on the kernel's machine; says where."""
        ...

    def load_head(self, path: str) -> str:
        """Answer with a saved head ("caltech101": the shipped one), and say what changed. Raises HeadError for one that does not fit."""
        ...

    def file(self, run: int, kind: TransferFile) -> bytes:
        """A run's results as a file's bytes."""
        ...

    def begin_upload(self, name: str, size: int) -> str:
        """Make room for a zip of `size` bytes; the upload's id. Raises PictureError where it is too large or no zip by its name."""
        ...

    def add_chunk(self, upload: str, offset: int, data: bytes) -> int:
        """Add bytes at `offset`, which must be where the last chunk ended (sent again, a chunk counts once); the bytes that are there."""
        ...

    def finish_upload(self, upload: str) -> str:
        """Unpack it; the folder, to be given as `TransferSettings.data`. Raises PictureError, and leaves nothing, for a bad zip."""
        ...

    def cancel_upload(self, upload: str) -> None:
        """Forget an upload that has not been finished."""
        ...


@runtime_checkable
class SupportsTransfer(ModelService, Protocol):
    """A model service whose head can be retrained."""

    @property
    def transfer(self) -> TransferService:
        """Who retrains it, and keeps the runs."""
        ...
