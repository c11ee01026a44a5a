"""Ray, if it is installed, and the connection of this process to a cluster."""

from __future__ import annotations

import os
from typing import Any

from deconvwidgets.arguments import describe
from deconvwidgets.compute.ray_cluster import INSTALL, LOCAL, require_listener
from deconvwidgets.errors import ServiceError

NAMESPACE = "deconvwidgets"


def require_ray() -> Any:
    """Return the module ray. Raises ServiceError if it is not installed."""
    try:
        import ray
    except ImportError as error:
        raise ServiceError(f"A service elsewhere needs Ray, which is not installed here: {INSTALL}, then restart the kernel.") from error
    return ray


def join_cluster(address: str) -> Any:
    """Connect this process to a cluster, unless it is connected, and return the module ray.

    Parameters
    ----------
    address : str
        "ray://host:10001", "auto" (the cluster of this machine), "host:6379" for a machine that is part of the cluster, or "local" for a
        cluster that this process starts on this machine and that ends with it.

    Raises
    ------
    ServiceError
        If Ray is not installed, if no cluster answers, or if this process is connected to another one.
    """
    if not isinstance(address, str) or not address.strip():
        raise ServiceError(f"address must be 'auto', 'local', 'ray://host:10001' or 'host:6379', not {describe(address)}.")
    ray = require_ray()
    if ray.is_initialized():
        _require_same(ray, address)
        return ray
    try:
        require_listener(address)
        if address == LOCAL:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to Ray's makers unasked
            ray.init(address=LOCAL, namespace=NAMESPACE, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        else:
            ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level="ERROR")
    except Exception as error:  # Ray raises plain Exceptions, too
        raise _not_connected(address, error) from error
    return ray


def _not_connected(address: str, error: Exception) -> ServiceError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    if address == LOCAL:
        return ServiceError(
            f"Ray cannot be started on this machine ({reason}). Try again, when other programs leave it more of the processor."
        )
    return ServiceError(
        f"No Ray cluster answers at {address!r} ({reason}). Start it there with `ray start --head`, check the address, the firewall and "
        "the token (RAY_AUTH_TOKEN), and that both machines have the same versions of Python and Ray."
    )


def _require_same(ray: Any, address: str) -> None:
    """Raise ServiceError if this process is connected to another cluster, as far as the address tells."""
    connected = connected_address(ray)
    if address in ("auto", LOCAL) or connected in ("", address):
        return
    if address.startswith("ray://") and not connected.startswith("ray://"):
        host = address.removeprefix("ray://").rpartition(":")[0]
        if host == connected.rpartition(":")[0]:
            return
    raise ServiceError(f"This process is connected to the Ray cluster {connected} already: call ray.shutdown() before you use {address}.")


def connected_address(ray: Any) -> str:
    """Return the address of the cluster that this process is connected to; empty if it is not known."""
    client = ray.util.client.ray
    if client.is_connected():
        context: Any = client.get_context()
        target = getattr(getattr(context, "client_worker", None), "_conn_str", "")  # Ray has no public name for it
        return f"ray://{target}" if target else ""
    address: str = ray.get_runtime_context().gcs_address
    return address


def lost_errors(ray: Any) -> tuple[type[BaseException], ...]:
    """Return the exceptions that say that an actor or the cluster is gone, and not that a computation failed."""
    found = ray.exceptions
    return (found.RayActorError, found.RaySystemError, found.NodeDiedError, found.ObjectLostError, found.OutOfMemoryError, ConnectionError)
