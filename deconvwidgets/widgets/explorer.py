"""The base of every instrument's widget."""

from __future__ import annotations

import base64
import difflib
import inspect
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any, ClassVar, Self

import anywidget
import traitlets
from comm.base_comm import BaseComm
from ipywidgets.widgets import widget as ipywidgets_registry

from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.errors import ServiceError
from deconvwidgets.paths import as_path
from deconvwidgets.service.protocol import ModelService, ServiceEvent
from deconvwidgets.widgets.comm import SubshellComm
from deconvwidgets.widgets.messages import Handlers, Reply, Request, dispatch, event_message, reply_header
from deconvwidgets.widgets.state import State, StateMessages, as_trait_errors

_log = logging.getLogger(__name__)
_WORKERS = 3  # for requests that are answered on a worker

STATIC = Path(__file__).with_name("static")  # the front end, built from frontend/


class Explorer(anywidget.AnyWidget):
    """A widget on a model service. It computes nothing: it passes requests of its front end to the service.

    A subclass defines the class variables, a trait `state` (a `StateTrait`), and `_check_state`.

    A widget that no page shows lives as long as Python refers to it, and its service with it. One that is displayed lives until every
    page has closed it, or it is closed itself.

    Parameters
    ----------
    service : ModelService
        The service that answers; it must support the instrument.
    state : mapping, optional
        The initial state, or a part of it.
    **options
        Traits of the widget. Unknown names raise TypeError.
    """

    FRONT_END: ClassVar[str]  # the name of its module and stylesheet in the folder static/
    MESSAGES: ClassVar[StateMessages]
    SERVICE: ClassVar[type]  # the protocol that the service must implement
    HANDLERS: ClassVar[Handlers]
    EVENTS: ClassVar[frozenset[str]] = frozenset()  # kinds of events besides "changed" and "failed"
    FILES: ClassVar[Mapping[str, str]] = {}  # suffix of a file -> kind of the file

    _esm: Any
    _css: Any
    comm: Any  # the trait of ipywidgets
    state: Any  # a StateTrait of the subclass
    height = traitlets.Int(720, min=360, max=100_000).tag(sync=True)
    _unsubscribe: Callable[[], None] | None = None  # closing may come before anything else was made
    _still: tuple[object, bytes] | None = None
    _background: Executor | None = None
    _workers: Executor | None = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        if "FRONT_END" in vars(cls):
            # As strings: anywidget watches files, and its watcher would keep every widget alive.
            cls._esm, cls._css = (STATIC.joinpath(f"{cls.FRONT_END}.{kind}").read_text(encoding="utf-8") for kind in ("js", "css"))
        super().__init_subclass__(**keywords)

    def __init__(self, service: ModelService, state: Mapping[str, Any] | None = None, **options: Any) -> None:
        self._require_service(service)
        self._refuse_unknown(options)
        self._service = service
        self._clients: set[str] = set()
        self._valid: State = {}  # the last state that passed the check
        self._background = ThreadPoolExecutor(1, thread_name_prefix="deconvwidgets background")
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="deconvwidgets request")
        super().__init__(state=self.MESSAGES.initial(state), **options)
        self.on_msg(self._on_message)
        self._unsubscribe = service.subscribe(self._on_event, {"changed", "failed", *self.EVENTS})

    def _check_state(self, state: Mapping[str, Any], current: Mapping[str, Any]) -> State:
        """Return the whole state after `state`, which may be a part, was set; `current` is empty at first. Raises a DeconvWidgetsError."""
        raise NotImplementedError

    @traitlets.validate("state")
    def _validate_state(self, proposal: Mapping[str, Any]) -> State:
        with as_trait_errors():
            self._valid = self._check_state(proposal["value"], self._valid)
        return self._valid

    def set_state(self, sync_data: Mapping[str, Any]) -> None:
        """Set traits from the browser. If one is refused, all are rolled back, and the page gets their valid values and the message."""
        try:
            super().set_state(sync_data)
        except traitlets.TraitError as error:
            self.send_state([name for name in sync_data if name in self.keys])
            self._send_message(event_message(ServiceEvent("failed", message=str(error))), [])
            raise

    def open(self) -> None:
        """Open the comm to the browser, such that requests are answered while a cell runs."""
        if self.comm is None:
            super().open()
            if isinstance(self.comm, BaseComm):
                self.comm = SubshellComm(self.comm)
                self._release()

    def close(self) -> None:
        """Unsubscribe from the service and remove every view. The service itself goes on."""
        if self._unsubscribe is not None:  # ipywidgets closes again when the object is deleted
            self._unsubscribe()
            self._unsubscribe = None
        for executor in (self._background, self._workers):
            if executor is not None:
                executor.shutdown(wait=False, cancel_futures=True)
        super().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Requests and events

    def _on_message(self, _widget: object, content: object, buffers: object) -> None:
        """Answer a request here, in the background, or on a worker, as its handler says."""
        request = Request.of(content, buffers)
        if self._unsubscribe is None:  # the widget is closed
            return
        if request.kind == "goodbye":
            self._forget_client(request)
            return
        self._remember_client(request)
        executor = self._executor(request)
        if executor is None:
            self._reply(request)
        else:
            # In the context of the browser's message: a reply from another thread must not belong to the cell that is running.
            executor.submit(copy_context().run, self._reply, request)

    def _executor(self, request: Request) -> Executor | None:
        handler = self.HANDLERS.get(request.kind) if isinstance(request.kind, str) else None
        where = "now" if handler is None else handler.place(request)
        if where == "now":
            return None
        if where == "background":
            return self._background if request.get("background") else None
        self._send_message({**reply_header(request), "accepted": True}, [])
        return self._workers

    def _reply(self, request: Request) -> None:
        self._send_message(*self._answer(request))

    def _answer(self, request: Request) -> Reply:
        """Return the reply to a request. Never raises."""
        return dispatch(self.HANDLERS, self._service, request)

    def _on_event(self, event: ServiceEvent) -> None:
        """Send an event to every view. It is called from any thread."""
        self._send_message(event_message(event), [])

    def _send_message(self, content: Any, buffers: list[bytes]) -> None:
        """Send a message. A failure is logged: it must end neither a thread nor the job that publishes an event."""
        try:
            self.send(content, buffers)
        except Exception:  # noqa: BLE001 - the browser may have disconnected
            _log.exception("A message of %s could not be sent", type(self).__name__)

    # The registry of ipywidgets keeps a widget alive until it is closed. Here it does so only while the widget is displayed: a widget
    # that no page shows lives as long as Python refers to it, and the service with it.

    def _remember_client(self, request: Request) -> None:
        if request.kind == "hello" and isinstance(request.get("client"), str):
            self._clients.add(request.get("client"))
            self._hold()

    def _forget_client(self, request: Request) -> None:
        self._clients.discard(str(request.get("client")))
        if not self._clients:
            self._release()

    def _hold(self) -> None:
        if self.comm is not None:
            ipywidgets_registry._instances[self.model_id] = self

    def _release(self) -> None:
        if self.comm is not None:
            ipywidgets_registry._instances.pop(self.model_id, None)

    # Files and static images

    def _save(self, path: str | Path, make: Callable[[str], bytes], kinds: Mapping[str, str] | None = None) -> Path:
        """Write a file, as a whole or not at all, whose kind follows from the suffix of its name.

        Parameters
        ----------
        make : callable
            Takes the kind and returns the bytes. It may take a while, so the folder is checked before.

        Raises
        ------
        ServiceError
            For an unknown suffix, and if the file cannot be written.
        """
        target, kinds = as_path(path, "path"), self.FILES if kinds is None else kinds
        kind = kinds.get(target.suffix.lower())
        if kind is None:
            raise ServiceError(f"Cannot save {target.name!r}: use a name ending in {' or '.join(kinds)}.")
        if not target.parent.is_dir():
            raise ServiceError(f"The folder of {target} does not exist; create it first.")
        data = make(kind)
        try:
            return write_atomic(target, data)
        except OSError as error:
            raise ServiceError(f"{target} cannot be written: {error.strerror}. {way_on(error, 'Choose another place')}.") from error

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the live view with a static image beside it, for GitHub, nbviewer and a notebook without a kernel."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        self._hold()
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        data = {**data, "text/plain": repr(self)}
        image = self._static_image()
        if image is not None:
            data["image/png"] = base64.b64encode(image).decode("ascii")
        return data, metadata

    def _static_image(self) -> bytes | None:
        """Return a PNG of what is shown; None if there is nothing to show yet."""
        return None

    def _cached_image(self, key: object, draw: Callable[[], bytes]) -> bytes | None:
        """Return the image that `draw` returns, cached until `key` changes; None if drawing fails."""
        if self._still is None or self._still[0] != key:
            try:
                self._still = (key, draw())
            except Exception:  # noqa: BLE001 - IPython would show a traceback in place of the live view, which shows what is wrong
                _log.exception("The static image of %s could not be drawn", type(self).__name__)
                return None
        return self._still[1]

    # Arguments

    @classmethod
    def _require_service(cls, service: object) -> None:
        if not isinstance(service, cls.SERVICE):
            raise ServiceError(
                f"{cls.__name__} needs a model service, such as dw.LocalModelService(bundle, images), not a {type(service).__name__}."
            )

    @classmethod
    def _refuse_unknown(cls, options: Mapping[str, Any]) -> None:
        parameters = [name for name, parameter in inspect.signature(cls).parameters.items() if parameter.kind != parameter.VAR_KEYWORD]
        known = [*parameters, *cls.class_trait_names()]
        for name in options:
            if name not in known:
                close = difflib.get_close_matches(name, [name for name in known if not name.startswith("_")], n=1)
                hint = f" Did you mean {close[0]!r}?" if close else f" Its arguments are {', '.join(parameters)}."
                raise TypeError(f"{cls.__name__} has no argument {name!r}.{hint}")
