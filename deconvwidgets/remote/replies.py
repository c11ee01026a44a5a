"""Answers as they cross: a pickled value, or an error with its class and words."""

from __future__ import annotations

import builtins
import logging
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deconvwidgets import errors
from deconvwidgets.errors import DeconvWidgetsError, ServiceError

_log = logging.getLogger(__name__)


class SessionEndedError(ServiceError):
    """The session does not exist any more."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a call: a pickled value, or the class and the words of an error; and files that were written.

    Parameters
    ----------
    value : bytes
        The pickled value.
    error : str
        The name of the error's class; empty if there is none.
    message : str
        The error's words.
    is_path : bool
        Whether the value is the text of a path.
    files : mapping of str to bytes
        Files that were written for the caller, by name.
    """

    value: bytes = b""
    error: str = ""
    message: str = ""
    is_path: bool = False
    files: Mapping[str, bytes] = field(default_factory=dict)


def reply_of_value(value: object, name: str) -> Reply:
    """Return the reply with a value. One that cannot be pickled becomes an error that names the call."""
    try:
        return Reply(pickle.dumps(value, protocol=5))
    except Exception as error:  # noqa: BLE001 - pickle raises whatever a value's own methods raise
        return reply_of_error(ServiceError(f"The answer of {name} cannot be sent: {type(value).__name__} ({error})."))


def reply_of_error(error: BaseException) -> Reply:
    """Return the reply for an error. One that is neither ours nor Python's becomes a ServiceError, and its traceback is logged."""
    for kind in type(error).__mro__:
        if kind is SessionEndedError or (issubclass(kind, DeconvWidgetsError) and getattr(errors, kind.__name__, None) is kind):
            return Reply(error=kind.__name__, message=str(error))
    _log.error("A request failed", exc_info=error)
    if getattr(builtins, type(error).__name__, None) is type(error) and isinstance(error, Exception):
        return Reply(error=type(error).__name__, message=str(error.args[0]) if error.args else "")
    message = f"The model service failed with an unexpected {type(error).__name__}: {error}. The log of the service has the traceback."
    return Reply(error="ServiceError", message=message)


def value_of(reply: Reply) -> object:
    """Return the value of a reply, or raise its error, of the same class and with the same words."""
    if not reply.error:
        value = pickle.loads(reply.value)
        return Path(value) if reply.is_path else value
    if reply.error == SessionEndedError.__name__:
        raise SessionEndedError(reply.message)
    kind = getattr(errors, reply.error, None) or getattr(builtins, reply.error)
    raise kind(reply.message)
