"""Keeping torch.export quiet. For a model that it cannot trace it prints the graph so far, and warns about its own internals."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any


class _DropOwnThread:
    """A stream that drops what one thread writes, and passes on what all others write."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._thread = threading.get_ident()

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() == self._thread else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def quiet_export() -> Iterator[None]:
    """Drop what this thread writes to the standard error stream, its warnings, and what torch logs in it."""
    thread = threading.get_ident()

    def is_from_elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != thread

    loggers = [logging.getLogger(name) for name in ("torch", "torch.export", "torch.fx.experimental.symbolic_shapes")]
    handlers = [handler for logger in loggers for handler in logger.handlers]
    for handler in handlers:
        handler.addFilter(is_from_elsewhere)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(_DropOwnThread(sys.stderr)):
            warnings.simplefilter("ignore")
            yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_from_elsewhere)
