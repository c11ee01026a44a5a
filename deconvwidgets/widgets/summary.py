"""The numbers of what a widget shows, as a trait of plain values, which events and changes of the state update from any thread."""

from __future__ import annotations

from threading import Lock

import traitlets

from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.widgets.messages import sendable
from deconvwidgets.widgets.state import State


class UpdateOrder:
    """Numbers updates in the order in which they begin. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._newest = 0

    def begin(self) -> int:
        """Return the number of an update that begins."""
        with self._lock:
            self._newest += 1
            return self._newest

    def is_newest(self, number: int) -> bool:
        """Return whether no update began after this one."""
        with self._lock:
            return number == self._newest


class Summarized(traitlets.HasTraits):
    """A widget with a trait `summary`. A subclass defines `_summarize`."""

    summary = traitlets.Dict(read_only=True).tag(sync=True)
    _updates: UpdateOrder

    def _summarize(self) -> State:
        """Return the summary of what is shown, of plain values; empty if there is nothing yet. May raise a DeconvWidgetsError."""
        return {}

    @traitlets.observe("state")
    def _update_summary(self, _change: object = None) -> bool:
        """Set the summary, and return whether it has changed. Of updates at the same time, that which began last counts."""
        changed = False
        while True:
            number = self._updates.begin()
            try:
                summary = sendable(self._summarize())  # a nan would make the whole state unreadable
            except DeconvWidgetsError:  # the live view shows what is wrong
                summary = {}
            if not self._updates.is_newest(number):
                return True  # by the other update
            if summary != self.summary:
                self.set_trait("summary", summary)
                changed = True
            if self._updates.is_newest(number):  # otherwise another one, which may have ended, was overwritten
                return changed
