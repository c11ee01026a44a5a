"""Starting and stopping JupyterLab in the current environment."""

from __future__ import annotations

import importlib.util
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.parse import quote

from deconvwidgets.child_process import start_module
from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.lab.ports import PortTakenError, ReservedPort, is_free, reserve_port

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a server, and its token."""

    ip: str
    port: int
    token: str

    @property
    def root(self) -> str:
        """The URL of the server. It is a local URL if the server listens on all interfaces."""
        host = "127.0.0.1" if self.ip in ("", "*", "0.0.0.0", "::") else self.ip
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def notebook(self, name: str) -> str:
        """Return the URL of a notebook, with the token."""
        return f"{self.root}/lab/tree/{quote(name)}?token={self.token}"


def require_jupyterlab() -> None:
    """Raise DeconvWidgetsError if JupyterLab is not installed."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise DeconvWidgetsError(f"JupyterLab is not installed. Run: {sys.executable} -m pip install jupyterlab")


def new_address(ip: str, port: int) -> Address:
    """Return an address with the token in JUPYTER_TOKEN, or with a new one."""
    return Address(ip, port, os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24))


def server_arguments(address: Address, folder: Path) -> list[str]:
    """Return the arguments of JupyterLab that start it in `folder`.

    They do not contain the token, because other users can see it; the token is passed in the environment.
    """
    line = ["--no-browser", "--log-level=ERROR"]
    line += [f"--ServerApp.ip={address.ip}", f"--ServerApp.port={address.port}", "--ServerApp.port_retries=0"]
    line += [f"--ServerApp.root_dir={folder}"]
    line += [f"--ServerApp.jpserver_extensions=deconvwidgets.lab.{name}=True" for name in ("websocket_nodelay", "lab_page_config")]
    # Disable requests for news and updates.
    line += [
        "--LabApp.news_url=None",
        "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        line.append("--allow-root")
    return line


@contextmanager
def run_server(address: Address, folder: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run JupyterLab while the context is open. The server and its kernels are stopped at the end.

    The server has its own process session, so that Ctrl-C only reaches this process, which then stops the server by SIGTERM. It also
    stops when this process is killed.

    Parameters
    ----------
    address : Address
        The address to listen on.
    folder : pathlib.Path
        The root folder of the server.
    environment : mapping of str to str
        Environment variables for the server and its kernels, in addition to those of this process.

    Yields
    ------
    subprocess.Popen
        The process of the server, which responds to requests.

    Raises
    ------
    PortTakenError
        If another program has taken the port.
    DeconvWidgetsError
        If the server does not start.
    """
    variables = {**os.environ, **environment, "JUPYTER_TOKEN": address.token}
    process = start_module("jupyterlab", server_arguments(address, folder), variables, own_session=True)
    try:
        _wait_for_response(address, process)
        yield process
    finally:
        _stop(process)


@contextmanager
def run_on_reserved_port(
    reserved: ReservedPort, folder: Path, environment: Mapping[str, str]
) -> Iterator[tuple[Address, subprocess.Popen[bytes]]]:
    """Run JupyterLab on a reserved port while the context is open, see `run_server`.

    Between the release of the port and the start of the server, another program may take it. Then another port is chosen, unless the
    user asked for that one.

    Yields
    ------
    address : Address
        The address of the server.
    process : subprocess.Popen
        Its process.
    """
    with ExitStack() as stack:
        while True:
            reserved.release()
            address = new_address(reserved.ip, reserved.port)
            try:
                process = stack.enter_context(run_server(address, folder, environment))
            except PortTakenError:
                if reserved.requested:
                    raise
                reserved = reserve_port(reserved.ip, reserved.requested)
            else:
                break
        yield address, process


def _wait_for_response(address: Address, process: subprocess.Popen[bytes]) -> None:
    request = urllib.request.Request(f"{address.root}/api/status", headers={"Authorization": f"token {address.token}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy cannot reach local addresses
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            if not is_free(address.ip, address.port):
                raise PortTakenError(f"Another program has taken port {address.port} on {address.ip}; choose another --port.")
            raise DeconvWidgetsError(f"JupyterLab exited with code {process.returncode}; see its output above.")
        try:
            with opener.open(request, timeout=2):
                return
        except urllib.error.HTTPError as error:
            raise PortTakenError(f"Another program is running at {address.root} ({error.code}); choose another --port.") from error
        except OSError:  # not listening yet
            time.sleep(0.2)
    raise DeconvWidgetsError(f"JupyterLab did not respond at {address.root} within {_START_SECONDS:.0f} s; see its output above.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdin is not None:
        process.stdin.close()


@contextmanager
def interrupt_on_signals() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM and SIGHUP while the context is open, so that the server is stopped."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    previous = {name: signal.signal(getattr(signal, name), interrupt) for name in names}
    try:
        yield
    finally:
        for name, handler in previous.items():
            signal.signal(getattr(signal, name), handler)
