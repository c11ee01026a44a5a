"""What happens to a widget that nobody has closed when it is garbage."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread, main_thread


class ClosedAsGarbage:
    """Closes the widget in a thread of its own when it is garbage.

    ipywidgets closes a widget in its finalizer. Garbage is collected at any allocation, so the thread that runs the finalizer may hold a
    lock that `close` would wait for.
    """

    _unsubscribe: Callable[[], None] | None = None  # set last: a widget whose construction failed has nothing to close
    close: Callable[[], None]

    def __del__(self) -> None:
        if self._unsubscribe is not None and main_thread().is_alive():
            Thread(target=self.close, name="deconvwidgets close", daemon=True).start()
