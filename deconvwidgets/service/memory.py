"""Returning free memory to the operating system."""

from __future__ import annotations

import ctypes
import sys


def release_free_memory() -> None:
    """Return the free memory of the C allocator to the operating system, where the C library has `malloc_trim` (glibc); else do nothing.

    glibc keeps what is freed, in a heap per thread. Tensors of many sizes, allocated by several threads, leave gaps in these heaps: the
    process grows to twice the memory in use, which a notebook server with a memory limit may not have.
    """
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
