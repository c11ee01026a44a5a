"""A progress bar for downloads, in text, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Advance = Callable[[int], None]


@contextmanager
def download_bar(what: str, total_bytes: int, show: bool = True) -> Iterator[Advance]:
    """A bar for `total_bytes`; the yielded function is told the number of bytes that have arrived so far."""
    with tqdm(total=total_bytes or None, desc=what, unit="B", unit_scale=True, unit_divisor=1024, disable=not show) as bar:

        def advance(arrived: int) -> None:
            if arrived > bar.n:
                bar.update(arrived - bar.n)

        yield advance
