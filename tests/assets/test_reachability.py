"""Nobody waits long, and nobody waits twice."""

import http.server
import json
import socket
import threading
import time

import pytest

from deconvwidgets.assets import reachability
from deconvwidgets.assets.reachability import unreachable_reason


@pytest.fixture(autouse=True)
def _fresh(own_cache, monkeypatch):
    monkeypatch.delenv("DECONVWIDGETS_OFFLINE", raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def silent_host():
    """Accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed_host():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"127.0.0.1:{port}"


@pytest.fixture
def answering_host():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.server.asked += 1
            self.send_response(200 if self.path == "/there" else 403)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_silent_host_is_given_up_and_remembered(silent_host, monkeypatch):
    monkeypatch.setattr(reachability, "CONNECT_SECONDS", 0.3)
    started = time.monotonic()
    assert unreachable_reason(f"http://{silent_host}/x")
    assert 0.2 < time.monotonic() - started < 3
    started = time.monotonic()
    assert "remembered" in unreachable_reason(f"http://{silent_host}/y")
    assert time.monotonic() - started < 0.2


def test_a_lookup_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(reachability, "CONNECT_SECONDS", 0.1)
    release = threading.Event()
    monkeypatch.setattr(reachability, "_head", lambda url: release.wait(30) and None)
    started = time.monotonic()
    assert "did not answer" in unreachable_reason("http://example.invalid/x")
    assert time.monotonic() - started < 5
    release.set()


def test_a_refused_connection_is_a_reason(closed_host):
    assert "cannot be reached" in unreachable_reason(f"http://{closed_host}/x")


def test_memory_ends_after_a_day_and_by_wish(closed_host, own_cache, monkeypatch):
    url = f"http://{closed_host}/x"
    unreachable_reason(url)
    (record,) = (own_cache / "unreachable").iterdir()
    content = json.loads(record.read_bytes())
    record.write_text(json.dumps({**content, "time": content["time"] - 25 * 3600}))
    assert "remembered" not in unreachable_reason(url)
    assert "remembered" in unreachable_reason(url)
    monkeypatch.setenv("DECONVWIDGETS_OFFLINE", "0")
    assert "remembered" not in unreachable_reason(url)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"time": "x"}', '{"time": 99999999999999, "reason": "from the future"}'])
def test_a_damaged_record_counts_for_nothing(closed_host, own_cache, content):
    unreachable_reason(f"http://{closed_host}/x")
    (record,) = (own_cache / "unreachable").iterdir()
    record.write_text(content)
    assert "remembered" not in unreachable_reason(f"http://{closed_host}/x")


def test_an_answer_clears_the_record(answering_host, own_cache, monkeypatch):
    url = f"http://127.0.0.1:{answering_host.server_port}"
    assert "403" in unreachable_reason(url + "/missing")
    monkeypatch.setenv("DECONVWIDGETS_OFFLINE", "0")
    assert unreachable_reason(url + "/there") is None
    monkeypatch.delenv("DECONVWIDGETS_OFFLINE")
    assert unreachable_reason(url + "/there") is None
    assert answering_host.asked == 3


def test_offline_asks_nobody(answering_host, monkeypatch):
    monkeypatch.setenv("DECONVWIDGETS_OFFLINE", "1")
    assert "DECONVWIDGETS_OFFLINE" in unreachable_reason(f"http://127.0.0.1:{answering_host.server_port}/there")
    assert answering_host.asked == 0
