"""The LayerExplorer: Zeiler & Fergus 2014, figure 2, alive in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import copy_context
from pathlib import Path
from typing import Any, Literal

import numpy as np
import traitlets

from deconvwidgets.errors import RuleError, ServiceError
from deconvwidgets.instruments.layers.widget.messages import respond
from deconvwidgets.instruments.layers.widget.state import DEFAULTS, WORDS, checked_state
from deconvwidgets.service.protocol import FigureKind, ModelService
from deconvwidgets.widgets.service_widget import STATIC, ServiceWidget, write_file
from deconvwidgets.widgets.state_trait import State, StateTrait

_FIGURES: dict[tuple[str, str], FigureKind] = {
    ("layer", ".png"): "layer.png",
    ("layer", ".svg"): "layer.svg",
    ("layer", ".html"): "layer.html",
    ("unit", ".png"): "unit.png",
    ("unit", ".svg"): "unit.svg",
    ("unit", ".html"): "unit.html",
}
_STILL_UNITS = 6  # as many as the static picture has room for


class LayerExplorer(ServiceWidget):
    """All units of a model's layers, each as projections beside patches of its nine strongest activations.

    After Zeiler & Fergus 2014, figure 2. The widget computes nothing: it adapts a `ModelService`.

    Args:
        service: who answers.
        layer: the layer to open, by its name in the paper ("conv5") or its dotted name; None for the first.
        state: where to reopen: a dict as `state` gives it, or a part of one. It goes before `layer`.
        height: of the widget, in CSS pixels (at widths under 900 pixels it grows beneath instead).

    Raises LayerError for a layer or unit that the model does not have, ServiceError for another part of the state.
    """

    _esm = STATIC / "layers.js"
    _css = STATIC / "layers.css"

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
        opened = {**({} if layer is None else {"layer": layer}), **WORDS.given(state)}
        super().__init__(state=opened, height=height, **kwargs)
        self.on_msg(self._on_message)
        self._unsubscribe = service.subscribe(self._on_event)

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

    def save(self, path: str | Path, what: Literal["layer", "unit"] = "layer") -> Path:
        """Write the shown layer, or the chosen unit alone, as a figure: PNG, SVG or a standalone HTML page, by the path's suffix.

        Returns the path. Raises ServiceError for another suffix, for a place that cannot be written, or while the index is being built.
        """
        target = Path(path)
        kind = _FIGURES.get((what, target.suffix.lower()))
        if kind is None:
            raise ServiceError(f"Cannot save {what!r} as {target.name!r}: save 'layer' or 'unit' to a name ending in .png, .svg or .html.")
        return write_file(target, lambda: self._service.figure(kind, self.state))

    def __repr__(self) -> str:
        unit = "" if self.state["unit"] is None else f", unit {self.state['unit']}"
        return f"LayerExplorer({self._service.overview().model}, {self.state['layer']}{unit})"

    def _still_picture(self) -> bytes | None:
        """A PNG of the state, kept until the state or the service changes; None before the index stands or where drawing fails."""
        overview = self._service.overview()
        if not overview.index_ready:
            return None
        return self._kept_still((overview.version, repr(self.state)), self._draw_still)

    def _draw_still(self) -> bytes:
        """With the gradient where the rule does not lead down from the layer; the picture names its rule."""
        state = {**self.state, "units": _STILL_UNITS}
        try:
            return self._service.figure("explorer.png", state)
        except RuleError:
            return self._service.figure("explorer.png", {**state, "rule": "gradient"})
