"""Checksums of the rows of an array in the cache, so that a row that changed on disk is found, and it alone computed again.

They are in a file of their own beside the array, one uint32 a row: 0 where the row has not been written, else its CRC-32 (1 instead of 0).
A CRC-32 finds every single flipped bit, and 2 ** 32 - 1 of 2 ** 32 other changes. A change in the file of the checksums itself only makes
good rows count as changed.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.assets.cache import write_cache_file

Rows = NDArray[Any]
Checksums = NDArray[np.uint32]


def checksums_of(rows: Rows) -> Checksums:
    """Return the checksum of each row (N, ...), never 0."""
    return np.fromiter((zlib.crc32(np.ascontiguousarray(row).data.cast("B")) or 1 for row in rows), np.uint32, len(rows))


def read_checksums(path: Path, count: int) -> Checksums:
    """Return the checksums of `count` rows; zeros if there is no file, or if it has another length. Raises OSError."""
    data = path.read_bytes() if path.exists() else b""
    return np.frombuffer(data, "<u4").astype(np.uint32) if len(data) == 4 * count else np.zeros(count, np.uint32)


def write_checksums(path: Path, checksums: Checksums) -> None:
    """Replace the checksums of an array, which must have been flushed. Raises AssetError if they cannot be written."""
    write_cache_file(path, checksums.astype("<u4").tobytes())


def changed_rows(rows: Rows, checksums: Checksums) -> NDArray[np.int64]:
    """Return the numbers of the rows that were written and are not what was written any more."""
    written = np.flatnonzero(checksums)
    return np.array([row for row in written if checksums_of(rows[row : row + 1])[0] != checksums[row]], np.int64)


def describe_rows(rows: NDArray[np.int64]) -> str:
    """Return a description of some rows for a message: "photograph 7", or "256 photographs from 512 to 767"."""
    return f"photograph {rows[0]}" if len(rows) == 1 else f"{len(rows):,} photographs from {rows[0]} to {rows[-1]}"
