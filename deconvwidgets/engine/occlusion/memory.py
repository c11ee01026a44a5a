"""How much memory a computation may take, and what to do when it was too much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import psutil
import torch

_MOST = 1 << 30  # bytes on a CPU: larger batches are not faster there
_SHARE = 0.25  # of what is free

Item = TypeVar("Item")
Made = TypeVar("Made")


def free_share(device: torch.device) -> int:
    """The bytes that one computation may take by default: a quarter of what is free on the device, on a CPU 1 GiB at most."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * _SHARE)
    return min(int(psutil.virtual_memory().available * _SHARE), _MOST)


def in_batches(items: Sequence[Item], size: int, make: Callable[[Sequence[Item]], Made]) -> list[Made]:
    """What `make` gives of `items` in batches of `size`; after an out-of-memory error, of half as many, down to one at a time.

    Raises the device's error where not even one fits.
    """
    made: list[Made] = []
    first = 0
    while first < len(items):
        some = items[first : first + max(1, size)]
        try:
            made.append(make(some))
        except RuntimeError as error:
            if len(some) == 1 or not _is_out_of_memory(error):
                raise
            size = len(some) // 2
            failed = True
        else:
            failed = False
            first += len(some)
        if failed and torch.cuda.is_available():
            torch.cuda.empty_cache()  # here, where the error's traceback no longer holds the batch
    return made


def _is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
