"""A link to a server in this process, through which everything is pickled as on its way to another machine."""

from __future__ import annotations

import pickle
from typing import Any

from deconvwidgets.remote.connected_service import ConnectedService
from deconvwidgets.remote.replies import value_of
from deconvwidgets.remote.session_server import SessionServer
from deconvwidgets.remote.version import exact_version


class DirectLink:
    def __init__(self, server: SessionServer) -> None:
        self.server = server
        self.opened = server.open(exact_version())
        self.closed = False

    def call(self, call: Any) -> Any:
        reply = pickle.loads(pickle.dumps(self.server.call(self.opened.session, pickle.loads(pickle.dumps(call)))))
        if call.lent is not None:
            call.lent.write_back(reply.files)
        return value_of(reply)

    def events(self, after: int) -> Any:
        return pickle.loads(pickle.dumps(self.server.events(self.opened.session, after, 0.2)))

    def close(self) -> None:
        self.closed = True
        self.server.close(self.opened.session)


def connect_to(server: SessionServer) -> ConnectedService:
    link = DirectLink(server)
    return ConnectedService(link, link.opened.instruments, "direct")
