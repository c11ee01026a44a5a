"""Files that the browser uploads in chunks."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, Protocol, TypeVar

from deconvwidgets.arguments import describe, integer
from deconvwidgets.errors import PictureError


class Store(Protocol):
    """Stores the bytes of an upload."""

    def write(self, offset: int, data: bytes) -> None:
        """Store `data` at `offset`, which is the end of the last chunk. Raises PictureError if that is not possible."""
        ...

    def discard(self) -> None:
        """Delete everything."""
        ...


AnyStore = TypeVar("AnyStore", bound=Store)


@dataclass
class ChunkedUpload(Generic[AnyStore]):
    """An unfinished upload."""

    name: str
    size: int
    store: AnyStore
    received: int = 0
    lock: Lock = field(default_factory=Lock)


class ChunkedUploads(Generic[AnyStore]):
    """The unfinished uploads of a service. Thread-safe.

    Parameters
    ----------
    limit : int, optional
        Number of uploads at a time. A further one cancels the oldest.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._lock = Lock()
        self._uploads: dict[str, ChunkedUpload[AnyStore]] = {}

    def begin(self, name: str, size: int, store: AnyStore, upload_id: str | None = None) -> str:
        """Begin the upload of a file of `size` bytes, and return its id, which cannot be guessed."""
        upload_id = upload_id or secrets.token_hex(8)
        with self._lock:
            self._uploads[upload_id] = ChunkedUpload(name, size, store)
            oldest = next(iter(self._uploads)) if self._limit is not None and len(self._uploads) > self._limit else None
        if oldest is not None:
            self.cancel(oldest)
        return upload_id

    def add(self, upload_id: str, offset: int, data: bytes) -> int:
        """Add a chunk, and return the number of bytes received. A chunk that is sent twice counts once.

        Raises
        ------
        PictureError
            For an unknown upload, or a chunk out of order or beyond the announced size.
        """
        upload = self._get(upload_id)
        offset = integer(offset, "offset", error=PictureError)
        if not isinstance(data, bytes | bytearray | memoryview):
            raise PictureError(f"data must be bytes, not {describe(data)}.")
        with upload.lock:
            end = offset + len(data)
            if end > upload.size:
                raise PictureError(f"More than the announced {upload.size:,} bytes of {upload.name} were sent. Choose the file again.")
            if offset >= 0 and end <= upload.received:
                return upload.received
            if offset != upload.received:
                raise PictureError(
                    f"The chunk of {upload.name} at {offset:,} is out of order: {upload.received:,} is next. Choose the file again."
                )
            upload.store.write(offset, data)
            upload.received = end
            return end

    @contextmanager
    def finished(self, upload_id: str) -> Iterator[ChunkedUpload[AnyStore]]:
        """Yield a complete upload, and delete it afterwards. Raises PictureError, and deletes it, if it is incomplete."""
        with self._lock:
            upload = self._get(upload_id)
            del self._uploads[upload_id]
        with upload.lock:
            try:
                if upload.received != upload.size:
                    raise PictureError(
                        f"Only {upload.received:,} of the {upload.size:,} bytes of {upload.name} arrived. Choose the file again."
                    )
                yield upload
            finally:
                upload.store.discard()

    def cancel(self, upload_id: str) -> None:
        """Delete an unfinished upload, if there is one of that id."""
        with self._lock:
            upload = self._uploads.pop(upload_id, None) if isinstance(upload_id, str) else None
        if upload is not None:
            with upload.lock:
                upload.store.discard()

    def close(self) -> None:
        """Delete all unfinished uploads."""
        for upload_id in list(self._uploads):
            self.cancel(upload_id)

    def _get(self, upload_id: str) -> ChunkedUpload[AnyStore]:
        upload = self._uploads.get(upload_id) if isinstance(upload_id, str) else None
        if upload is None:
            raise PictureError("There is no such upload, or it has ended. Choose the file again.")
        return upload
