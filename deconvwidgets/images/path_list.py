"""A compact list of paths: ImageNet has 1.28 million, and a Python object for each would take ten times the memory of its characters."""

from __future__ import annotations

import os
from array import array


class PathList:
    """A growing list of paths, stored one after the other in a buffer of bytes."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("q")

    def append(self, path: str) -> None:
        """Add a path."""
        self._bytes += os.fsencode(path)
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self._ends):
            raise IndexError(f"index {index} is out of range: there are {len(self._ends)} paths")
        start = self._ends[index - 1] if index else 0
        return os.fsdecode(bytes(self._bytes[start : self._ends[index]]))
