"""Connecting a notebook to a model service of a Ray cluster."""

from __future__ import annotations

from typing import Any

from deconvwidgets.arguments import describe, seconds
from deconvwidgets.errors import ServiceError
from deconvwidgets.remote.connected_service import ConnectedService
from deconvwidgets.remote.link import RayLink
from deconvwidgets.remote.ray_cluster import NAMESPACE, join_cluster, lost_errors
from deconvwidgets.remote.replies import value_of
from deconvwidgets.remote.version import exact_version

DEFAULT_NAME = "class"


def connect(address: str = "auto", *, name: str = DEFAULT_NAME, timeout: float = 60.0) -> ConnectedService:
    """Return a session of a model service that a Ray cluster serves, so that many notebooks share one model, index and GPU.

    Widgets are made from it as from a `LocalModelService`. The classifier, the units that are switched off and the runs are those of this
    session; the layers, the activation index and the device are shared. A session ends with `close()`, with the notebook's kernel, and if
    nothing is heard of the kernel for five minutes.

    Parameters
    ----------
    address : str
        "ray://host:10001" for a cluster on another machine, "auto" for one that this machine is part of, or "host:6379".
    name : str
        The name under which `deconvwidgets serve` or `dw.serve` made it available.
    timeout : float
        Seconds to wait for the service.

    Raises
    ------
    ServiceError
        If Ray is not installed, if no cluster answers, if it has no service of that name, or if the service does not answer in time.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> service = dw.connect("ray://nowhere.invalid:10001", name="class")  # doctest: +SKIP
    >>> dw.LayerExplorer(service)  # doctest: +SKIP
    >>> from deconvwidgets import connect
    >>> connect("", name="class")
    Traceback (most recent call last):
    ...
    deconvwidgets.errors.ServiceError: address must be 'auto', 'local', 'ray://host:10001' or 'host:6379', not ''.
    """
    ray = join_cluster(address)
    actor = find_actor(ray, address, name)
    opened = value_of(_ask(ray, actor, f"The model service {name!r} at {address}", seconds(timeout)))
    lost = (
        f"The model service {name!r} at {address} does not answer any more: {{reason}}. Start it again "
        f"(deconvwidgets serve --name {name}), then call dw.connect({address!r}, name={name!r}) and make the widgets from the new service."
    )
    session: Any = opened
    link = RayLink(ray, actor, session.session, lost)
    return ConnectedService(link, session.instruments, f"{name!r} at {address}, on {session.host}")


def find_actor(ray: Any, address: str, name: str) -> Any:
    """Return the actor of a service. Raises ServiceError if there is none of that name."""
    if not isinstance(name, str) or not name.strip():
        raise ServiceError(f"name must be the name of a service, such as 'class', not {describe(name)}.")
    try:
        return ray.get_actor(name, namespace=NAMESPACE)
    except ValueError as error:
        served = [one["name"] for one in ray.util.list_named_actors(all_namespaces=True) if one["namespace"] == NAMESPACE]
        known = f"Its services are {', '.join(map(repr, sorted(served)))}." if served else "It has none."
        raise ServiceError(
            f"The Ray cluster at {address} has no model service {name!r}. {known} Start it with `deconvwidgets serve --name {name}`."
        ) from error


def _ask(ray: Any, actor: Any, words: str, timeout: float | None) -> Any:
    try:
        return ray.get(actor.open.remote(exact_version()), timeout=timeout)
    except ray.exceptions.GetTimeoutError as error:
        raise ServiceError(f"{words} did not answer within {timeout:g} s: try again, or start it again.") from error
    except lost_errors(ray) as error:
        raise ServiceError(f"{words} has ended: start it again with `deconvwidgets serve`.") from error
