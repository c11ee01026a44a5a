"""A connection to a Ray cluster, and what the cluster has. Ray is an extra: nothing here imports it before it is needed."""

from __future__ import annotations

import logging
import os
import socket
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from deconvwidgets.arguments import describe
from deconvwidgets.errors import ActivationIndexError

LOCAL = "local"
INSTALL = 'pip install "deconvwidgets[ray]"'
_SECONDS_TO_REACH = 5.0
_REASON = 300  # characters of Ray's own message, which may have many lines
_WAYS = (
    '"auto" is the cluster that this machine belongs to (started by `ray start`), "HOST:6379" the cluster of another head node, '
    '"ray://HOST:10001" one that is reached as a client; "local" and None start Ray on this machine only'
)


def import_ray() -> ModuleType:
    """Return the module ray, with ray.data. Raises ImportError, with the command that installs it, if it is not there."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ImportError(f"Ray is not installed here ({error}): {INSTALL}, on every machine of the cluster") from error
    return ray


@dataclass(frozen=True, slots=True)
class ClusterShape:
    """What the living nodes of a cluster have together, and the smallest object store of one."""

    nodes: int
    cpus: int
    gpus: int
    object_store: int  # bytes

    @classmethod
    def of(cls, nodes: list[dict[str, Any]]) -> ClusterShape:
        """Return the shape of the nodes that `ray.nodes` lists. Those without CPUs and GPUs are left out: they do not compute."""
        resources = [node["Resources"] for node in nodes if node["Alive"]]
        working = [found for found in resources if found.get("CPU", 0) >= 1 or found.get("GPU", 0) >= 1]
        return cls(
            nodes=len(working),
            cpus=sum(int(found.get("CPU", 0)) for found in working),
            gpus=sum(int(found.get("GPU", 0)) for found in working),
            object_store=int(min((found.get("object_store_memory", 0) for found in working), default=0)),
        )


@contextmanager
def ray_session(address: str | None = None) -> Iterator[ModuleType]:
    """Connect to a cluster, unless this process is connected already, and disconnect at the end if the connection was made here.

    Parameters
    ----------
    address : str, optional
        "auto", "HOST:PORT" or "ray://HOST:PORT"; "local" and None start Ray on this machine, and stop it at the end. A process that is
        connected already uses its connection.

    Yields
    ------
    module
        ray.

    Raises
    ------
    ImportError
        If Ray is not installed.
    ActivationIndexError
        If there is no cluster at the address.
    """
    if address is not None and not (isinstance(address, str) and address):
        raise ActivationIndexError(f"ray_address must be a text or None, not {describe(address)}. {_WAYS}")
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    _connect(ray, address)
    try:
        yield ray
    finally:
        ray.shutdown()


def _connect(ray: ModuleType, address: str | None) -> None:
    try:
        require_listener(address or "")
    except OSError as error:
        raise _not_connected(address, str(error)) from error
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address in (None, LOCAL):
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to Ray's makers unasked
            ray.init(address="local", include_dashboard=False, **quiet)
        else:
            ray.init(address=address, **quiet)
    except Exception as error:  # Ray raises errors of many kinds, a plain Exception among them
        raise _not_connected(address, str(error) or type(error).__name__) from error


def require_listener(address: str) -> None:
    """Try the port of "HOST:PORT" or "ray://HOST:PORT" first: Ray itself tries for minutes. Raises OSError if nothing listens there."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_TO_REACH).close()
    except OverflowError as error:
        raise OSError(f"there is no port {port}") from error


def _not_connected(address: str | None, reason: str) -> ActivationIndexError:
    reason = textwrap.shorten(reason, _REASON, placeholder=" …")
    if address in (None, LOCAL):
        return ActivationIndexError(
            f"Ray cannot be started on this machine ({reason.rstrip('.')}). Close what fills the memory or the disk, or other sessions of "
            "Ray (`ray stop`), and try again; without Ray, leave out engine='ray'"
        )
    return ActivationIndexError(f"There is no Ray cluster at {address} ({reason.strip().rstrip('.')}). ray_address: {_WAYS}")
