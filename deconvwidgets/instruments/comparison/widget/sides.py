"""What widgets on two services share: a request with a `side` is answered by the service of that side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.comparison.pair_records import SIDES, Side
from deconvwidgets.instruments.comparison.service.protocol import SideBySideService
from deconvwidgets.records.overview import Overview
from deconvwidgets.widgets.explorer import Explorer
from deconvwidgets.widgets.messages import Handler, Handlers, Reply, Request, Where


def side_of(request: Request) -> Side:
    """Return the side of a request. Raises ServiceError for anything but "a" and "b"."""
    side = request.get("side")
    if isinstance(side, str) and side in SIDES:
        return "a" if side == "a" else "b"
    raise request.invalid("side", "'a' or 'b'")


def by_side(own: Handlers, of_a_model: Handlers) -> dict[str, Handler]:
    """Return handlers that answer requests with a side as one model's widget does, and all others as `own`."""
    return {kind: _handler(own.get(kind), of_a_model.get(kind)) for kind in (*own, *(kind for kind in of_a_model if kind not in own))}


def _handler(own: Handler | None, of_a_model: Handler | None) -> Handler:
    def chosen(request: Request) -> Handler:
        handler = own if request.get("side") is None else of_a_model
        if handler is None:
            need = "no side" if of_a_model is None else "a side"
            raise ServiceError(f"The request {request.kind!r} needs {need}: reload the page, so that the front end fits the kernel.")
        return handler

    def answer(service: SideBySideService, request: Request) -> Reply:
        handler = chosen(request)
        return handler.answer(service if request.get("side") is None else service.side(side_of(request)), request)

    def place(request: Request) -> Where:
        handler = own if request.get("side") is None else of_a_model
        return "now" if handler is None else handler.place(request)

    return Handler(answer, place)


class SideBySide(Explorer):
    """The base of widgets on two model services."""

    SERVICE = SideBySideService
    SERVICE_EXAMPLE = "two model services: dw.side_by_side(service_a, service_b)"
    HAS_MODEL = False

    _service: SideBySideService

    def _overviews(self) -> Mapping[Side, Overview]:
        return {side: self._service.side(side).overview() for side in SIDES}

    def _remember_client(self, request: Request) -> None:
        """Remember the client of the page, and not those of its two sides, which send no message when they are closed."""
        if request.get("side") is None:
            super()._remember_client(request)

    def _service_of(self, request: Request) -> Any:
        return self._service if request.get("side") is None else self._service.side(side_of(request))
