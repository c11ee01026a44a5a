"""The requests by which every widget switches units off, and on again."""

from __future__ import annotations

from deconvwidgets.errors import LayerError
from deconvwidgets.service.protocol import ModelService
from deconvwidgets.widgets.messages import Handler, Handlers, Reply, Request, overview_content


def _set_units(service: ModelService, request: Request) -> Reply:
    """Change the factors of `units`, [[layer, unit, factor], ...]; all others stay as they are. A factor of 1 switches a unit on."""
    factors: dict[tuple[str, int], float] = {}
    for entry in request.sequence("units"):
        if not isinstance(entry, list | tuple) or len(entry) != 3:
            raise request.invalid("units", "a list of [layer, unit, factor]")
        layer, unit, factor = entry
        if not isinstance(layer, str) or not isinstance(unit, int):
            raise LayerError(f"A unit is given as [layer, unit, factor], such as ['conv5', 133, 0], not {entry!r:.80}.")
        factors[layer, unit] = factor
    service.change_units(factors)
    return _answer(service)


def _reset_units(service: ModelService, request: Request) -> Reply:
    service.reset_units()
    return _answer(service)


def _load_units(service: ModelService, request: Request) -> Reply:
    service.set_units(request.text("path"))
    return _answer(service)


def _save_units(service: ModelService, request: Request) -> Reply:
    path = service.save_units(request.text("path"))
    return {"message": f"Saved as {path}."}, []


def _answer(service: ModelService) -> Reply:
    return {"units": overview_content(service.overview())["units"]}, []


# On workers: tracing the changed network takes some 50 ms, and the listeners to the event "changed" come before the reply.
UNIT_HANDLERS: Handlers = {
    "set_units": Handler(_set_units, "worker"),
    "reset_units": Handler(_reset_units, "worker"),
    "load_units": Handler(_load_units, "worker"),
    "save_units": Handler(_save_units, "worker"),
}
