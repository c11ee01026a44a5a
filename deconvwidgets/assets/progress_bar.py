"""A text progress bar for downloads, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

ReportBytes = Callable[[int], None]


@contextmanager
def download_bar(title: str, total_bytes: int, show: bool = True) -> Iterator[ReportBytes]:
    """Show a progress bar while the context is open.

    Parameters
    ----------
    title : str
        The text before the bar.
    total_bytes : int
        The size of the download; 0 if it is unknown.
    show : bool
        Whether to print anything.

    Yields
    ------
    callable
        Call it with the number of bytes received so far.
    """
    with tqdm(total=total_bytes or None, desc=title, unit="B", unit_scale=True, unit_divisor=1024, disable=not show) as bar:

        def report(received: int) -> None:
            if received > bar.n:
                bar.update(received - bar.n)

        yield report
