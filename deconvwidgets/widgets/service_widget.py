"""What every widget on a model service is: answered while a cell runs, told of events until it is closed, with a still picture."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import anywidget
from comm.base_comm import BaseComm

from deconvwidgets.errors import ServiceError
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.widgets.comm import AnyShellComm
from deconvwidgets.widgets.messages import event_message

STATIC = Path(__file__).with_name("static")  # the front end, built from frontend/

_log = logging.getLogger(__name__)


class ServiceWidget(anywidget.AnyWidget):
    """A widget that subscribes to a service with `_on_event` and keeps what `subscribe` gave as `_unsubscribe`."""

    comm: Any  # ipywidgets' own trait
    _unsubscribe: Callable[[], None] | None = None  # closing may come before anything else was made
    _still: tuple[object, bytes] | None = None

    def open(self) -> None:
        """Open the comm to the browser, such that views are answered while a cell runs."""
        if self.comm is None:
            super().open()
            if isinstance(self.comm, BaseComm):
                self.comm = AnyShellComm(self.comm)

    def _on_event(self, event: ServiceEvent) -> None:
        """Tell every view; called from any thread."""
        self.send(event_message(event))

    def close(self) -> None:
        """Leave the service and remove every view. The service itself goes on."""
        if self._unsubscribe is not None:  # ipywidgets closes again when the object goes
            self._unsubscribe()
            self._unsubscribe = None
        super().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The live view with a still picture beside it, for GitHub, nbviewer and a closed kernel."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        data = {**data, "text/plain": repr(self)}
        still = self._still_picture()
        if still is not None:
            data["image/png"] = base64.b64encode(still).decode("ascii")
        return data, metadata

    def _still_picture(self) -> bytes | None:
        """A PNG of what is shown, None where there is nothing to show yet; for the widget to say."""
        return None

    def _kept_still(self, key: object, draw: Callable[[], bytes]) -> bytes | None:
        """The picture that `draw` gives, kept until `key` changes; None where drawing fails."""
        if self._still is None or self._still[0] != key:
            try:
                self._still = (key, draw())
            except Exception:  # noqa: BLE001 - IPython would show a traceback instead of the live view, which says what is wrong
                _log.exception("There is no still picture of %r", self)
                return None
        return self._still[1]


def write_file(target: Path, make: Callable[[], bytes]) -> Path:
    """Write what `make` gives; the path. Raises ServiceError for a place that cannot be written, where it can before `make`, which may
    take a while."""
    if not target.resolve().parent.is_dir():
        raise ServiceError(f"The folder of {target} does not exist; create it first.")
    data = make()
    try:
        target.write_bytes(data)
    except OSError as error:
        raise ServiceError(f"{target} cannot be written: {error.strerror}. Choose another place.") from error
    return target
