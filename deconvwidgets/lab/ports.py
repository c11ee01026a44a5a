"""The port that JupyterLab listens on: chosen and held before the long computations, and released for the server."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

from deconvwidgets.errors import DeconvWidgetsError

DEFAULT_PORT = 8888
_MAX_PORTS = 20


class AddressError(DeconvWidgetsError):
    """An address is not one of this machine, so that nothing can listen on it."""


class PortTakenError(DeconvWidgetsError):
    """Another program listens on a port."""


@dataclass(frozen=True, slots=True)
class ReservedPort:
    """A port that no other program can take until it is released. `requested` is what the user asked for, see `reserve_port`."""

    ip: str
    port: int
    requested: int | None
    _holder: socket.socket

    def release(self) -> None:
        """Let a server listen on the port."""
        self._holder.close()


def reserve_port(ip: str, requested: int | None) -> ReservedPort:
    """Reserve a port. Of several commands that are started together, each reserves its own.

    Parameters
    ----------
    ip : str
        The address to listen on.
    requested : int or None
        The port; 0 for any free port, None for the first free one from 8888.

    Returns
    -------
    ReservedPort
        The port. Nothing answers on it.

    Raises
    ------
    AddressError
        If the address is not one of this machine.
    PortTakenError
        If the port is in use or not allowed.
    """
    if requested is not None:
        holder = _listen(ip, requested)
        if holder is None:
            raise PortTakenError(f"Port {requested} on {ip} is in use or not allowed; choose another one with --port, or omit --port.")
        return ReservedPort(ip, int(holder.getsockname()[1]), requested, holder)
    for candidate in range(DEFAULT_PORT, DEFAULT_PORT + _MAX_PORTS):
        if (holder := _listen(ip, candidate)) is not None:
            return ReservedPort(ip, candidate, None, holder)
    raise PortTakenError(f"Ports {DEFAULT_PORT} to {candidate} on {ip} are all in use; choose a free one with --port.")


def is_free(ip: str, port: int) -> bool:
    """Return whether nothing listens on a port."""
    holder = _listen(ip, port)
    if holder is not None:
        holder.close()
    return holder is not None


def _listen(ip: str, port: int) -> socket.socket | None:
    """Listen on a port without ever answering; None if that is not possible. A port that is only bound could be taken by others."""
    host = "" if ip == "*" else ip
    holder = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # on Windows this option would allow a second server on the same port
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind((host, port))
        holder.listen()
    except (socket.gaierror, UnicodeError, TypeError) as error:  # TypeError: the encoding of a name failed
        holder.close()
        raise _not_an_address(ip) from error
    except (OSError, OverflowError) as error:
        holder.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL:
            raise _not_an_address(ip) from error
        return None
    return holder


def _not_an_address(ip: str) -> AddressError:
    return AddressError(f"{ip!r} is not an address of this machine; try --ip 127.0.0.1.")
