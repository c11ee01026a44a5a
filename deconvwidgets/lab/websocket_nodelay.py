"""A Jupyter Server extension that sets TCP_NODELAY on kernel websockets.

Jupyter Server does not disable Nagle's algorithm, so that a small message waits about 40 ms for the acknowledgement of the previous
one. `deconvwidgets lab` loads this extension in the server that it starts.
"""

from __future__ import annotations

from functools import wraps
from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "deconvwidgets.lab.websocket_nodelay"}]


def _load_jupyter_server_extension(serverapp: Any) -> None:
    from jupyter_server.services.kernels.websocket import KernelWebsocketHandler

    enable_nodelay(KernelWebsocketHandler)
    serverapp.log.info("deconvwidgets: TCP_NODELAY is set on kernel websockets")


def enable_nodelay(handler: Any) -> None:
    """Patch the `open` method of a websocket handler class to set TCP_NODELAY. A second call has no effect."""
    if getattr(handler.open, "sets_nodelay", False):
        return
    original = handler.open

    @wraps(original)
    def open_with_nodelay(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.set_nodelay(True)
        return original(self, *args, **kwargs)

    open_with_nodelay.sets_nodelay = True  # type: ignore[attr-defined]
    handler.open = open_with_nodelay
