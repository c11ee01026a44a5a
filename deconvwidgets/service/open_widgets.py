"""The widgets of a service that pages show, so that one can show something in another."""

from __future__ import annotations

from itertools import count
from threading import Lock
from typing import TypeVar
from weakref import WeakKeyDictionary

Widget = TypeVar("Widget")


class OpenWidgets:
    """The open widgets of one service, by the time of their last use. It holds them weakly. Thread-safe.

    Examples
    --------
    >>> class Panel: ...
    >>> first, second, widgets = Panel(), Panel(), OpenWidgets()
    >>> widgets.used(first), widgets.used(second), widgets.used(first)
    (None, None, None)
    >>> widgets.newest(Panel) == [first, second]
    True
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._numbers = count()
        self._last_used: WeakKeyDictionary[object, int] = WeakKeyDictionary()

    def used(self, widget: object) -> None:
        """Record that a widget was opened or used."""
        with self._lock:
            self._last_used[widget] = next(self._numbers)

    def hidden(self, widget: object) -> None:
        """Record that no page shows a widget any more."""
        with self._lock:
            self._last_used.pop(widget, None)

    def newest(self, kind: type[Widget]) -> list[Widget]:
        """Return the open widgets of a class, the most recently used first."""
        with self._lock:
            found = [(number, widget) for widget, number in self._last_used.items() if isinstance(widget, kind)]
        return [widget for _, widget in sorted(found, key=lambda entry: -entry[0])]
