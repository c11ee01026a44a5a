"""The base of every instrument's widget."""

from __future__ import annotations

import base64
import logging
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any, ClassVar, Self
from uuid import uuid4

import anywidget
import traitlets
from comm.base_comm import BaseComm
from ipywidgets.widgets import widget as ipywidgets_registry

from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.errors import ServiceError
from deconvwidgets.paths import as_path
from deconvwidgets.service.protocol import ServiceEvent, WidgetService
from deconvwidgets.widgets.comm import SubshellComm
from deconvwidgets.widgets.garbage import ClosedAsGarbage
from deconvwidgets.widgets.lasting_state import LastingState
from deconvwidgets.widgets.messages import Handler, Handlers, Reply, Request, dispatch, event_message, reply_header
from deconvwidgets.widgets.options import refuse_unknown
from deconvwidgets.widgets.picture import Pictured
from deconvwidgets.widgets.showing import Showing
from deconvwidgets.widgets.state import StateMessages
from deconvwidgets.widgets.static_mode import is_static
from deconvwidgets.widgets.summary import Summarized, UpdateOrder
from deconvwidgets.widgets.unit_switches import UNIT_HANDLERS

_log = logging.getLogger(__name__)
_WORKERS = 3  # for requests that are answered on a worker

STATIC = Path(__file__).with_name("static")  # the front end, built from frontend/


class Explorer(ClosedAsGarbage, Showing, Pictured, Summarized, LastingState, anywidget.AnyWidget):
    """A widget on a service. It computes nothing: it passes requests of its front end to the service.

    A subclass defines the class variables, a trait `state` (a `StateTrait`), and `_check_state`.

    A widget that no page shows lives as long as Python refers to it, and its service with it. One that is displayed lives until every
    page has closed it, or it is closed itself.

    The trait `summary` holds the numbers of what is shown, as a dict of plain values: `explorer.observe(function, "summary")` calls a
    function when they change, and marimo runs the cells that read the widget's value.

    Parameters
    ----------
    service : WidgetService
        The service that answers; it must support the instrument.
    state : mapping, optional
        The initial state, or a part of it.
    **options
        Traits of the widget. Unknown names raise TypeError.
    """

    FRONT_END: ClassVar[str]  # the name of its module and stylesheet in the folder static/
    MESSAGES: ClassVar[StateMessages]
    SERVICE: ClassVar[type]  # the protocol that the service must implement
    SERVICE_EXAMPLE: ClassVar[str] = "a model service, such as dw.LocalModelService(bundle, images)"
    SIDE_BY_SIDE: ClassVar[str] = ""  # how two models are shown, as Python code; empty if they are not
    HAS_MODEL: ClassVar[bool] = True  # whether `SERVICE` is a ModelService, whose units the page can switch off
    HANDLERS: ClassVar[Handlers]  # of the instrument; those of units are added if it has a model
    EVENTS: ClassVar[frozenset[str]] = frozenset()  # kinds of events besides "changed" and "failed"
    SUMMARY_EVENTS: ClassVar[frozenset[str]] = frozenset({"changed"})  # kinds of events that may change the summary
    FILES: ClassVar[Mapping[str, str]] = {}  # suffix of a file -> kind of the file

    _esm: Any
    _css: Any
    comm: Any  # the trait of ipywidgets
    height = traitlets.Int(720, min=360, max=100_000).tag(sync=True)
    # For pages without a kernel: the picture of what was displayed, a JPEG, and the id by which the front end finds its comm.
    _picture = traitlets.Bytes().tag(sync=True)
    _comm_id = traitlets.Unicode().tag(sync=True)
    _background: Executor | None = None
    _workers: Executor | None = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        if "FRONT_END" in vars(cls):
            # As strings: anywidget watches files, and its watcher would keep every widget alive.
            cls.HANDLERS = {**(UNIT_HANDLERS if cls.HAS_MODEL else {}), **cls.HANDLERS}
            cls._esm, cls._css = (STATIC.joinpath(f"{cls.FRONT_END}.{kind}").read_text(encoding="utf-8") for kind in ("js", "css"))
        super().__init_subclass__(**keywords)

    def __init__(self, service: WidgetService, state: Mapping[str, Any] | None = None, **options: Any) -> None:
        self._require_service(service)
        refuse_unknown(type(self), options)
        self._service = service
        self._clients: set[str] = set()
        self._updates = UpdateOrder()
        self._valid = {}
        self._background = ThreadPoolExecutor(1, thread_name_prefix="deconvwidgets background")
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="deconvwidgets request")
        comm_id = uuid4().hex
        super().__init__(state=self.MESSAGES.initial(state), model_id=comm_id, _comm_id=comm_id, **options)
        self.on_msg(self._on_message)
        self._unsubscribe = service.subscribe(self._on_event, {"changed", "failed", *self.EVENTS})

    def set_state(self, sync_data: Mapping[str, Any]) -> None:
        """Set traits from the browser. If one is refused, all are rolled back, and the page gets their valid values and the message.

        The summary is ignored: marimo sends whole models.
        """
        sync_data = {name: value for name, value in sync_data.items() if name != "summary"}
        try:
            super().set_state(sync_data)
        except traitlets.TraitError as error:
            self.send_state([name for name in sync_data if name in self.keys])
            self._send_message(event_message(ServiceEvent("failed", message=str(error))), [])
            raise

    def open(self) -> None:
        """Open the comm to the browser, unless in static mode."""
        if not is_static():
            self._open_comm()

    @property
    def model_id(self) -> Any:
        """The id of the comm. In static mode it is opened for a box of ipywidgets that contains the widget."""
        if self._unsubscribe is not None:
            self._open_comm()
        return super().model_id

    def _open_comm(self) -> None:
        """Open the comm such that requests are answered while a cell runs."""
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
        for executor in filter(None, (self._background, self._workers)):
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
        elif request.kind == "ping":  # of a page that asks whether the kernel still has this widget
            self._send_message({**reply_header(request), "ok": True}, [])
        elif not self._view_message(request):
            self._remember_client(request)
            executor = self._executor(request)
            # In the context of the browser's message: a reply from another thread must not belong to the cell that is running.
            self._reply(request) if executor is None else executor.submit(copy_context().run, self._reply, request)

    def _executor(self, request: Request) -> Executor | None:
        handler = self._handlers().get(request.kind) if isinstance(request.kind, str) else None
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
        return dispatch(self._handlers(), self._service, request)

    def _handlers(self) -> Handlers:
        return {**self.HANDLERS, "show": Handler(lambda _service, request: self._show(request), "worker")}

    def _on_event(self, event: ServiceEvent) -> None:
        """Reset what the state names and the event took away, send it to every view, and update the summary. Called from any thread."""
        if event.kind in self.SUMMARY_EVENTS:
            self._reset_lost()
        self._send_message(event_message(event), [])
        if event.kind in self.SUMMARY_EVENTS and self._update_summary():
            self._send_message(event_message(ServiceEvent("summary")), [])

    def _send_message(self, content: Any, buffers: list[bytes]) -> None:
        """Send a message. A failure is logged: it must end neither a thread nor the job that publishes an event."""
        try:
            self.send(content, buffers)
        except Exception:  # noqa: BLE001 - the browser may have disconnected
            _log.exception("A message of %s could not be sent", type(self).__name__)

    # The registry of ipywidgets keeps a widget alive until it is closed. Here it does so only while the widget is displayed: a widget
    # that no page shows lives as long as Python refers to it, and the service with it. It stays in the registry, because a page that is
    # opened later finds its models there.

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
            ipywidgets_registry._instances[self.model_id] = weakref.proxy(self)  # removed by `close`, which ipywidgets calls at the end

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
        self._reset_lost()  # the event that says what is lost may still be on its way
        data = make(kind)
        try:
            return write_atomic(target, data)
        except OSError as error:
            raise ServiceError(f"{target} cannot be written: {error.strerror}. {way_on(error, 'Choose another place')}.") from error

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the live view with a static image beside it, for GitHub, nbviewer and a notebook without a kernel; or the image alone."""
        self._reset_lost()
        if is_static():
            return self._static_bundle(), {}
        self._open_comm()
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        self._hold()
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        data = {**data, "text/plain": repr(self)}
        image = self._logged_image()
        if image is not None:
            data["image/png"] = base64.b64encode(image).decode("ascii")
            self._picture = self._saved_picture(image)
        return data, metadata

    # Arguments

    @classmethod
    def _require_service(cls, service: object) -> None:
        if not isinstance(service, cls.SERVICE):
            several = f" Two models are shown by {cls.SIDE_BY_SIDE}." if cls.SIDE_BY_SIDE and isinstance(service, list | tuple) else ""
            raise ServiceError(f"{cls.__name__} needs {cls.SERVICE_EXAMPLE}, not a {type(service).__name__}.{several}")
