"""The link from a notebook to a service elsewhere: calls that end, whatever happens to the service."""

from __future__ import annotations

from threading import BoundedSemaphore, RLock
from time import monotonic
from typing import Any, Protocol

from deconvwidgets.errors import ServiceError
from deconvwidgets.remote.event_queue import Numbered
from deconvwidgets.remote.ray_cluster import lost_errors
from deconvwidgets.remote.replies import Reply, SessionEndedError, value_of
from deconvwidgets.remote.session_server import POLL_SECONDS, Call

SILENT_SECONDS = 30.0  # a service from which nothing came for so long is asked whether it is there: events come every POLL_SECONDS
_LOOK_SECONDS = 2.0
_ANSWER_SECONDS = 10.0
_CALLS_AT_A_TIME = 8  # of one notebook, so that it cannot take all threads of the service


class Link(Protocol):
    """Sends the calls of one session, and fetches its events."""

    @property
    def closed(self) -> bool:
        """Whether `close` was called: calls that fail then are no loss of the service."""
        ...

    def call(self, call: Call) -> Any:
        """Return the answer to a call, or raise its error. Raises ServiceError if the service is lost."""
        ...

    def events(self, after: int) -> list[Numbered]:
        """Return the session's events after a number; [] after some seconds without any. Raises ServiceError if the service is lost."""
        ...

    def close(self) -> None:
        """End the session, without waiting. Never raises."""
        ...


class RayLink:
    """A link to an actor of Ray. Thread-safe.

    A lost actor is not asked again: every later call raises the same error, until the notebook connects anew.
    """

    def __init__(self, ray: Any, actor: Any, session: str, lost: str) -> None:
        self._ray, self._actor, self._session = ray, actor, session
        self._lost_words = lost  # with {reason}
        self._lock = RLock()  # re-entrant: garbage may be collected, and finalizers run, while it is held
        self._problem: str | None = None
        self._closed = False
        self._heard = monotonic()
        self._places = BoundedSemaphore(_CALLS_AT_A_TIME)

    @property
    def closed(self) -> bool:
        return self._closed

    def call(self, call: Call) -> Any:
        if call.method.startswith("wait"):  # it takes no place: the calls that end a job must not wait for those that wait for it
            reply = self._ask("wait_call", self._session, call)
        else:
            with self._places:
                reply = self._ask("call", self._session, call)
        if call.lent is not None:
            call.lent.write_back(reply.files)
        return self._value(reply)

    def events(self, after: int) -> list[Numbered]:
        found = self._ask("events", self._session, after)
        if isinstance(found, Reply):
            self._value(found)
        self._heard = monotonic()
        events: list[Numbered] = found
        return events

    def close(self) -> None:
        with self._lock:
            closed, self._closed = self._closed, True
        if closed or self._problem is not None or not self._ray.is_initialized():
            return
        try:
            self._actor.close.remote(self._session)
        except lost_errors(self._ray):  # the session ends by itself
            return

    def _ask(self, method: str, *args: Any) -> Any:
        """Call a method of the actor and wait for its answer, as long as the service is heard of."""
        self._require_open()
        started = monotonic()
        try:
            reference = getattr(self._actor, method).remote(*args)
            while True:
                try:
                    return self._ray.get(reference, timeout=_LOOK_SECONDS)
                except self._ray.exceptions.GetTimeoutError:
                    self._require_open()
                    silent = monotonic() - max(self._heard, started) > POLL_SECONDS + SILENT_SECONDS
                    if silent and not self._answers():
                        raise self._lose("nothing was heard of it for half a minute") from None
        except lost_errors(self._ray) as error:
            raise self._lose(_reason(error)) from error

    def _answers(self) -> bool:
        """Return whether the actor answers what needs no thread of calls or events.

        A listener of this notebook may be slow, for which no further events are fetched, or all threads of the service may be busy.
        """
        try:
            self._ray.get(self._actor.sessions.remote(), timeout=_ANSWER_SECONDS)
        except self._ray.exceptions.GetTimeoutError:
            return False
        self._heard = monotonic()
        return True

    def _value(self, reply: Reply) -> Any:
        try:
            return value_of(reply)
        except SessionEndedError as error:
            raise self._lose(str(error)) from error

    def _require_open(self) -> None:
        if self._problem is not None:
            raise ServiceError(self._problem)
        if self._closed:
            raise ServiceError("This connection to the model service is closed: call dw.connect again.")
        if not self._ray.is_initialized():  # a call would start a cluster of its own
            raise self._lose("this notebook has left the Ray cluster")

    def _lose(self, reason: str) -> ServiceError:
        with self._lock:
            if self._problem is None:
                self._problem = self._lost_words.format(reason=reason)
        return ServiceError(self._problem)


def _reason(error: BaseException) -> str:
    """Return why an actor is gone, in a few words: Ray's own text is a page."""
    text = str(error)
    if "ray.kill" in text:
        return "its process was ended"
    if "node" in text.lower() and "died" in text.lower() and "NodeDied" in type(error).__name__:
        return "its machine left the cluster"
    if isinstance(error, ConnectionError):
        return "the connection to the Ray cluster is broken"
    return f"its process has ended: {type(error).__name__}"
