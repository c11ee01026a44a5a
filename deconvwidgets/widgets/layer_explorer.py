"""The LayerExplorer: Zeiler & Fergus 2014, figure 2, alive in a notebook."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping
from contextvars import copy_context
from pathlib import Path
from typing import Any, Literal, Self

import anywidget
import numpy as np
import traitlets
from comm.base_comm import BaseComm

from deconvwidgets.errors import RuleError, ServiceError
from deconvwidgets.service.protocol import FigureKind, ModelService, ServiceEvent
from deconvwidgets.widgets.any_shell_comm import AnyShellComm
from deconvwidgets.widgets.exchange import event_message
from deconvwidgets.widgets.front_end import assemble, read_static
from deconvwidgets.widgets.messages import respond
from deconvwidgets.widgets.state import DEFAULTS, WORDS, checked_state
from deconvwidgets.widgets.state_trait import State, StateTrait

_log = logging.getLogger(__name__)

MODULES = (
    "dom.js",
    "format.js",
    "buffers.js",
    "menu.js",
    "queue.js",
    "units.js",
    "layout.js",
    "pictures.js",
    "keys.js",
    "requests.js",
    "exporting.js",
    "header.js",
    "layers.js",
    "toolbar.js",
    "mosaics.js",
    "grid.js",
    "photograph.js",
    "facts.js",
    "detail.js",
    "page.js",
    "layer_explorer.js",
)
_FIGURES: dict[tuple[str, str], FigureKind] = {
    ("layer", ".png"): "layer.png",
    ("layer", ".svg"): "layer.svg",
    ("layer", ".html"): "layer.html",
    ("unit", ".png"): "unit.png",
    ("unit", ".svg"): "unit.svg",
    ("unit", ".html"): "unit.html",
}
_STILL_UNITS = 6  # as many as the static picture has room for


class LayerExplorer(anywidget.AnyWidget):
    """All units of a model's layers, each as projections beside patches of its nine strongest activations.

    After Zeiler & Fergus 2014, figure 2. The widget computes nothing: it adapts a `ModelService`.

    Args:
        service: who answers.
        layer: the layer to open, by its name in the paper ("conv5") or its dotted name; None for the first.
        state: where to reopen: a dict as `state` gives it, or a part of one. It goes before `layer`.
        height: of the widget, in CSS pixels (at widths under 900 pixels it grows beneath instead).

    Raises LayerError for a layer or unit that the model does not have, ServiceError for another part of the state.
    """

    _esm = assemble(MODULES)
    _css = read_static("shared.css") + read_static("layer_explorer.css")

    comm: Any  # ipywidgets' own trait
    _unsubscribe: Callable[[], None] | None = None  # closing may come before anything else was made
    state = StateTrait(WORDS).tag(sync=True)
    height = traitlets.Int(720, min=360).tag(sync=True)

    def __init__(
        self, service: ModelService, layer: str | None = None, state: Mapping[str, Any] | None = None, height: int = 720, **kwargs: Any
    ) -> None:
        if not isinstance(service, ModelService):
            raise ServiceError(
                f"LayerExplorer shows a model service, not a {type(service).__name__}: dw.LocalModelService(bundle, images)."
            )
        self._service = service
        self._still: tuple[tuple[int, str], bytes] | None = None
        opened = {**({} if layer is None else {"layer": layer}), **(state or {})}
        super().__init__(state=opened, height=height, **kwargs)
        self.on_msg(self._on_message)
        self._unsubscribe = service.subscribe(self._on_event)

    def open(self) -> None:
        """Open the comm to the browser, such that views are answered while a cell runs."""
        if self.comm is None:
            super().open()
            if isinstance(self.comm, BaseComm):
                self.comm = AnyShellComm(self.comm)

    @traitlets.validate("state")
    def _check_state(self, proposal: Mapping[str, Any]) -> State:
        overview = self._service.overview()
        now = self.state or DEFAULTS
        checked = checked_state(proposal["value"], now, overview)
        if checked["unit"] is None and overview.index_ready:
            checked["unit"] = int(np.argmax(self._service.unit_table(checked["layer"]).maximum))
        return checked

    def _on_message(self, _widget: object, content: object, _buffers: object) -> None:
        """Answer a view's request, in the message callback: the browser keeps one in flight."""
        request = content if isinstance(content, Mapping) else {}
        asked = copy_context()  # an answer from another thread must still belong to the browser's message, not to a running cell
        respond(self._service, request, lambda reply, buffers: asked.copy().run(self.send, reply, buffers))

    def _on_event(self, event: ServiceEvent) -> None:
        """Tell every view; called from any thread."""
        self.send(event_message(event))

    def save(self, path: str | Path, what: Literal["layer", "unit"] = "layer") -> Path:
        """Write the shown layer, or the chosen unit alone, as a figure: PNG, SVG or a standalone HTML page, by the path's suffix.

        Returns the path. Raises ServiceError for another suffix, for a place that cannot be written, or while the index is being built.
        """
        target = Path(path)
        kind = _FIGURES.get((what, target.suffix.lower()))
        if kind is None:
            raise ServiceError(f"Cannot save {what!r} as {target.name!r}: save 'layer' or 'unit' to a name ending in .png, .svg or .html.")
        if not target.resolve().parent.is_dir():  # before the drawing, which takes a while
            raise ServiceError(f"The folder of {target} does not exist; create it first.")
        data = self._service.figure(kind, self.state)
        try:
            target.write_bytes(data)
        except OSError as error:
            raise ServiceError(f"{target} cannot be written: {error.strerror}. Choose another place.") from error
        return target

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

    def __repr__(self) -> str:
        unit = "" if self.state["unit"] is None else f", unit {self.state['unit']}"
        return f"LayerExplorer({self._service.overview().model}, {self.state['layer']}{unit})"

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
        """A PNG of the state, kept until the state or the service changes; None before the index stands or where drawing fails."""
        overview = self._service.overview()
        if not overview.index_ready:
            return None
        key = (overview.version, repr(self.state))
        if self._still is None or self._still[0] != key:
            try:
                self._still = (key, self._draw_still())
            except Exception:  # noqa: BLE001 - IPython would show a traceback instead of the live view, which says what is wrong
                _log.exception("There is no still picture of %r", self)
                return None
        return self._still[1]

    def _draw_still(self) -> bytes:
        """With the gradient where the rule does not lead down from the layer; the picture names its rule."""
        state = {**self.state, "units": _STILL_UNITS}
        try:
            return self._service.figure("explorer.png", state)
        except RuleError:
            return self._service.figure("explorer.png", {**state, "rule": "gradient"})
