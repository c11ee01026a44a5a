"""A real JupyterLab, started, asked and stopped as `deconvwidgets lab` does it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tornado.websocket import websocket_connect

from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.lab import lab_page_config as quiet
from deconvwidgets.lab import server


def ask(address: server.Address, path: str, data: bytes | None = None) -> Any:
    return json.loads(read(address, path, data))


def read(address: server.Address, path: str, data: bytes | None = None) -> bytes:
    request = urllib.request.Request(f"{address.root}{path}", data=data, headers={"Authorization": f"token {address.token}"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        body: bytes = answer.read()
    return body


def jupyter_folders(root: Path) -> dict[str, str]:
    """An environment in which Jupyter sees nothing of this user's own settings."""
    names = {"JUPYTER_CONFIG_DIR": "cfg", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run", "IPYTHONDIR": "ipy"}
    names |= {"JUPYTERLAB_SETTINGS_DIR": "set", "JUPYTERLAB_WORKSPACES_DIR": "ws"}
    return {name: str(root / folder) for name, folder in names.items()}


@pytest.mark.slow
def test_lab_starts_sends_at_once_and_leaves_nothing_behind(tmp_path: Path) -> None:
    folders = jupyter_folders(tmp_path)
    extensions = Path(folders["JUPYTER_CONFIG_DIR"]) / "jupyter_server_config.d"
    extensions.mkdir(parents=True)
    (extensions / "probe.json").write_text(json.dumps({"ServerApp": {"jpserver_extensions": {"nodelay_probe": True}}}))
    here = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    address = server.new_address("127.0.0.1", server.choose_port("127.0.0.1", 0))
    with server.running(address, tmp_path, {**folders, "PYTHONPATH": here, "DECONVWIDGETS_MODEL": "alexnet"}) as process:
        kernel = ask(address, "/api/kernels", b"{}")["id"]
        assert asyncio.run(nodelay_of(address, kernel)) == [1]
        pid, variables = asyncio.run(
            told_by_kernel(address, kernel, "import os; print(os.getpid(), os.environ['DECONVWIDGETS_MODEL'])")
        ).split()
        assert variables == "alexnet"
        assert ask(address, "/lab/api/listings/@jupyterlab/extensionmanager-extension/listings.json") is not None
        page = read(address, "/lab").decode()
        config = json.loads(re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
        assert quiet.ANNOUNCEMENTS in config["disabledExtensions"]
        untracked = config["untracked_message_types"]
        assert quiet.WIDGETS_MESSAGES in untracked
        assert len(untracked) > 1, "the kernel's sign stays dark for those that JupyterLab names, too"
        listing = ["ps", "-ww", "-o", "args=", "-p", str(process.pid)]
        commandline = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
        assert address.token not in commandline, "a process list is public"
    assert process.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
    assert server.choose_port("127.0.0.1", address.port) == address.port, "the port is free again"


async def nodelay_of(address: server.Address, kernel: str) -> list[int]:
    """Open the kernel's websocket and ask the probe about it."""
    url = f"{address.root.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels?token={address.token}&session_id=s"
    connection = await websocket_connect(url)
    try:
        answer = await asyncio.to_thread(ask, address, "/nodelay-probe")
        assert isinstance(answer, list)
        return answer
    finally:
        connection.close()


async def told_by_kernel(address: server.Address, kernel: str, code: str) -> str:
    """What `code` prints in the kernel."""
    url = f"{address.root.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels?token={address.token}&session_id=t"
    connection = await websocket_connect(url)
    header = {"msg_id": "1", "msg_type": "execute_request", "session": "t", "username": "", "version": "5.3", "date": ""}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False, "user_expressions": {}}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell", "buffers": []}
    await connection.write_message(json.dumps(message))
    while True:
        received = await asyncio.wait_for(connection.read_message(), 60)
        assert received is not None, "the kernel's websocket closed"
        answer = json.loads(received)
        if answer["msg_type"] == "stream":
            connection.close()
            return str(answer["content"]["text"])


def test_the_page_is_quieted_beside_whatever_else_it_says() -> None:
    hook = quiet.quieted()
    quieted = {"disabledExtensions": [quiet.ANNOUNCEMENTS], "untracked_message_types": [quiet.WIDGETS_MESSAGES]}
    assert hook(None, {"a": 1}) == {"a": 1, **quieted}
    config = {"disabledExtensions": ["other"], "untracked_message_types": ["stream"]}
    for _ in range(2):  # the page is asked for again and again
        config = hook(None, config)
    assert config["disabledExtensions"] == ["other", quiet.ANNOUNCEMENTS]
    assert config["untracked_message_types"] == ["stream", quiet.WIDGETS_MESSAGES]
    chained = quiet.quieted(lambda handler, page: {**page, "disabledExtensions": ["first"]})
    assert chained(None, {})["disabledExtensions"] == ["first", quiet.ANNOUNCEMENTS]


def test_a_taken_port_is_refused_and_a_default_one_avoided() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DeconvWidgetsError, match=f"Port {port}.*--port"):
            server.choose_port("127.0.0.1", port)
    assert server.choose_port("127.0.0.1", None) >= server.DEFAULT_PORT
    with pytest.raises(DeconvWidgetsError, match="not allowed"):
        server.choose_port("127.0.0.1", 70000)
    with pytest.raises(DeconvWidgetsError, match="not an address"):
        server.choose_port("no.such.host.invalid", 0)


def test_the_default_port_moves_on_when_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(server, "DEFAULT_PORT", taken.getsockname()[1])
        assert server.choose_port("127.0.0.1", None) > taken.getsockname()[1]


def test_the_address_is_one_that_a_browser_here_can_open() -> None:
    assert server.Address("0.0.0.0", 8899, "abc").notebook("01 x.ipynb") == "http://127.0.0.1:8899/lab/tree/01%20x.ipynb?token=abc"
    assert server.Address("::1", 8899, "abc").root == "http://[::1]:8899"


def test_a_server_that_cannot_start_is_told(tmp_path: Path) -> None:
    address = server.new_address("127.0.0.1", server.choose_port("127.0.0.1", 0))
    with pytest.raises(DeconvWidgetsError, match="ended at once"), server.running(address, tmp_path / "missing", jupyter_folders(tmp_path)):
        pass


def test_missing_jupyterlab_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DeconvWidgetsError, match="pip install jupyterlab"):
        server.require_jupyterlab()


def test_the_token_may_be_set_by_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_TOKEN", "mine")
    assert server.new_address("127.0.0.1", 1).token == "mine"
    monkeypatch.delenv("JUPYTER_TOKEN")
    assert len(server.new_address("127.0.0.1", 1).token) == 48
    assert sys.executable in server.command(server.new_address("127.0.0.1", 1), Path())
