"""A model service elsewhere, as a notebook sees it."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Self
from weakref import finalize, ref

from deconvwidgets.arguments import seconds
from deconvwidgets.models.head_files import BUNDLED_HEADS, HeadSource
from deconvwidgets.models.unit_factors import Units, UnitsSource
from deconvwidgets.records.overview import Overview
from deconvwidgets.remote.description import Instruments, Method
from deconvwidgets.remote.event_loop import start_event_loop
from deconvwidgets.remote.lent_files import LentFiles
from deconvwidgets.remote.link import Link
from deconvwidgets.remote.plain_values import plain
from deconvwidgets.remote.session_server import Call
from deconvwidgets.service.events import Events
from deconvwidgets.service.open_widgets import OpenWidgets
from deconvwidgets.service.protocol import ServiceEvent

if TYPE_CHECKING:
    from typing_extensions import TypeIs

_EXIT_SECONDS = 3.0
_FILE = "path"  # an argument of this name is a file of the notebook's machine


class ConnectedService:
    """A session of a model service elsewhere. `dw.connect` makes it, and widgets are made from it, as from a `LocalModelService`.

    It has the same instruments with the same methods (`service.layers.unit_table(...)`), which are answered by the service and raise the
    same errors. The classifier, the units that are off and the runs are those of this session.

    Files of heads and units are of the notebook's machine; image sets that are named by a path are of the service's machine, and such a
    path has to be absolute.

    Parameters
    ----------
    link : Link
        Sends calls.
    instruments : mapping
        The methods of each instrument.
    words : str
        Its name and address, for `repr`.
    """

    def __init__(self, link: Link, instruments: Instruments, words: str) -> None:
        self._words = words
        self._session = session = _ClientSession(link)
        self._open_widgets = OpenWidgets()
        for name, methods in instruments.items():
            vars(self)[name] = ConnectedInstrument(session, name, methods)
        self._thread = session.thread = start_event_loop(link, session.events)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._words}>"

    @property
    def open_widgets(self) -> OpenWidgets:
        """The widgets of this service that pages of this notebook show."""
        return self._open_widgets

    @property
    def index(self) -> Any:
        """A copy of the activation index; None while it is being built. It is fetched each time, and may have many megabytes."""
        return self._call("index")

    def overview(self) -> Overview:
        """Return a description of the model, the image set and the layers."""
        overview: Overview = self._call("overview")
        return overview

    def set_head(self, head: HeadSource | None) -> None:
        """Put another softmax head on the model, in this session. As `LocalModelService.set_head`; a path is one of this machine."""
        if _is_file(head):
            self._call("set_head", lent=LentFiles.of("head", head))
        else:
            self._call("set_head", plain(head, "head of set_head"))

    def reset_head(self) -> None:
        """Restore the classifier that the service was made with. Units that are switched off stay so."""
        self._call("reset_head")

    @property
    def units(self) -> Mapping[tuple[str, int], float]:
        """The factors of the units that are switched off or scaled, by (dotted name of the layer, unit)."""
        units: Mapping[tuple[str, int], float] = self._call("units")
        return units

    def set_units(self, units: UnitsSource | None) -> None:
        """Multiply the maps of units, in this session. As `LocalModelService.set_units`; a path is one of this machine."""
        if _is_file(units):
            self._call("set_units", lent=LentFiles.of("units", units))
        else:
            self._call("set_units", plain(units, "units of set_units"))

    def change_units(self, units: Units) -> None:
        """Multiply the maps of some units; all others stay as they are."""
        self._call("change_units", plain(units, "units of change_units"))

    def reset_units(self) -> None:
        """Switch all units on."""
        self._call("reset_units")

    def save_units(self, path: str | os.PathLike[str]) -> Path:
        """Save the units that are switched off or scaled on this machine, as `dw.save_units` does, and return the path."""
        saved: Path = self._call("save_units", lent=LentFiles.of("path", path))
        return saved

    def subscribe(self, listener: Callable[[ServiceEvent], None], kinds: Collection[str] | None = None) -> Callable[[], None]:
        """Call `listener` with each event of the given kinds (None: all), from any thread. Return the function that ends the subscription.

        A bound method is held weakly. If the service is lost, the event "failed" says so.
        """
        return self._session.events.subscribe(listener, kinds)

    def wait(self, timeout: float | None = None) -> Self:
        """Wait for the index, and for those of opened layers, and return the service. Raises as `LocalModelService.wait` does."""
        self._call("wait", seconds(timeout))
        return self

    def close(self) -> None:
        """End this session: its runs are cancelled. The service goes on for others."""
        self._session.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, method: str, *args: Any, lent: LentFiles | None = None) -> Any:
        return self._session.link.call(Call("", method, args, {}, lent))


class _ClientSession:
    """The link and the events of a session. The service and its instruments refer to it; without them the session ends."""

    thread: Thread | None = None

    def __init__(self, link: Link) -> None:
        self.link, self.events = link, Events()
        self.end = finalize(self, link.close)
        # At the end of the interpreter the thread has to end before Ray does, which registered its own function earlier.
        atexit.register(_end_at_exit, ref(self))


def _end_at_exit(session: ref[_ClientSession]) -> None:
    alive = session()
    if alive is not None:
        alive.end()
        if alive.thread is not None:
            alive.thread.join(_EXIT_SECONDS)


class ConnectedInstrument:
    """The API of an instrument of a service elsewhere: it has the methods that the service has."""

    def __init__(self, session: _ClientSession, name: str, methods: Mapping[str, Method]) -> None:
        self._name = name
        for method_name, method in methods.items():
            vars(self)[method_name] = _caller(session, name, method_name, method)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"


def _caller(session: _ClientSession, instrument: str, name: str, method: Method) -> Callable[..., Any]:
    """Return a function that calls a method of the service."""
    whole = f"{instrument}.{name}"

    def call(*args: Any, **kwargs: Any) -> Any:
        bound = _bind(method, whole, args, kwargs)
        lent = LentFiles.of(_FILE, bound.pop(_FILE)) if _is_file(bound.get(_FILE)) else None
        values = {key: plain(value, f"{key} of {whole}") for key, value in bound.items()}
        return session.link.call(Call(instrument, name, (), values, lent))

    call.__name__, call.__qualname__, call.__doc__ = name, whole, method.doc
    call.__signature__ = method.signature  # type: ignore[attr-defined] # for help(), and completion in a notebook
    return call


def _bind(method: Method, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments by name. Raises TypeError, as a call of the method would."""
    try:
        return dict(method.signature.bind(*args, **kwargs).arguments)
    except TypeError as error:
        raise TypeError(f"{name}() {error}") from None


def _is_file(value: object) -> TypeIs[str | os.PathLike[str]]:
    """Return whether an argument names a file, and not a head that comes with the package."""
    return isinstance(value, str | os.PathLike) and value not in BUNDLED_HEADS and bool(os.fspath(value).strip())
