"""The sessions of a service: each notebook that connects has one, with its own classifier, units, runs and events."""

from __future__ import annotations

import logging
import os
import secrets
from dataclasses import dataclass, field, replace
from threading import Condition, Lock, Thread
from time import monotonic
from typing import Any

from deconvwidgets.errors import ServiceError
from deconvwidgets.local_service import LocalModelService
from deconvwidgets.remote.description import OF_SERVICE, Instruments, instruments_of
from deconvwidgets.remote.event_queue import EventQueue, Numbered
from deconvwidgets.remote.lent_files import LentFiles
from deconvwidgets.remote.replies import Reply, SessionEndedError, reply_of_error, reply_of_value
from deconvwidgets.remote.version import exact_version

IDLE_SECONDS = 300.0  # a laptop that sleeps between two lessons begins a new session
POLL_SECONDS = 10.0  # of a request for events
MAX_SESSIONS = 64

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a method: of an instrument, or of the service itself if `instrument` is empty."""

    instrument: str
    method: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    lent: LentFiles | None = None

    @property
    def name(self) -> str:
        """The name of what is called."""
        return f"{self.instrument}.{self.method}" if self.instrument else self.method


@dataclass
class _Session:
    service: LocalModelService
    events: EventQueue
    lock: Lock = field(default_factory=Lock)
    last_heard: float = field(default_factory=monotonic)
    active: int = 0  # calls and requests for events that are being answered

    def close(self) -> None:
        self.events.close()
        self.service.close()


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session: its id, and what the service answers."""

    session: str
    instruments: Instruments
    host: str


class SessionServer:
    """Answers the calls of many clients, each in its own session. Thread-safe.

    Parameters
    ----------
    service : LocalModelService
        The service whose layers all sessions share. It has no widgets itself.
    host : str
        The name of this machine, for messages about paths.
    idle_seconds : float
        A session that is not heard of for so long is closed.
    max_sessions : int
        A further session is refused.
    """

    def __init__(self, service: LocalModelService, host: str, idle_seconds: float = IDLE_SECONDS, max_sessions: int = MAX_SESSIONS) -> None:
        self._service, self._host = service, host
        self._idle_seconds, self._max_sessions = idle_seconds, max_sessions
        self._instruments = instruments_of(type(service))
        self._version = exact_version()  # of the modules that are loaded, even if others are installed later
        self._changed = Condition()
        self._sessions: dict[str, _Session] = {}
        self._closed = False
        Thread(target=self._end_idle, name="deconvwidgets sessions", daemon=True).start()

    @property
    def sessions(self) -> int:
        """The number of sessions."""
        return len(self._sessions)

    def open(self, version: str) -> Opened:
        """Open a session. Raises ServiceError for a client of another version, and above the limit."""
        if version != self._version:
            raise ServiceError(
                f"The service runs deconvwidgets {self._version}, and this notebook {version}: install the same version on both machines."
            )
        session_id = secrets.token_hex(8)
        with self._changed:
            if self._closed:
                raise ServiceError("The service was stopped: start it again, then connect.")
            if len(self._sessions) >= self._max_sessions:
                raise ServiceError(
                    f"The service has {self._max_sessions} sessions already: close notebooks that are not needed, or start it with more."
                )
            service, events = self._service.new_session(self._host), EventQueue()
            service.subscribe(events.put)
            self._sessions[session_id] = _Session(service, events)
            self._changed.notify_all()
        return Opened(session_id, self._instruments, self._host)

    def call(self, session_id: str, call: Call) -> Reply:
        """Answer a call. Never raises: an error is in the reply."""
        try:
            session = self._enter(session_id)
        except ServiceError as error:
            return reply_of_error(error)
        try:
            return self._answer(session.service, call)
        finally:
            _leave(session)

    def events(self, session_id: str, after: int, timeout: float = POLL_SECONDS) -> list[Numbered]:
        """Return the session's events after a number, waiting for one. Raises SessionEndedError if there is no such session."""
        session = self._enter(session_id)
        try:
            return session.events.take(after, timeout)
        finally:
            _leave(session)

    def close(self, session_id: str) -> None:
        """Close a session, if there is one of that id."""
        with self._changed:
            session = self._sessions.pop(session_id, None)
        if session is not None:
            session.close()

    def shut_down(self) -> None:
        """Close every session, and the service."""
        with self._changed:
            self._closed = True
            sessions = list(self._sessions.values())
            self._sessions.clear()
            self._changed.notify_all()
        for session in sessions:
            session.close()
        self._service.close()

    def _answer(self, service: LocalModelService, call: Call) -> Reply:
        if call.lent is None:
            return self._reply(service, call)
        try:
            with call.lent.copied() as (path, folder):
                lent = replace(call, kwargs={**call.kwargs, call.lent.argument: path})
                return call.lent.returned(self._reply(service, lent, (str(folder), call.lent.folder)), folder)
        except OSError as error:
            return reply_of_error(ServiceError(f"The file of {call.name} cannot be copied on the service's machine: {error.strerror}."))

    def _reply(self, service: LocalModelService, call: Call, words: tuple[str, str] = ("", "")) -> Reply:
        try:
            return _perform(service, self._instruments, call, words)
        except Exception as error:  # noqa: BLE001 - it is sent to the caller
            return reply_of_error(error)

    def _enter(self, session_id: str) -> _Session:
        session = self._sessions.get(session_id)
        if session is None:
            minutes = self._idle_seconds / 60
            raise SessionEndedError(f"it has ended this session: nothing was heard of the notebook for {minutes:.3g} min")
        with session.lock:
            session.active += 1
        return session

    def _end_idle(self) -> None:
        """Close sessions that are idle, until the service is closed."""
        while not self._closed:
            with self._changed:
                self._changed.wait(self._idle_seconds / 4 if self._sessions else None)
                now = monotonic()
                idle = [key for key, one in self._sessions.items() if not one.active and now - one.last_heard > self._idle_seconds]
            for key in idle:
                _log.info("A session ended: its notebook is gone")
                self.close(key)


def _leave(session: _Session) -> None:
    with session.lock:
        session.active -= 1
        session.last_heard = monotonic()


def _perform(service: LocalModelService, instruments: Instruments, call: Call, words: tuple[str, str] = ("", "")) -> Reply:
    """Call a method, or read a property. `words` are a path in texts that are answered, and what takes its place."""
    if call.instrument:
        if call.method not in instruments.get(call.instrument, {}):
            raise ServiceError(f"The service has no {call.name}.")
        target = getattr(getattr(service, call.instrument), call.method)
    elif call.method in OF_SERVICE:
        target = getattr(service, call.method)
    else:
        raise ServiceError(f"The service has no {call.name}.")
    value = target(*call.args, **call.kwargs) if callable(target) else target
    if value is service:  # `wait` returns it
        value = None
    is_path = isinstance(value, os.PathLike)
    if is_path or isinstance(value, str):
        value = os.fspath(value)
        value = value.replace(*words) if words[0] else value
    return replace(reply_of_value(value, call.name), is_path=is_path)
