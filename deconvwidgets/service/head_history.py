"""The heads that were put on the model in a running service, and the way back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock

from deconvwidgets.errors import HeadError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.head_files import HeadSource
from deconvwidgets.records.heads import Head

MAX_UNDO = 20


@dataclass(frozen=True, slots=True)
class _Entry:
    bundle: ModelBundle
    used: tuple[int, Head] | None


class HeadHistory:
    """Puts heads on the model, and undoes it. Thread-safe. The last 20 changes can be undone.

    Parameters
    ----------
    get_bundle : callable
        Returns the bundle in use.
    set_bundle : callable
        Replaces it.
    """

    def __init__(self, get_bundle: Callable[[], ModelBundle], set_bundle: Callable[[ModelBundle], None]) -> None:
        self._get_bundle = get_bundle
        self._set_bundle = set_bundle
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
            bundle = before.bundle.with_head(head)
            self._set_bundle(bundle)
            self._entries.append(before)
            self._used = (run, bundle.head) if run is not None and bundle.head is not None else None
            return _change(bundle, before.bundle)

    def undo(self) -> str:
        """Undo the last `use`, and return a sentence about what changed. Raises HeadError if there is nothing to undo."""
        with self._lock:
            if not self._entries:
                raise HeadError("There is nothing to undo: no head was put on the model here.")
            current, before = self._get_bundle(), self._entries[-1]
            self._set_bundle(before.bundle)
            self._entries.pop()
            self._used = before.used
            return _change(before.bundle, current)


def _change(now: ModelBundle, before: ModelBundle) -> str:
    return f"{now.name} now predicts {now.classifier or 'no classes'}; before: {before.classifier or 'no classes'}."
