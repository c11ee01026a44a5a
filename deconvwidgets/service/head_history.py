"""The heads that were put on the model in a running service, and the way back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock

from deconvwidgets.errors import HeadError, LayerError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.head_files import HeadSource
from deconvwidgets.records.heads import Head

MAX_UNDO = 20


@dataclass(frozen=True, slots=True)
class _Entry:
    bundle: ModelBundle
    used: tuple[int, Head] | None


class HeadHistory:
    """Puts heads on the model, and undoes it. Thread-safe. The last 20 changes can be undone. Units that are switched off stay so.

    Parameters
    ----------
    get_bundle : callable
        Returns the bundle in use.
    change_bundle : callable
        Replaces it by what a function makes of it, and returns the new one.
    """

    def __init__(
        self, get_bundle: Callable[[], ModelBundle], change_bundle: Callable[[Callable[[ModelBundle], ModelBundle]], ModelBundle]
    ) -> None:
        self._get_bundle = get_bundle
        self._change_bundle = change_bundle
        self._lock = RLock()
        self._used: tuple[int, Head] | None = None
        self._entries: deque[_Entry] = deque(maxlen=MAX_UNDO)

    @property
    def used(self) -> int | None:
        """The number of the run whose head is in use, if it is a run's."""
        used = self._used
        return used[0] if used is not None and self._get_bundle().head is used[1] else None

    @property
    def can_undo(self) -> bool:
        """Whether `undo` has anything to undo."""
        return bool(self._entries)

    def use(self, head: HeadSource, run: int | None = None) -> str:
        """Put a head on the model, and return a sentence about what changed.

        Raises
        ------
        HeadError
            If the head does not fit the model; nothing is changed then.
        """
        with self._lock:
            before = _Entry(self._get_bundle(), self._used)

            def change(current: ModelBundle) -> ModelBundle:
                bundle = with_head(current, head)
                self._entries.append(before)
                self._used = (run, bundle.head) if run is not None and bundle.head is not None else None
                return bundle

            return _change(self._changed(change), before.bundle)

    def undo(self) -> str:
        """Undo the last `use`, and return a sentence about what changed. Raises HeadError if there is nothing to undo."""
        with self._lock:
            if not self._entries:
                raise HeadError("There is nothing to undo: no head was put on the model here.")
            current, before = self._get_bundle(), self._entries[-1]

            def change(current: ModelBundle) -> ModelBundle:
                bundle = with_units_of(current, before.bundle)
                self._entries.pop()
                self._used = before.used
                return bundle

            self._changed(change)
            return _change(before.bundle, current)

    def _changed(self, change: Callable[[ModelBundle], ModelBundle]) -> ModelBundle:
        """Replace the bundle. `change` updates the history, so that whoever is told of the new bundle reads the new history."""
        entries, used = self._entries.copy(), self._used
        try:
            return self._change_bundle(change)
        except Exception:
            self._entries, self._used = entries, used
            raise


def with_head(bundle: ModelBundle, head: HeadSource | None) -> ModelBundle:
    """Return a bundle with another head and the same units. Raises HeadError if units are changed that the head does not depend on."""
    with _units_of_head(bundle):
        return bundle.with_head(head)


def with_units_of(current: ModelBundle, other: ModelBundle) -> ModelBundle:
    """Return another bundle with the units of the current one. Raises HeadError if its head does not depend on one of them."""
    with _units_of_head(current):
        return other.with_units(current.units)


@contextmanager
def _units_of_head(bundle: ModelBundle) -> Iterator[None]:
    try:
        yield
    except LayerError as error:
        if not bundle.units:
            raise
        raise HeadError(f"The head cannot be used while these units are switched off. {error} Or reset the units first.") from error


def _change(now: ModelBundle, before: ModelBundle) -> str:
    return f"{now.name} now predicts {now.classifier or 'no classes'}; before: {before.classifier or 'no classes'}."
