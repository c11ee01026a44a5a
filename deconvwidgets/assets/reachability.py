"""Whether a server can be reached, decided within seconds.

A failure is remembered for a minute, in this process only: loading several models without a connection does not wait for each, and a
short interruption has no consequence for later processes.
"""

from __future__ import annotations

import http.client
import os
import queue
import threading
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

OFFLINE_VARIABLE = "DECONVWIDGETS_OFFLINE"
CONNECT_SECONDS = 5.0
RETRY_SECONDS = 60.0


class RecentFailures:
    """The servers of this process that could not be reached in the last minute. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: dict[str, tuple[float, str]] = {}  # host -> (time, reason)

    def record(self, host: str, reason: str) -> None:
        """Record that a host could not be reached."""
        with self._lock:
            self._failures[host] = (time.monotonic(), reason)

    def reason(self, host: str) -> str | None:
        """Return why a host could not be reached in the last minute; None if it was not tried, or responded."""
        with self._lock:
            failed_at, reason = self._failures.get(host, (float("-inf"), ""))
            return reason if time.monotonic() - failed_at < RETRY_SECONDS else None

    def forget(self, host: str) -> None:
        """Remove the failure of a host."""
        with self._lock:
            self._failures.pop(host, None)


recent_failures = RecentFailures()


def unreachable_reason(url: str) -> str | None:
    """Return why the host of a URL cannot be reached, or None if it responds.

    This takes 5 seconds at most, and sends no request if the host could not be reached in the last minute. With DECONVWIDGETS_OFFLINE=1
    every host counts as unreachable; with DECONVWIDGETS_OFFLINE=0 a request is always sent.
    """
    offline = os.environ.get(OFFLINE_VARIABLE)
    if offline not in (None, "", "0"):
        return f"{OFFLINE_VARIABLE} is set"
    host = urlsplit(url).netloc
    recent = recent_failures.reason(host)
    if offline != "0" and recent is not None:
        return recent
    reason = _probe(url)
    if reason is None:
        recent_failures.forget(host)
    else:
        recent_failures.record(host, reason)
    return reason


def _probe(url: str) -> str | None:
    """Send a HEAD request in a thread: a name lookup may take much longer than any socket timeout."""
    reasons: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=lambda: reasons.put(_send_head(url)), daemon=True).start()
    try:
        return reasons.get(timeout=CONNECT_SECONDS + 0.5)
    except queue.Empty:
        return f"{urlsplit(url).netloc} did not respond within {CONNECT_SECONDS:g} seconds"


def _send_head(url: str) -> str | None:
    try:
        # urllib respects the user's proxy settings
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=CONNECT_SECONDS):
            return None
    except urllib.error.HTTPError as error:
        return f"{urlsplit(url).netloc} responded {error.code} {error.reason}"
    except (OSError, http.client.HTTPException) as error:  # DNS, refused connection, timeout, certificate, not HTTP
        reason = getattr(error, "reason", error)
        return f"{urlsplit(url).netloc} cannot be reached ({reason})"
