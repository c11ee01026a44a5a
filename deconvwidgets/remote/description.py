"""What a service answers, found by reflection, so that a client needs no code for an instrument."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass

from deconvwidgets.service.instrument import Instrument

# What every service has besides its instruments; `close` and `subscribe` are the client's own.
OF_SERVICE = frozenset(
    {"overview", "set_head", "reset_head", "units", "index", "set_units", "change_units", "reset_units", "save_units", "wait"}
)


@dataclass(frozen=True, slots=True)
class Method:
    """A method of an instrument's API: its documentation, and its signature, whose annotations are texts."""

    doc: str
    signature: inspect.Signature


Instruments = Mapping[str, Mapping[str, Method]]  # by the instrument's name, and the method's


def instruments_of(service: type) -> Instruments:
    """Return the methods of every instrument that a class of services registers."""
    return {name: _methods(instrument.api) for name, instrument in Instrument.registered(service).items()}


def _methods(api: type) -> dict[str, Method]:
    public = {
        name: function for name, function in inspect.getmembers(api, inspect.isfunction) if not name.startswith("_") and name != "close"
    }
    return {name: Method(inspect.getdoc(function) or "", _signature(function)) for name, function in public.items()}


def _signature(function: object) -> inspect.Signature:
    """Return the signature of a method without `self`."""
    assert callable(function)
    signature = inspect.signature(function)
    return signature.replace(parameters=list(signature.parameters.values())[1:])
