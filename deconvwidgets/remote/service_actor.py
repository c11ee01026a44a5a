"""The actor that holds a service. Ray runs its methods in threads: those that wait are in groups of their own."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deconvwidgets.errors import DeconvWidgetsError, ServiceError
from deconvwidgets.remote.event_queue import Numbered
from deconvwidgets.remote.replies import Reply, SessionEndedError, reply_of_error, reply_of_value
from deconvwidgets.remote.session_server import Call, SessionServer

if TYPE_CHECKING:
    from deconvwidgets.images.image_set import ImageSet
    from deconvwidgets.index.activation_index import ActivationIndex
    from deconvwidgets.models.bundle import ModelBundle

_CALL_THREADS = 24  # requests at a time: each thread that computes has threads of OpenMP
_GROUPS = {
    "calls": ("call",),
    "waits": ("wait_call",),
    "events": ("events",),
    "control": ("start", "open", "close", "sessions", "memory", "shut_down"),
}
_MAX_CORES = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """What an actor serves. Names and paths are opened by the actor, on its machine.

    Parameters
    ----------
    bundle : ModelBundle or str
        A model, or its name for `load_model`.
    images : ImageSet or str
        An image set, or its name or path for `open_images`.
    index : ActivationIndex, str or None
        The index, or its path; None: from the cache, or built.
    device : str
        The device, as for LocalModelService.
    layers : tuple of str or None
        The layers that explorers list.
    idle_seconds : float
        A session that is not heard of for so long is closed.
    max_sessions : int
        A further session is refused.
    """

    bundle: ModelBundle | str
    images: ImageSet | str
    index: ActivationIndex | str | None
    device: str
    layers: tuple[str, ...] | None
    idle_seconds: float
    max_sessions: int


class ServiceActor:
    """Holds a `SessionServer` in a process of Ray. Errors are in the replies: Ray would wrap them in its own classes."""

    def __init__(self) -> None:
        self._server: SessionServer | None = None

    def start(self, plan: Plan) -> Reply:
        """Load the model and begin to answer. The reply has a line about the machine and the device."""
        try:
            self._server = _make_server(plan)
            return reply_of_value(f"{socket.gethostname()}, process {os.getpid()}", "start")
        except Exception as error:  # noqa: BLE001 - it is sent to the caller
            return reply_of_error(error)

    def open(self, version: str) -> Reply:
        """Open a session."""
        try:
            return reply_of_value(self._require_server().open(version), "connect")
        except Exception as error:  # noqa: BLE001 - it is sent to the caller
            return reply_of_error(error)

    def call(self, session: str, call: Call) -> Reply:
        """Answer a call."""
        try:
            return self._require_server().call(session, call)
        except DeconvWidgetsError as error:
            return reply_of_error(error)

    def wait_call(self, session: str, call: Call) -> Reply:
        """Answer a call that waits for a job, in a thread that no other call needs."""
        return self.call(session, call)

    def events(self, session: str, after: int) -> list[Numbered] | Reply:
        """Return the events of a session after a number, waiting for one."""
        try:
            return self._require_server().events(session, after)
        except (ServiceError, SessionEndedError) as error:
            return reply_of_error(error)

    def close(self, session: str) -> None:
        """Close a session."""
        if self._server is not None:
            self._server.close(session)

    def sessions(self) -> int:
        """Return the number of sessions."""
        return 0 if self._server is None else self._server.sessions

    def memory(self) -> int:
        """Return the resident memory of the process in bytes."""
        import psutil

        return int(psutil.Process().memory_info().rss)

    def shut_down(self) -> None:
        """Close every session and the service. The process is ended by whoever serves."""
        if self._server is not None:
            self._server.shut_down()

    def _require_server(self) -> SessionServer:
        if self._server is None:
            raise ServiceError("The service is still loading its model: connect again in a moment.")
        return self._server


def _make_server(plan: Plan) -> SessionServer:
    import torch

    from deconvwidgets.images.open import open_images
    from deconvwidgets.index.activation_index import ActivationIndex
    from deconvwidgets.local_service import LocalModelService
    from deconvwidgets.models.zoo import load_model

    # Ray limits a process without cores of its own to one thread, but the service's process is the one that computes.
    torch.set_num_threads(min(_MAX_CORES, os.cpu_count() or 1))
    bundle = load_model(plan.bundle) if isinstance(plan.bundle, str) else plan.bundle
    images = open_images(plan.images) if isinstance(plan.images, str) else plan.images
    index = ActivationIndex.load(plan.index) if isinstance(plan.index, str) else plan.index
    service = LocalModelService(bundle, images, index, plan.device, layers=plan.layers)
    return SessionServer(service, socket.gethostname(), plan.idle_seconds, plan.max_sessions)


def as_remote(ray: Any, max_sessions: int) -> Any:
    """Return the class of actors for a number of sessions, each of which may wait for a job, and for events, all the time."""
    for group, methods in _GROUPS.items():
        for method in methods:
            ray.method(concurrency_group=group)(getattr(ServiceActor, method))
    threads = {"calls": _CALL_THREADS, "waits": max_sessions, "events": max_sessions + 4, "control": 4}
    return ray.remote(concurrency_groups=threads)(ServiceActor)
