"""Widgets on one service show things in each other: a photograph in an OcclusionExplorer, a unit in a LayerExplorer.

The page sends {"kind": "used"} when a view is opened or used, and {"kind": "hidden"} when it has closed the last view of a widget. A
request {"kind": "show", "widget": "OcclusionExplorer", "state": {...}} sets the state of the most recently used open widget of that class,
and sends its views the event "show" with a token. A view that the page shows scrolls into sight and answers {"kind": "shown", "token":
...}; without that answer the widget does not count as open. If there is none, one is made, for the page to show below the view that asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from threading import Event, Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from deconvwidgets.errors import ServiceError
from deconvwidgets.widgets.messages import Content, Reply, Request

if TYPE_CHECKING:
    from deconvwidgets.widgets.explorer import Explorer

SHOWN_SECONDS = 2.0  # until a view answers, while the page may be busy
_VIEW_MESSAGES = ("used", "hidden", "shown")
_SHOWN_IN = ("LayerExplorer", "OcclusionExplorer", "TransferPanel", "EvaluationPanel")


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph that need not be one of the service's image set."""

    name: str  # of its file
    data: bytes  # of an image file
    label: str | None  # its true class


class Showing:
    """The part of every widget that shows things in other widgets, and is shown by them."""

    _service: Any
    state: Any
    _send_message: Callable[[Any, list[bytes]], None]
    # The widgets that were made for views below this one, by class and service; None: it is closed
    _opened: dict[tuple[type[Explorer], int], Explorer] | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._open_views: set[str] = set()  # the ids of pages' clients that show it
        self._awaited: dict[str, Event] = {}  # by token: set when a view answers
        self._opened = {}
        self._making = Lock()
        super().__init__(*arguments, **options)

    def close(self) -> None:
        """Close the widgets that were made for views below this one, too."""
        opened, self._opened = self._opened, None
        if opened is not None:
            self._service.open_widgets.hidden(self)
            for widget in opened.values():
                widget.close()
        super().close()  # type: ignore[misc] # that of ipywidgets

    @classmethod
    def _shown_state(cls, service: Any, state: Mapping[str, Any], photograph: Photograph | None) -> Mapping[str, Any]:
        """Return the part of a state that shows what is requested. A subclass that shows photographs adds `photograph` to its service."""
        if photograph is not None:
            raise ServiceError(f"The {cls.__name__} shows no photographs.")
        return state

    def _photograph(self, reference: Mapping[str, Any]) -> Photograph:
        """Return the photograph that the front end of this widget refers to. Subclasses with photographs of their own override it."""
        raise ServiceError("This widget has no photographs of its own.")

    def _view_message(self, request: Request) -> bool:
        """Handle a message about the views of this widget, which needs no reply. Return whether it was one."""
        if request.kind not in _VIEW_MESSAGES:
            return False
        if request.kind == "shown":
            arrived = self._awaited.get(str(request.get("token")))
            if arrived is not None:
                arrived.set()
            return True
        client = str(request.get("client"))
        if request.kind == "used":
            self._open_views.add(client)
        else:
            self._open_views.discard(client)
        if self._open_views:
            self._service.open_widgets.used(self)
        else:
            self._service.open_widgets.hidden(self)
        return True

    def _show(self, request: Request) -> Reply:
        """Show a part of a state in another widget.

        The reply has {"model": id} of a widget that the page has to show, or {"model": None} if an open one has done it. With
        {"embeds": False} no widget is made.
        """
        kind = _widget_class(request.text("widget"))
        reference = request.get("photograph")
        photograph = None if reference is None else self._photograph(request.mapping("photograph"))
        service = self._service_of(request)
        state = kind._shown_state(service, request.mapping("state"), photograph)
        for widget in service.open_widgets.newest(kind):
            if widget is not self and widget._show_here(state):
                return _shown_in(kind, "open", None), []
        if request.get("embeds") is False:
            return _shown_in(kind, "none", None), []
        return _shown_in(kind, "made", self._open_below(kind, service, state).model_id), []

    def _service_of(self, request: Request) -> Any:
        """Return the service whose model is shown. A widget on several services overrides it."""
        return self._service

    def _open_below(self, kind: type[Explorer], service: Any, state: Mapping[str, Any]) -> Explorer:
        """Return the widget for a view below this one, with a part of a state. It is made once."""
        with self._making:
            if self._opened is None:
                raise ServiceError("This widget was closed: run its cell again.")
            widget = self._opened.get((kind, id(service)))
            if widget is None:
                self._opened[kind, id(service)] = widget = kind(service, state=state)
            else:
                widget.state = state
            return widget

    def _show_here(self, state: Mapping[str, Any]) -> bool:
        """Set the state, and return whether a view shows it."""
        token, arrived = uuid4().hex, Event()
        self.state = state
        self._awaited[token] = arrived
        try:
            self._send_message({"event": "show", "token": token}, [])
            if arrived.wait(SHOWN_SECONDS):
                return True
        finally:
            del self._awaited[token]
        self._open_views.clear()  # pages were closed without a word
        self._service.open_widgets.hidden(self)
        return False


def _shown_in(kind: type[Explorer], where: str, model: str | None) -> Content:
    return {"widget": kind.__name__, "where": where, "model": model}


def _widget_class(name: str) -> type[Explorer]:
    """Return a widget by its public name, which is imported now: one instrument's widget does not import another's."""
    if name not in _SHOWN_IN:
        raise ServiceError(f"There is no widget {name!r} to show it in: they are {', '.join(_SHOWN_IN)}.")
    kind: type[Explorer] = getattr(import_module("deconvwidgets"), name)
    return kind
