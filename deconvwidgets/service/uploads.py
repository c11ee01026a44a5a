"""Files that come from the browser in chunks, in their order, into whatever keeps them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, Protocol, TypeVar

from deconvwidgets.errors import PictureError


class Store(Protocol):
    """What keeps the bytes that have come."""

    def write(self, offset: int, data: bytes) -> None:
        """Keep `data`, which begins at `offset`, where the last ones ended. May raise PictureError."""
        ...

    def discard(self) -> None:
        """Forget everything."""
        ...


Kept = TypeVar("Kept", bound=Store)


@dataclass
class ChunkedUpload(Generic[Kept]):
    """A file on its way."""

    name: str
    size: int
    store: Kept
    have: int = 0
    lock: Lock = field(default_factory=Lock)


class ChunkedUploads(Generic[Kept]):
    """The files of one service that are on their way. Thread-safe. At most `most` at a time: the one that began first gives way."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._lock = Lock()
        self._open: dict[str, ChunkedUpload[Kept]] = {}

    def begin(self, name: str, size: int, store: Kept, number: str | None = None) -> str:
        """Await a file of `size` bytes; its number, which nobody guesses."""
        number = number or secrets.token_hex(8)
        with self._lock:
            self._open[number] = ChunkedUpload(name, size, store)
            first = next(iter(self._open)) if self._most is not None and len(self._open) > self._most else None
        if first is not None:
            self.cancel(first)
        return number

    def add(self, number: str, offset: int, data: bytes) -> int:
        """Add a chunk; the bytes that are there. One that is there already counts once. Raises PictureError for one out of its order."""
        arrival = self._get(number)
        with arrival.lock:
            end = offset + len(data)
            if end > arrival.size:
                raise PictureError(f"{arrival.name} was announced with {arrival.size:,} bytes, and more came. Choose the file again.")
            if offset >= 0 and end <= arrival.have:
                return arrival.have
            if offset != arrival.have:
                raise PictureError(f"A part of {arrival.name} at {offset:,} came where {arrival.have:,} was next. Choose the file again.")
            arrival.store.write(offset, data)
            arrival.have = end
            return end

    @contextmanager
    def finished(self, number: str) -> Iterator[ChunkedUpload[Kept]]:
        """The whole file, which is forgotten afterwards. Raises PictureError, and forgets it, where it is not all there."""
        with self._lock:
            arrival = self._get(number)
            del self._open[number]
        with arrival.lock:
            try:
                if arrival.have != arrival.size:
                    raise PictureError(f"Of {arrival.name}'s {arrival.size:,} bytes {arrival.have:,} came. Choose the file again.")
                yield arrival
            finally:
                arrival.store.discard()

    def cancel(self, number: str) -> None:
        """Forget a file; nothing where it is none, or has come."""
        with self._lock:
            arrival = self._open.pop(number, None)
        if arrival is not None:
            with arrival.lock:
                arrival.store.discard()

    def close(self) -> None:
        """Forget all."""
        for number in list(self._open):
            self.cancel(number)

    def _get(self, number: str) -> ChunkedUpload[Kept]:
        arrival = self._open.get(number)
        if arrival is None:
            raise PictureError("There is no such upload, or it has ended. Choose the file again.")
        return arrival
