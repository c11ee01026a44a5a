"""The LayerExplorer: Zeiler & Fergus 2014, figure 2, as a widget."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from deconvwidgets.errors import RuleError, ServiceError
from deconvwidgets.instruments.layers.records import UnitDetail
from deconvwidgets.instruments.layers.service.protocol import SupportsLayers
from deconvwidgets.instruments.layers.widget.messages import HANDLERS
from deconvwidgets.instruments.layers.widget.state import DEFAULTS, MESSAGES, checked_state
from deconvwidgets.widgets.explorer import Explorer
from deconvwidgets.widgets.state import State, StateTrait

_STATIC_IMAGE_UNITS = 6


def unit_summary(detail: UnitDetail) -> State:
    """Return the statistics and the strongest activations of a unit as plain values."""
    names = ("layer", "unit", "maximum", "mean", "std", "activation_rate", "selectivity")
    top = [
        {"activation": entry.value, "photograph": entry.source, "label": entry.label, "row": entry.row, "column": entry.column}
        for entry in detail.entries
    ]
    return {**{name: getattr(detail, name) for name in names}, "top": top}


class LayerExplorer(Explorer):
    """All units of a model's layers, each with projections and patches of its nine strongest activations (Zeiler & Fergus 2014, figure 2).

    Parameters
    ----------
    service : LocalModelService
    layer : str, optional
        The layer to open, by its alias ("conv5") or name; by default the first one.
    state : mapping, optional
        A state, or a part of one, as `explorer.state` returns it. It takes precedence over `layer`.
    height : int
        Height in CSS pixels. At widths below 900 pixels the widget is higher.

    Attributes
    ----------
    summary : dict
        The statistics of the chosen unit, and its strongest activations: activation, photograph, label, row and column of each. Read-only;
        empty while the index is built.

    Raises
    ------
    LayerError
        For an unknown layer or unit.
    ServiceError
        For any other invalid part of the state.
    TypeError
        For an unknown argument.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> service = dw.LocalModelService(dw.load_model("alexnet"), dw.open_images("photos"), device="cpu").wait()
    >>> dw.LayerExplorer(service, layer="conv5", state={"unit": 133})
    LayerExplorer(alexnet, conv5, unit 133)
    >>> service.close()
    """

    FRONT_END = "layers"
    MESSAGES = MESSAGES
    SERVICE = SupportsLayers
    HANDLERS = HANDLERS
    EVENTS = frozenset({"progress"})
    FILES: ClassVar[Mapping[str, str]] = {".png": "png", ".svg": "svg", ".html": "html"}

    _service: SupportsLayers
    state = StateTrait(MESSAGES).tag(sync=True)

    def __init__(
        self, service: SupportsLayers, layer: str | None = None, state: Mapping[str, Any] | None = None, height: int = 720, **options: Any
    ) -> None:
        initial = {**({} if layer is None else {"layer": layer}), **MESSAGES.initial(state)}
        super().__init__(service, initial, height=height, **options)

    def _check_state(self, state: Mapping[str, Any], current: Mapping[str, Any]) -> State:
        overview = self._service.overview()
        checked = checked_state(state, current or DEFAULTS, overview)
        if checked["unit"] is None and overview.index_ready:
            checked["unit"] = int(np.argmax(self._service.layers.unit_table(checked["layer"]).maximum))
        return checked

    def _summarize(self) -> State:
        layer, unit = self.state["layer"], self.state["unit"]
        if unit is None or not self._service.overview().index_ready:
            return {}
        return unit_summary(self._service.layers.unit_detail(layer, unit, predictions=False))

    def save(self, path: str | Path, what: Literal["layer", "unit"] = "layer") -> Path:
        """Save the layer, or the chosen unit, as a figure: PNG, SVG or a standalone HTML page, by the suffix of the path.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        ServiceError
            For another suffix, if the file cannot be written, or while the index is being built.
        """
        if what not in ("layer", "unit"):
            raise ServiceError(f"A LayerExplorer saves its 'layer' or its 'unit', not {what!r}.")
        return self._save(path, lambda kind: self._figure(f"{what}.{kind}", self.state))

    def __repr__(self) -> str:
        unit = "" if self.state["unit"] is None else f", unit {self.state['unit']}"
        return f"LayerExplorer({self._service.overview().model}, {self.state['layer']}{unit})"

    def _figure(self, kind: Any, state: Mapping[str, Any]) -> bytes:
        return self._service.layers.figure(kind, state)

    def _static_image(self) -> bytes | None:
        overview = self._service.overview()
        if not overview.index_ready:
            return None
        return self._cached_image((overview.version, repr(self.state)), self._draw_static_image)

    def _draw_static_image(self) -> bytes:
        """Draw the state, with the gradient if the rule is undefined for the layer; the image names its rule."""
        state = {**self.state, "units": _STATIC_IMAGE_UNITS}
        try:
            return self._figure("explorer.png", state)
        except RuleError:
            return self._figure("explorer.png", {**state, "rule": "gradient"})
