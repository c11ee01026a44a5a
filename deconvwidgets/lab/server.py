"""JupyterLab in the same environment: found, started, watched and stopped."""

from __future__ import annotations

import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.parse import quote

from deconvwidgets.errors import DeconvWidgetsError

DEFAULT_PORT = 8888
_TRIED_PORTS = 20
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens, and the token that opens it."""

    ip: str
    port: int
    token: str

    @property
    def root(self) -> str:
        """As typed into a browser on this machine (or, with a concrete address, on another one)."""
        host = "127.0.0.1" if self.ip in ("", "*", "0.0.0.0", "::") else self.ip
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def notebook(self, name: str) -> str:
        """A notebook's URL, token included."""
        return f"{self.root}/lab/tree/{quote(name)}?token={self.token}"


def require_jupyterlab() -> None:
    """Raise, with the command to run, where JupyterLab is not installed beside this package."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise DeconvWidgetsError(f"JupyterLab is not installed here. Run: {sys.executable} -m pip install jupyterlab")


def choose_port(ip: str, asked: int | None) -> int:
    """The port to listen on: the one asked for (0: any), or from 8888 on the first free one. Raises if it is taken."""
    if asked is not None:
        port = _bindable(ip, asked)
        if port is None:
            raise DeconvWidgetsError(f"Port {asked} on {ip} is taken or not allowed; choose another one with --port, or leave --port out.")
        return port
    for candidate in range(DEFAULT_PORT, DEFAULT_PORT + _TRIED_PORTS):
        if (port := _bindable(ip, candidate)) is not None:
            return port
    raise DeconvWidgetsError(f"Ports {DEFAULT_PORT} to {candidate} on {ip} are all taken; name a free one with --port.")


def _bindable(ip: str, port: int) -> int | None:
    host = "" if ip == "*" else ip
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # elsewhere this option would allow a second server on the same port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except socket.gaierror as error:
            raise DeconvWidgetsError(f"{ip!r} is not an address of this machine; try --ip 127.0.0.1.") from error
        except (OSError, OverflowError):
            return None
        return int(probe.getsockname()[1])


def new_address(ip: str, port: int) -> Address:
    """An address with a token of its own, or with the one that JUPYTER_TOKEN sets."""
    return Address(ip, port, os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24))


def command(address: Address, folder: Path) -> list[str]:
    """The command line that starts JupyterLab on `folder`. The token travels in the environment: a process list is public."""
    line = [sys.executable, "-m", "jupyterlab", "--no-browser", "--log-level=ERROR"]
    line += [f"--ServerApp.ip={address.ip}", f"--ServerApp.port={address.port}", "--ServerApp.port_retries=0"]
    line += [f"--ServerApp.root_dir={folder}"]
    line += [f"--ServerApp.jpserver_extensions=deconvwidgets.lab.{name}=True" for name in ("websocket_nodelay", "lab_page_config")]
    # A teaching tool asks nobody else for news or updates.
    line += [
        "--LabApp.news_url=None",
        "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        line.append("--allow-root")
    return line


@contextmanager
def running(address: Address, folder: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """JupyterLab, answering; stopped with its kernels at the end. `environment` is added to the kernels' environment.

    The server gets a session of its own, so that Ctrl-C reaches only us and it can be asked to stop in an orderly way.
    """
    variables = {**os.environ, **environment, "JUPYTER_TOKEN": address.token}
    process = subprocess.Popen(command(address, folder), env=variables, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        _wait_until_up(address, process)
        yield process
    finally:
        _stop(process)


def _wait_until_up(address: Address, process: subprocess.Popen[bytes]) -> None:
    request = urllib.request.Request(f"{address.root}/api/status", headers={"Authorization": f"token {address.token}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy does not know our own machine
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise DeconvWidgetsError(f"JupyterLab ended at once with code {process.returncode}; its words are above.")
        try:
            with opener.open(request, timeout=2):
                return
        except urllib.error.HTTPError as error:
            raise DeconvWidgetsError(f"Another program answers at {address.root} ({error.code}); choose another --port.") from error
        except OSError:  # not listening yet
            time.sleep(0.2)
    raise DeconvWidgetsError(f"JupyterLab did not answer at {address.root} within {_START_SECONDS:.0f} s; its words are above.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Turn SIGTERM and a closed terminal into KeyboardInterrupt, so that the server never outlives us."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), interrupt) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
