"""The base of every instrument's API, and its registration in a service."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, overload

from deconvwidgets.service.context import ServiceContext


class InstrumentApi:
    """Answers the requests of one instrument's widget.

    Jobs must refer to the context only, and not to the API: the service cancels them when nothing refers to it or to its APIs any more.
    """

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._events = context.events  # jobs are cancelled when the last reference to it is gone

    def close(self) -> None:
        """Stop what is running. Subclasses override it."""


AnyApi = TypeVar("AnyApi", bound=InstrumentApi)


class Instrument(Generic[AnyApi]):
    """Registers an instrument: the attribute of a service that holds its API."""

    def __init__(self, api: type[AnyApi]) -> None:
        self.api = api

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name
        self.__doc__ = self.api.__doc__

    @overload
    def __get__(self, service: None, owner: type) -> Instrument[AnyApi]: ...
    @overload
    def __get__(self, service: Any, owner: type) -> AnyApi: ...
    def __get__(self, service: Any, owner: type) -> Instrument[AnyApi] | AnyApi:
        if service is None:
            return self
        api: AnyApi = service._apis[self._name]
        return api

    @staticmethod
    def registered(service: type) -> dict[str, Instrument[Any]]:
        """Return the instruments that a class of services registers, by name."""
        found = {name: value for owner in reversed(service.__mro__) for name, value in vars(owner).items()}
        return {name: value for name, value in found.items() if isinstance(value, Instrument)}

    @staticmethod
    def make_all(service: type, context: ServiceContext) -> dict[str, InstrumentApi]:
        """Return the APIs of all instruments that a class of services registers, by name."""
        return {name: instrument.api(context) for name, instrument in Instrument.registered(service).items()}
