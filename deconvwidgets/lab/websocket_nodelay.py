"""A Jupyter Server extension that sends small messages to the browser at once.

Jupyter Server leaves Nagle's algorithm on for a kernel's websocket, so that small answers wait some 40 ms for the
acknowledgement of the one before. `deconvwidgets lab` starts its own server and loads this extension there.
"""

from __future__ import annotations

from functools import wraps
from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "deconvwidgets.lab.websocket_nodelay"}]


def _load_jupyter_server_extension(serverapp: Any) -> None:
    from jupyter_server.services.kernels.websocket import KernelWebsocketHandler

    send_at_once(KernelWebsocketHandler)
    serverapp.log.info("deconvwidgets: kernel websockets send small messages at once (TCP_NODELAY)")


def send_at_once(handler: Any) -> None:
    """Make every websocket that `handler` (a class) opens set TCP_NODELAY. Doing it twice does no harm."""
    if getattr(handler.open, "sends_at_once", False):
        return
    original = handler.open

    @wraps(original)
    def open_at_once(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.set_nodelay(True)
        return original(self, *args, **kwargs)

    open_at_once.sends_at_once = True  # type: ignore[attr-defined]
    handler.open = open_at_once
