"""The text bar of a long job, fed by the same reports of progress that its caller gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

from deconvwidgets.records.layers import Progress

Tell = Callable[[Progress], None]


@contextmanager
def job_bar(what: str, unit: str, total: int, show: bool, on_progress: Tell | None, start: int = 0) -> Iterator[Tell]:
    """A bar for `total` units, `start` of them done before; what it yields is told how far the job is, and tells `on_progress`."""
    with tqdm(total=total, initial=start, desc=what, unit=unit, disable=not show) as bar:

        def tell(state: Progress) -> None:
            bar.update(state.done - bar.n)
            if on_progress is not None:
                on_progress(state)

        yield tell
