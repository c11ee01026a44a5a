"""torchvision's weights are downloaded once and verified; an unreachable host is recorded for a day."""

import hashlib
import http.server
import json
import socket
import threading
import time
from types import SimpleNamespace

import pytest
import torch

from deconvwidgets.assets import torchvision_weights
from deconvwidgets.assets.torchvision_weights import ensure_official_file, hub_path, unreachable_reason
from deconvwidgets.errors import AssetError


@pytest.fixture(autouse=True)
def _empty_cache_without_proxy(own_cache, monkeypatch):
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


def test_a_silent_host_times_out_and_is_recorded(silent_host, monkeypatch):
    monkeypatch.setattr(torchvision_weights, "CONNECT_SECONDS", 0.3)
    started = time.monotonic()
    assert unreachable_reason(f"http://{silent_host}/x")
    assert 0.2 < time.monotonic() - started < 3
    started = time.monotonic()
    assert "recorded" in unreachable_reason(f"http://{silent_host}/y")
    assert time.monotonic() - started < 0.2


def test_a_name_lookup_that_hangs_times_out(monkeypatch):
    monkeypatch.setattr(torchvision_weights, "CONNECT_SECONDS", 0.1)
    release = threading.Event()
    monkeypatch.setattr(torchvision_weights, "_send_head", lambda url: release.wait(30) and None)
    started = time.monotonic()
    assert "did not respond" in unreachable_reason("http://example.invalid/x")
    assert time.monotonic() - started < 5
    release.set()


def test_a_refused_connection_is_reported(closed_host):
    assert "cannot be reached" in unreachable_reason(f"http://{closed_host}/x")


def test_a_record_expires_after_a_day_and_can_be_ignored(closed_host, own_cache, monkeypatch):
    url = f"http://{closed_host}/x"
    unreachable_reason(url)
    (record,) = (own_cache / "unreachable").iterdir()
    content = json.loads(record.read_bytes())
    record.write_text(json.dumps({**content, "time": content["time"] - 25 * 3600}))
    assert "recorded" not in unreachable_reason(url)
    assert "recorded" in unreachable_reason(url)
    monkeypatch.setenv("DECONVWIDGETS_OFFLINE", "0")
    assert "recorded" not in unreachable_reason(url)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"time": "x"}', '{"time": 99999999999999, "reason": "from the future"}'])
def test_a_damaged_record_is_ignored(closed_host, own_cache, content):
    unreachable_reason(f"http://{closed_host}/x")
    (record,) = (own_cache / "unreachable").iterdir()
    record.write_text(content)
    assert "recorded" not in unreachable_reason(f"http://{closed_host}/x")


def test_a_response_removes_the_record(responding_host, own_cache, monkeypatch):
    url = f"http://127.0.0.1:{responding_host.server_port}"
    assert "403" in unreachable_reason(url + "/missing")
    monkeypatch.setenv("DECONVWIDGETS_OFFLINE", "0")
    assert unreachable_reason(url + "/there") is None
    monkeypatch.delenv("DECONVWIDGETS_OFFLINE")
    assert unreachable_reason(url + "/there") is None
    assert responding_host.requests == 3


def test_no_request_is_sent_offline(responding_host, monkeypatch):
    monkeypatch.setenv("DECONVWIDGETS_OFFLINE", "1")
    assert "DECONVWIDGETS_OFFLINE" in unreachable_reason(f"http://127.0.0.1:{responding_host.server_port}/there")
    assert responding_host.requests == 0


# --- files from a local server


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


def test_a_file_is_downloaded_once(server):
    weights, served = serve(server, b"weights" * 1000)
    path = ensure_official_file(weights, progress=False)
    assert path.read_bytes() == b"weights" * 1000
    served.unlink()
    assert ensure_official_file(weights, progress=False) == path


def test_a_file_with_another_hash_is_refused(server):
    weights, served = serve(server, b"weights")
    served.write_bytes(b"a login page")
    with pytest.raises(AssetError, match="does not match the hash"):
        ensure_official_file(weights, progress=False)
    assert not hub_path(weights).exists()


def test_a_failed_download_leaves_no_file_and_is_recorded(server):
    weights, _ = serve(server, b"x", "broken")
    with pytest.raises(AssetError, match=r"download from .* failed \(4 of 1,000 bytes were received\)"):
        ensure_official_file(weights, progress=False)
    assert not hub_path(weights).exists()
    assert "recorded" in unreachable_reason(weights.url)
