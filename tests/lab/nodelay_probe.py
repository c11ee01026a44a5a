"""A Jupyter Server extension for tests: returns TCP_NODELAY of each open kernel websocket."""

from __future__ import annotations

import gc
import json
import socket
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from tornado import web


class Probe(APIHandler):
    @web.authenticated
    def get(self) -> None:
        handlers = [item for item in gc.get_objects() if isinstance(item, KernelWebsocketHandler) and item.ws_connection]
        sockets = [handler.ws_connection.stream.socket for handler in handlers]
        self.finish(json.dumps([connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for connection in sockets]))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "nodelay_probe"}]


def _load_jupyter_server_extension(serverapp: Any) -> None:
    serverapp.web_app.add_handlers(".*$", [(serverapp.base_url + "nodelay-probe", Probe)])
