"""torchvision's weights are downloaded once and verified."""

import hashlib
import http.server
import threading
from types import SimpleNamespace

import pytest
import torch

from deconvwidgets.assets import reachability, torchvision_weights
from deconvwidgets.assets.reachability import RecentFailures, unreachable_reason
from deconvwidgets.assets.torchvision_weights import ensure_official_file, hub_path
from deconvwidgets.errors import AssetError


@pytest.fixture
def server(tmp_path, monkeypatch, own_cache):
    monkeypatch.delenv("DECONVWIDGETS_OFFLINE", raising=False)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    failures = RecentFailures()
    monkeypatch.setattr(reachability, "recent_failures", failures)
    monkeypatch.setattr(torchvision_weights, "recent_failures", failures)
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


def test_a_failed_download_leaves_no_file_and_is_remembered(server):
    weights, _ = serve(server, b"x", "broken")
    with pytest.raises(AssetError, match=r"download from .* failed \(4 of 1,000 bytes were received\)"):
        ensure_official_file(weights, progress=False)
    assert not hub_path(weights).exists()
    assert "4 of 1,000 bytes" in unreachable_reason(weights.url)
