"""Starting and stopping JupyterLab in the current environment."""

from __future__ import annotations

import errno
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
_MAX_PORTS = 20
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0


class AddressError(DeconvWidgetsError):
    """An address is not one of this machine, so that nothing can listen on it."""


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


def choose_port(ip: str, requested: int | None) -> int:
    """Return the port to listen on.

    Parameters
    ----------
    ip : str
        The address to listen on.
    requested : int or None
        The port; 0 for any free port, None for the first free one from 8888.

    Returns
    -------
    int
        The port.

    Raises
    ------
    AddressError
        If the address is not one of this machine.
    DeconvWidgetsError
        If the port is not available.
    """
    if requested is not None:
        port = _bind(ip, requested)
        if port is None:
            raise DeconvWidgetsError(f"Port {requested} on {ip} is in use or not allowed; choose another one with --port, or omit --port.")
        return port
    for candidate in range(DEFAULT_PORT, DEFAULT_PORT + _MAX_PORTS):
        if (port := _bind(ip, candidate)) is not None:
            return port
    raise DeconvWidgetsError(f"Ports {DEFAULT_PORT} to {candidate} on {ip} are all in use; choose a free one with --port.")


def _bind(ip: str, port: int) -> int | None:
    """Bind a port, release it, and return its number; None if that is not possible."""
    host = "" if ip == "*" else ip
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # on Windows this option would allow a second server on the same port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (socket.gaierror, UnicodeError, TypeError) as error:  # TypeError: the encoding of a name failed
            raise _not_an_address(ip) from error
        except OverflowError:
            return None
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise _not_an_address(ip) from error
            return None
        return int(probe.getsockname()[1])


def _not_an_address(ip: str) -> AddressError:
    return AddressError(f"{ip!r} is not an address of this machine; try --ip 127.0.0.1.")


def new_address(ip: str, port: int) -> Address:
    """Return an address with the token in JUPYTER_TOKEN, or with a new one."""
    return Address(ip, port, os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24))


def command_line(address: Address, folder: Path) -> list[str]:
    """Return the command line that starts JupyterLab in `folder`.

    It does not contain the token, because other users can see it; the token is passed in the environment.
    """
    line = [sys.executable, "-m", "jupyterlab", "--no-browser", "--log-level=ERROR"]
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

    The server has its own process session, so that Ctrl-C only reaches this process, which then stops the server by SIGTERM.

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
    DeconvWidgetsError
        If the server does not start.
    """
    variables = {**os.environ, **environment, "JUPYTER_TOKEN": address.token}
    process = subprocess.Popen(command_line(address, folder), env=variables, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        _wait_for_response(address, process)
        yield process
    finally:
        _stop(process)


def _wait_for_response(address: Address, process: subprocess.Popen[bytes]) -> None:
    request = urllib.request.Request(f"{address.root}/api/status", headers={"Authorization": f"token {address.token}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy cannot reach local addresses
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DeconvWidgetsError(f"JupyterLab exited with code {process.returncode}; see its output above.")
        try:
            with opener.open(request, timeout=2):
                return
        except urllib.error.HTTPError as error:
            raise DeconvWidgetsError(f"Another program is running at {address.root} ({error.code}); choose another --port.") from error
        except OSError:  # not listening yet
            time.sleep(0.2)
    raise DeconvWidgetsError(f"JupyterLab did not respond at {address.root} within {_START_SECONDS:.0f} s; see its output above.")


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
