"""A cache that is bounded by bytes and drops the least recently used values."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class ByteCache(Generic[Value]):
    """A least-recently-used cache. Thread-safe.

    Parameters
    ----------
    limit : int
        Bytes of all values together. A larger value is not cached.
    size_of : callable
        Returns the size of a value in bytes.
    """

    def __init__(self, limit: int, size_of: Callable[[Value], int]) -> None:
        self.limit = limit
        self._size_of = size_of
        self._lock = Lock()
        self._entries: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """The size of all values."""
        return self._bytes

    def get(self, key: Hashable) -> Value | None:
        """Return a value and mark it as used, or return None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: Hashable, value: Value) -> None:
        """Add or replace a value."""
        size = self._size_of(value)
        with self._lock:
            self._drop(key)
            if size > self.limit:
                return
            self._entries[key] = (value, size)
            self._bytes += size
            while self._bytes > self.limit:
                self._drop(next(iter(self._entries)))

    def keep_only(self, predicate: Callable[[Any], bool]) -> None:
        """Remove the values for whose key `predicate` is false."""
        with self._lock:
            for key in [key for key in self._entries if not predicate(key)]:
                self._drop(key)

    def _drop(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry[1]
