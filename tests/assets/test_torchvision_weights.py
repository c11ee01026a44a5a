"""torchvision's weights: fetched once and verified; a host that does not respond is remembered."""

import hashlib
import http.server
import json
import socket
import threading
import time
from types import SimpleNamespace

import pytest
import torch

from deconvwidgets.assets import torchvision_weights as official_weights
from deconvwidgets.assets.torchvision_weights import unreachable_reason
from deconvwidgets.errors import AssetError


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
    monkeypatch.setattr(official_weights, "CONNECT_SECONDS", 0.3)
    started = time.monotonic()
    assert unreachable_reason(f"http://{silent_host}/x")
    assert 0.2 < time.monotonic() - started < 3
    started = time.monotonic()
    assert "remembered" in unreachable_reason(f"http://{silent_host}/y")
    assert time.monotonic() - started < 0.2


def test_a_lookup_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(official_weights, "CONNECT_SECONDS", 0.1)
    release = threading.Event()
    monkeypatch.setattr(official_weights, "_head", lambda url: release.wait(30) and None)
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


# --- files served from here


@pytest.fixture
def server(tmp_path, monkeypatch, own_cache):
    monkeypatch.delenv("DECONVWIDGETS_OFFLINE", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=folder)

        def log_message(self, *arguments):
            pass

        def do_GET(self):
            if "broken" in self.path:
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"half")
                self.connection.close()
            else:
                super().do_GET()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        threading.Thread(target=http_server.serve_forever, daemon=True).start()
        yield SimpleNamespace(folder=folder, url=f"http://127.0.0.1:{http_server.server_port}")
        http_server.shutdown()


def serve(server, data, name="net"):
    path = server.folder / f"{name}-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    path.write_bytes(data)
    return SimpleNamespace(url=f"{server.url}/{path.name}"), path


def test_an_official_file_is_fetched_once(server):
    weights, served = serve(server, b"weights" * 1000)
    path = official_weights.ensure_official_file(weights, progress=False)
    assert path.read_bytes() == b"weights" * 1000
    served.unlink()
    assert official_weights.ensure_official_file(weights, progress=False) == path


def test_an_official_file_with_other_bytes_is_refused(server):
    weights, served = serve(server, b"weights")
    served.write_bytes(b"a login page")
    with pytest.raises(AssetError, match="other bytes"):
        official_weights.ensure_official_file(weights, progress=False)
    assert not official_weights.hub_path(weights).exists()


def test_a_download_that_breaks_off_leaves_nothing_and_is_remembered(server):
    weights, _ = serve(server, b"x", "broken")
    with pytest.raises(AssetError):
        official_weights.ensure_official_file(weights, progress=False)
    assert not official_weights.hub_path(weights).exists()
