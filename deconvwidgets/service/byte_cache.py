"""A cache bounded by bytes that forgets what was used longest ago."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class ByteCache(Generic[Value]):
    """Thread-safe. `size_of` says how many bytes a value holds; one larger than `limit` is not kept."""

    def __init__(self, limit: int, size_of: Callable[[Value], int]) -> None:
        self.limit = limit
        self._size_of = size_of
        self._lock = Lock()
        self._held: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """What is held now."""
        return self._bytes

    def get(self, key: Hashable) -> Value | None:
        """The value, which counts as used; None where there is none."""
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            self._held.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a value, in the place of an older one."""
        size = self._size_of(value)
        with self._lock:
            self._drop(key)
            if size > self.limit:
                return
            self._held[key] = (value, size)
            self._bytes += size
            while self._bytes > self.limit:
                self._drop(next(iter(self._held)))

    def keep_only(self, wanted: Callable[[Any], bool]) -> None:
        """Forget the values whose key is not wanted."""
        with self._lock:
            for key in [key for key in self._held if not wanted(key)]:
                self._drop(key)

    def _drop(self, key: Hashable) -> None:
        found = self._held.pop(key, None)
        if found is not None:
            self._bytes -= found[1]
