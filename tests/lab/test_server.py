"""A real JupyterLab is started and stopped as by `deconvwidgets lab`."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from tornado.websocket import websocket_connect

from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.lab import ports, server
from deconvwidgets.lab.lab_page_config import ANNOUNCEMENTS, COMM_MESSAGE, page_config_hook


def get_json(address: server.Address, path: str, data: bytes | None = None) -> Any:
    return json.loads(get(address, path, data))


def get(address: server.Address, path: str, data: bytes | None = None) -> bytes:
    request = urllib.request.Request(f"{address.root}{path}", data=data, headers={"Authorization": f"token {address.token}"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as response:
        body: bytes = response.read()
    return body


def free_port(requested: int | None = 0) -> int:
    reserved = ports.reserve_port("127.0.0.1", requested)
    reserved.release()
    return reserved.port


def jupyter_folders(root: Path) -> dict[str, str]:
    """Return environment variables with which Jupyter does not read the user's settings."""
    names = {"JUPYTER_CONFIG_DIR": "cfg", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run", "IPYTHONDIR": "ipy"}
    names |= {"JUPYTERLAB_SETTINGS_DIR": "set", "JUPYTERLAB_WORKSPACES_DIR": "ws"}
    return {name: str(root / folder) for name, folder in names.items()}


@pytest.mark.slow
def test_lab_sets_nodelay_and_stops_its_kernels(tmp_path: Path) -> None:
    folders = jupyter_folders(tmp_path)
    extensions = Path(folders["JUPYTER_CONFIG_DIR"]) / "jupyter_server_config.d"
    extensions.mkdir(parents=True)
    (extensions / "probe.json").write_text(json.dumps({"ServerApp": {"jpserver_extensions": {"nodelay_probe": True}}}))
    here = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    address = server.new_address("127.0.0.1", free_port())
    with server.run_server(address, tmp_path, {**folders, "PYTHONPATH": here, "DECONVWIDGETS_MODEL": "alexnet"}) as process:
        kernel = get_json(address, "/api/kernels", b"{}")["id"]
        assert asyncio.run(websocket_nodelay(address, kernel)) == [1]
        pid, variables = asyncio.run(
            run_in_kernel(address, kernel, "import os; print(os.getpid(), os.environ['DECONVWIDGETS_MODEL'])")
        ).split()
        assert variables == "alexnet"
        assert get_json(address, "/lab/api/listings/@jupyterlab/extensionmanager-extension/listings.json") is not None
        page = get(address, "/lab").decode()
        config = json.loads(re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
        assert ANNOUNCEMENTS in config["disabledExtensions"]
        untracked = config["untracked_message_types"]
        assert COMM_MESSAGE in untracked
        assert len(untracked) > 1, "the message types of JupyterLab are kept"
        listing = ["ps", "-ww", "-o", "args=", "-p", str(process.pid)]
        commandline = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
        assert address.token not in commandline, "other users can see the command line"
    assert process.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
    assert ports.is_free("127.0.0.1", address.port), "the port is released"


async def websocket_nodelay(address: server.Address, kernel: str) -> list[int]:
    """Return TCP_NODELAY of a new websocket to the kernel."""
    url = f"{address.root.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels?token={address.token}&session_id=s"
    connection = await websocket_connect(url)
    try:
        values = await asyncio.to_thread(get_json, address, "/nodelay-probe")
        assert isinstance(values, list)
        return values
    finally:
        connection.close()


async def run_in_kernel(address: server.Address, kernel: str, code: str) -> str:
    """Return what `code` prints in the kernel."""
    url = f"{address.root.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels?token={address.token}&session_id=t"
    connection = await websocket_connect(url)
    header = {"msg_id": "1", "msg_type": "execute_request", "session": "t", "username": "", "version": "5.3", "date": ""}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False, "user_expressions": {}}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell", "buffers": []}
    await connection.write_message(json.dumps(message))
    while True:
        received = await asyncio.wait_for(connection.read_message(), 60)
        assert received is not None, "the kernel's websocket closed"
        reply = json.loads(received)
        if reply["msg_type"] == "stream":
            connection.close()
            return str(reply["content"]["text"])


def test_the_page_config_is_extended() -> None:
    hook = page_config_hook()
    added = {"disabledExtensions": [ANNOUNCEMENTS], "untracked_message_types": [COMM_MESSAGE]}
    assert hook(None, {"a": 1}) == {"a": 1, **added}
    config = {"disabledExtensions": ["other"], "untracked_message_types": ["stream"]}
    for _ in range(2):  # a second call must not add the names again
        config = hook(None, config)
    assert config["disabledExtensions"] == ["other", ANNOUNCEMENTS]
    assert config["untracked_message_types"] == ["stream", COMM_MESSAGE]
    chained = page_config_hook(lambda handler, page: {**page, "disabledExtensions": ["first"]})
    assert chained(None, {})["disabledExtensions"] == ["first", ANNOUNCEMENTS]


def test_a_port_in_use_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DeconvWidgetsError, match=f"Port {port}.*--port"):
            ports.reserve_port("127.0.0.1", port)
    assert free_port(None) >= ports.DEFAULT_PORT
    with pytest.raises(DeconvWidgetsError, match="not allowed"):
        ports.reserve_port("127.0.0.1", 70000)
    for ip in ("no.such.host.invalid", "exämple..x", "192.0.2.1"):  # the last is reserved for documentation
        with pytest.raises(DeconvWidgetsError, match="not an address"):
            ports.reserve_port(ip, None)


def test_the_next_port_is_chosen_if_the_default_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(ports, "DEFAULT_PORT", taken.getsockname()[1])
        assert free_port(None) > taken.getsockname()[1]


def test_two_reservations_differ() -> None:
    reserved = [ports.reserve_port("127.0.0.1", None) for _ in range(2)]
    try:
        assert reserved[0].port < reserved[1].port
    finally:
        for port in reserved:
            port.release()


@pytest.mark.slow
def test_another_port_is_chosen_if_a_program_takes_the_reserved_one(tmp_path: Path) -> None:
    reserved = ports.reserve_port("127.0.0.1", 0)
    reserved.release()
    with http.server.HTTPServer(("127.0.0.1", reserved.port), http.server.BaseHTTPRequestHandler) as taken:
        with server.run_on_reserved_port(reserved, tmp_path, jupyter_folders(tmp_path)) as (address, process):
            assert address.port != reserved.port
            assert get_json(address, "/api/status")["kernels"] == 0
            assert process.poll() is None
        threading.Thread(target=taken.serve_forever, daemon=True).start()  # it answers, as the JupyterLab of another command
        asked_for = replace(reserved, requested=reserved.port)
        with pytest.raises(ports.PortTakenError), server.run_on_reserved_port(asked_for, tmp_path, jupyter_folders(tmp_path)):
            pass
        taken.shutdown()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_the_server_and_its_kernels_end_with_a_killed_process(tmp_path: Path) -> None:
    reserved = ports.reserve_port("127.0.0.1", 0)
    reserved.release()
    code = (
        "import pathlib, sys, time\nfrom deconvwidgets.lab import server\n"
        f"with server.run_server(server.Address('127.0.0.1', {reserved.port}, 't'), pathlib.Path({str(tmp_path)!r}), {{}}) as process:\n"
        "    print(process.pid, flush=True)\n    time.sleep(300)\n"
    )
    environment = {**os.environ, **jupyter_folders(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        address = server.Address("127.0.0.1", reserved.port, "t")
        kernel = get_json(address, "/api/kernels", b"{}")["id"]
        kernel_pid = int(asyncio.run(run_in_kernel(address, kernel, "import os; print(os.getpid())")))
        process.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs([psutil.Process(number) for number in (pid, kernel_pid) if psutil.pid_exists(number)], timeout=15)
    assert alive == []
    assert ports.is_free("127.0.0.1", reserved.port)


def test_urls_are_local_and_quoted() -> None:
    assert server.Address("0.0.0.0", 8899, "abc").notebook("01 x.ipynb") == "http://127.0.0.1:8899/lab/tree/01%20x.ipynb?token=abc"
    assert server.Address("::1", 8899, "abc").root == "http://[::1]:8899"


@pytest.mark.slow
def test_a_server_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    address = server.new_address("127.0.0.1", free_port())
    with (
        pytest.raises(DeconvWidgetsError, match="exited with code"),
        server.run_server(address, tmp_path / "missing", jupyter_folders(tmp_path)),
    ):
        pass


def test_error_without_jupyterlab_contains_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DeconvWidgetsError, match="pip install jupyterlab"):
        server.require_jupyterlab()


def test_the_token_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_TOKEN", "mine")
    assert server.new_address("127.0.0.1", 1).token == "mine"
    monkeypatch.delenv("JUPYTER_TOKEN")
    assert len(server.new_address("127.0.0.1", 1).token) == 48
