"""Serving a model to the notebooks of a class, from an actor of a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Self

from deconvwidgets.arguments import describe, integer, seconds
from deconvwidgets.compute.ray_cluster import LOCAL
from deconvwidgets.errors import ServiceError
from deconvwidgets.remote.connect import DEFAULT_NAME, find_actor
from deconvwidgets.remote.ray_cluster import NAMESPACE, join_cluster, lost_errors
from deconvwidgets.remote.replies import value_of
from deconvwidgets.remote.service_actor import Plan, as_remote
from deconvwidgets.remote.session_server import IDLE_SECONDS, MAX_SESSIONS

if TYPE_CHECKING:
    from deconvwidgets.images.image_set import ImageSet
    from deconvwidgets.index.activation_index import ActivationIndex
    from deconvwidgets.models.bundle import ModelBundle

_CLOSE_SECONDS = 10.0


class ServedService:
    """A model service in an actor of a Ray cluster. `dw.serve` makes it.

    It ends when it is closed, and with this process, unless it is detached.
    """

    def __init__(self, ray: Any, actor: Any, name: str, address: str, where: str) -> None:
        self._ray, self._actor = ray, actor
        self.name, self.address, self.where = name, address, where

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} at {self.address}, on {self.where}>"

    @property
    def shown_address(self) -> str:
        """The address that notebooks use: of another machine, with the usual port of Ray's client server, unless it is known."""
        if self.address.startswith("ray://"):
            return self.address
        if self.address == LOCAL:  # it has no client server
            return str(self._ray.get_runtime_context().gcs_address)
        host = str(self._ray.get_runtime_context().gcs_address).rpartition(":")[0]
        return f"ray://{host}:10001"

    def require_running(self) -> None:
        """Raise ServiceError if the service has ended."""
        self._ask("sessions")

    @property
    def sessions(self) -> int:
        """The number of notebooks that are connected. Raises ServiceError if the service has ended."""
        count: int = self._ask("sessions")
        return count

    @property
    def memory(self) -> int:
        """The resident memory of the service's process, in bytes. Raises ServiceError if the service has ended."""
        size: int = self._ask("memory")
        return size

    def close(self) -> None:
        """End the service: every session is closed, and notebooks are told."""
        if not self._ray.is_initialized():
            return
        with suppress(ServiceError):
            self._ask("shut_down", _CLOSE_SECONDS)
        self._ray.kill(self._actor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, method: str, timeout: float = 30.0) -> Any:
        try:
            return self._ray.get(getattr(self._actor, method).remote(), timeout=timeout)
        except (self._ray.exceptions.GetTimeoutError, *lost_errors(self._ray)) as error:
            raise ServiceError(f"The model service {self.name!r} has ended, or does not answer: serve it again.") from error


def serve(
    bundle: ModelBundle | str,
    images: ImageSet | str | PathLike[str] = "photos",
    *,
    name: str = DEFAULT_NAME,
    address: str = "auto",
    index: ActivationIndex | str | PathLike[str] | None = None,
    device: str = "auto",
    layers: Sequence[str] | None = None,
    detached: bool = False,
    max_sessions: int = MAX_SESSIONS,
    idle_seconds: float = IDLE_SECONDS,
) -> ServedService:
    """Serve a model from an actor of a Ray cluster, to notebooks that `dw.connect(address, name=name)`.

    The actor takes one GPU if the cluster has any. Whoever reaches the cluster's ports can run code on its machines: keep them in a private
    network, or use Ray's TLS.

    Parameters
    ----------
    bundle : ModelBundle or str
        The model; a name is loaded by the actor, on its machine.
    images : ImageSet, str or path
        The photographs; a name or path is opened by the actor, on its machine.
    name : str
        The name of the service.
    address : str
        "auto" for the cluster that this machine is part of, "ray://host:10001" for one elsewhere, or "local" for one that is started here.
    index : ActivationIndex, str or path, optional
        The activation index; a path is one of the actor's machine. By default it is loaded from the cache there, or built.
    device, layers
        As for `LocalModelService`.
    detached : bool
        Let the service outlive this process. It ends by `ServedService.close`, or by `ray.kill(ray.get_actor(name,
        namespace="deconvwidgets"))`.
    max_sessions : int
        The number of notebooks at a time.
    idle_seconds : float
        A notebook that was not heard of for so long loses its session, and its memory is freed.

    Raises
    ------
    ServiceError
        If Ray is not installed, if no cluster answers, and if it has a service of that name already. Otherwise whatever loading the model,
        the images or the index raises.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> served = dw.serve("alexnet", "photos", name="class", address="local")  # doctest: +SKIP
    >>> dw.LayerExplorer(dw.connect("auto", name="class"))  # doctest: +SKIP
    >>> from deconvwidgets import serve
    >>> serve("alexnet", max_sessions=0)
    Traceback (most recent call last):
    ...
    deconvwidgets.errors.ServiceError: max_sessions must be an integer from 1 to 1,000, not 0.
    """
    sessions = integer(max_sessions, "max_sessions", 1, 1000)
    idle = seconds(idle_seconds)
    if not isinstance(name, str) or not name.strip():
        raise ServiceError(f"name must be the name of the service, such as 'class', not {describe(name)}.")
    plan = Plan(_plain_path(bundle), _plain_path(images), _plain_path(index), device, _names(layers), idle or IDLE_SECONDS, sessions)
    ray = join_cluster(address)
    actor = _make_actor(ray, name, address, detached, sessions)
    try:
        where = value_of(ray.get(actor.start.remote(plan)))
    except BaseException as error:
        ray.kill(actor)
        if isinstance(error, lost_errors(ray)):
            raise ServiceError(f"The process of the model service {name!r} ended while it loaded: {_first_line(error)}") from error
        raise
    return ServedService(ray, actor, name, address, str(where))


def stop_serving(name: str = DEFAULT_NAME, address: str = "auto") -> None:
    """End the service of a name, whoever serves it. Raises ServiceError if there is none."""
    ray = join_cluster(address)
    ServedService(ray, find_actor(ray, address, name), name, address, "").close()


def _make_actor(ray: Any, name: str, address: str, detached: bool, sessions: int) -> Any:
    gpus = 1 if ray.cluster_resources().get("GPU", 0) >= 1 else 0
    options = {
        "name": name,
        "namespace": NAMESPACE,
        "lifetime": "detached" if detached else None,
        "num_cpus": 0,
        "num_gpus": gpus,
        "max_concurrency": 4,
    }
    try:
        return as_remote(ray, sessions).options(**options).remote()
    except ValueError as error:
        if "already" not in str(error):
            raise
        raise ServiceError(
            f"The Ray cluster at {address} has a model service {name!r} already: connect to it, close it, or choose another name."
        ) from error


def _plain_path(value: Any) -> Any:
    return fspath(value) if isinstance(value, PathLike) else value


def _names(layers: Sequence[str] | None) -> tuple[str, ...] | None:
    return (layers,) if isinstance(layers, str) else None if layers is None else tuple(layers)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
