"""A server responds within seconds or counts as unreachable, for a minute and in this process only."""

import http.server
import socket
import threading
import time

import pytest

from deconvwidgets.assets import reachability
from deconvwidgets.assets.reachability import RecentFailures, unreachable_reason


@pytest.fixture(autouse=True)
def _no_failures_and_no_proxy(monkeypatch):
    monkeypatch.setattr(reachability, "recent_failures", RecentFailures())
    monkeypatch.delenv("DECONVWIDGETS_OFFLINE", raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def silent_host():
    """A host that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed_host():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"127.0.0.1:{port}"


@pytest.fixture
def responding_host():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.server.requests += 1
            self.send_response(200 if self.path == "/there" else 403)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests = 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_silent_host_is_waited_for_once(silent_host, monkeypatch):
    monkeypatch.setattr(reachability, "CONNECT_SECONDS", 0.3)
    started = time.monotonic()
    reason = unreachable_reason(f"http://{silent_host}/x")
    assert 0.2 < time.monotonic() - started < 30
    monkeypatch.setattr(reachability, "CONNECT_SECONDS", 60.0)
    started = time.monotonic()
    assert unreachable_reason(f"http://{silent_host}/y") == reason
    assert time.monotonic() - started < 30


def test_a_name_lookup_that_hangs_times_out(monkeypatch):
    monkeypatch.setattr(reachability, "CONNECT_SECONDS", 0.1)
    release = threading.Event()
    monkeypatch.setattr(reachability, "_send_head", lambda url: release.wait(30) and None)
    started = time.monotonic()
    assert "did not respond" in unreachable_reason("http://example.invalid/x")
    assert time.monotonic() - started < 20
    release.set()


def test_a_refused_connection_is_reported(closed_host):
    assert "cannot be reached" in unreachable_reason(f"http://{closed_host}/x")


def test_a_failure_is_forgotten_after_a_minute_and_can_be_ignored(responding_host, monkeypatch):
    url = f"http://127.0.0.1:{responding_host.server_port}"
    now = time.monotonic()
    monkeypatch.setattr(reachability.time, "monotonic", lambda: now)
    assert "403" in unreachable_reason(url + "/missing")
    assert "403" in unreachable_reason(url + "/there")
    assert responding_host.requests == 1

    monkeypatch.setenv("DECONVWIDGETS_OFFLINE", "0")
    assert unreachable_reason(url + "/there") is None
    monkeypatch.delenv("DECONVWIDGETS_OFFLINE")
    assert unreachable_reason(url + "/there") is None, "the response did not end the failure"

    assert "403" in unreachable_reason(url + "/missing")
    now += 61
    assert unreachable_reason(url + "/there") is None


def test_another_process_tries_again(closed_host, own_cache):
    """A short interruption has no consequence for other processes: nothing is written."""
    assert unreachable_reason(f"http://{closed_host}/x")
    assert not own_cache.exists()


def test_no_request_is_sent_offline(responding_host, monkeypatch):
    monkeypatch.setenv("DECONVWIDGETS_OFFLINE", "1")
    assert "DECONVWIDGETS_OFFLINE" in unreachable_reason(f"http://127.0.0.1:{responding_host.server_port}/there")
    assert responding_host.requests == 0
