"""The LayerExplorer: Zeiler & Fergus 2014, figure 2, as a widget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import traitlets

from deconvwidgets.arguments import one_of
from deconvwidgets.errors import DeconvWidgetsError, RuleError, ServiceError
from deconvwidgets.instruments.contributions.service.protocol import SupportsContributions
from deconvwidgets.instruments.contributions.widget.messages import EVENTS as CONTRIBUTION_EVENTS
from deconvwidgets.instruments.layers.records import FigureSize, UnitDetail
from deconvwidgets.instruments.layers.service.protocol import SupportsLayers
from deconvwidgets.instruments.layers.widget.bookmarks import bookmarked_layers
from deconvwidgets.instruments.layers.widget.contribution_order import with_ordered_units
from deconvwidgets.instruments.layers.widget.messages import HANDLERS
from deconvwidgets.instruments.layers.widget.state import DEFAULTS, MESSAGES, checked_state, checked_target, pinned_layers
from deconvwidgets.records.find_layer import find_summary, known_layer
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


def _selected(state: Mapping[str, Any]) -> list[int]:
    return list(state.get("selected_units") or [])


class LayerExplorer(Explorer):
    """All units of a model's layers, each with projections and patches of its nine strongest activations (Zeiler & Fergus 2014, figure 2).

    Parameters
    ----------
    service : LocalModelService
    layer : str, optional
        The layer to open, by its alias ("conv5") or the name of a module with feature maps ("layer4", "layer1.0.conv1"); by default the
        first one. The index of a layer that the service does not list is built when it is opened.
    state : mapping, optional
        A state, or a part of one, as `explorer.state` returns it. It takes precedence over `layer`.
    height : int
        Height in CSS pixels. At widths below 900 pixels the selected unit is in a drawer over the grid.

    Attributes
    ----------
    summary : dict
        The statistics of the chosen unit, and its strongest activations: activation, photograph, label, row and column of each. Read-only;
        empty while the index is built.

    selected_units : list of int
        The units that are selected on the map, ascending; empty if none are. Setting it selects others, and
        `explorer.observe(function, "selected_units")` calls a function when they change.

    Raises
    ------
    LayerError
        For an unknown layer or unit, or a layer that is no feature map.
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
    SIDE_BY_SIDE = "dw.side_by_side(service_a, service_b)"
    MESSAGES = MESSAGES
    SERVICE = SupportsLayers
    HANDLERS = HANDLERS
    EVENTS = frozenset({"progress", "partial", *CONTRIBUTION_EVENTS})
    FILES: ClassVar[Mapping[str, str]] = {".png": "png", ".svg": "svg", ".pdf": "pdf", ".html": "html"}

    _service: SupportsLayers
    state = StateTrait(MESSAGES).tag(sync=True)
    selected_units: traitlets.List[int] = traitlets.List(help="The units that are selected on the map.")

    def __init__(
        self, service: SupportsLayers, layer: str | None = None, state: Mapping[str, Any] | None = None, height: int = 720, **options: Any
    ) -> None:
        initial = {**({} if layer is None else {"layer": layer}), **MESSAGES.initial(state)}
        super().__init__(service, initial, height=height, **options)

    def _check_state(self, state: Mapping[str, Any], current: Mapping[str, Any]) -> State:
        overview = self._service.overview()
        self._open(state.get("layer"), *pinned_layers(overview, state.get("pinned")), *bookmarked_layers(state.get("bookmarks")))
        overview = self._service.overview()
        checked = checked_state(state, current or DEFAULTS, overview)
        if checked["target"] is not None:
            checked["target"] = checked_target(checked["target"], self._classes(), overview.model)
        if checked["unit"] is None and find_summary(overview, checked["layer"]).dead is not None:
            checked["unit"] = int(np.argmax(self._service.layers.unit_table(checked["layer"]).maximum))
        return checked

    @traitlets.observe("state")
    def _take_selected_units(self, _change: object) -> None:
        self.selected_units = _selected(self.state)

    @traitlets.validate("selected_units")
    def _validate_selected_units(self, proposal: Mapping[str, Any]) -> list[int]:
        """Select the units in the state, which checks them. It is then the list that the state has."""
        units = proposal["value"]
        if list(units) != _selected(self.state):
            self.state = {"selected_units": list(units) or None}
        return _selected(self.state)

    def _open(self, *names: object) -> None:
        """Begin to build the index of layers that are neither listed nor opened yet."""
        overview = self._service.overview()
        for name in names:
            if isinstance(name, str) and known_layer(overview, name) is None:
                self._service.layers.open(name)

    def _classes(self) -> Sequence[str] | None:
        """Return the names of the model's classes; None if the service computes no contributions to them."""
        return self._service.contributions.classes() if isinstance(self._service, SupportsContributions) else None

    def _summarize(self) -> State:
        state = self.state
        layer, unit = state["layer"], state["unit"]
        if unit is None or find_summary(self._service.overview(), layer).dead is None:  # its index is being built
            return {}
        return unit_summary(self._service.layers.unit_detail(layer, unit, predictions=False))

    def save(
        self,
        path: str | Path,
        what: Literal["layer", "unit", "pinned", "layers"] = "layer",
        *,
        units: int | Sequence[int] | Mapping[str, Sequence[int]] | None = None,
        layers: Sequence[str] | None = None,
        size: FigureSize | int | None = None,
    ) -> Path:
        """Save a figure as PNG, SVG, PDF or a standalone HTML page, by the suffix of the path.

        An HTML page works without a kernel: it has layers to switch, the order and a class filter, and enlarges every tile.

        Parameters
        ----------
        path : str or path
            The file.
        what : {"layer", "unit", "pinned", "layers"}
            Units of the layer that is shown, the chosen unit, the pinned units, or units of several layers, one row each.
        units : int, list of int, or dict, optional
            How many units in the order that is shown, or their numbers; for several layers also a dict from layers to lists. By default
            16 of one layer, 5 of each of several, and 64 of each layer on an HTML page. For "layer" and "layers".
        layers : list of str, optional
            The layers for "layers"; by default all.
        size : {"small", "medium", "large"} or int, optional
            The size of a tile, or its pixels, 16 to 256.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        ServiceError
            For another suffix or size, for `units` or `layers` that the figure has no use for, if the file cannot be written, or while
            the index is being built.
        LayerError
            For an unknown layer or unit, and for "pinned" if no unit is pinned.

        Examples
        --------
        >>> import deconvwidgets as dw
        >>> service = dw.LocalModelService(dw.load_model("alexnet"), dw.open_images("photos"), device="cpu").wait()
        >>> dw.LayerExplorer(service, layer="conv2").save("conv2.pdf", units=[3, 17], size="small").name
        'conv2.pdf'
        >>> service.close()
        """
        one_of(what, "figure", ("layer", "unit", "pinned", "layers"))
        _refuse_unused(what, units, layers)
        chosen = {name: value for name, value in (("units", units), ("layers", layers), ("size", size)) if value is not None}
        return self._save(path, lambda kind: self._figure(f"{what}.{kind}", {**self.state, **chosen}))

    def __repr__(self) -> str:
        unit = "" if self.state["unit"] is None else f", unit {self.state['unit']}"
        return f"LayerExplorer({self._service.overview().label}, {self.state['layer']}{unit})"

    def _figure(self, kind: Any, state: Mapping[str, Any]) -> bytes:
        return self._service.layers.figure(kind, with_ordered_units(self._service, state))

    def _static_image(self) -> bytes | None:
        overview = self._service.overview()
        if find_summary(overview, self.state["layer"]).dead is None:
            return None
        return self._cached_image((overview.version, repr(self.state)), self._draw_static_image)

    def _valid_condition(self) -> str:
        """Return the condition on the units; empty if it cannot be read: the page says why, and shows every unit."""
        layer, where = self.state["layer"], self.state["where"]
        try:
            return where if where and self._service.layers.matching_units(layer, where) else ""
        except DeconvWidgetsError:
            return ""

    def _draw_static_image(self) -> bytes:
        """Draw the state, with the gradient if the rule is undefined for the layer; the image names its rule."""
        sort = "strongest" if self.state["sort"] == "contribution" else self.state["sort"]  # it does not wait for contributions
        state = {**self.state, "units": _STATIC_IMAGE_UNITS, "sort": sort, "where": self._valid_condition()}
        try:
            return self._figure("explorer.png", state)
        except RuleError:
            return self._figure("explorer.png", {**state, "rule": "gradient"})


def _refuse_unused(what: str, units: object, layers: object) -> None:
    """Raise ServiceError for an argument that a figure would ignore."""
    if units is not None and what in ("unit", "pinned"):
        shown = "the chosen unit: choose it with unit=... in the state" if what == "unit" else "the pinned units"
        raise ServiceError(f"The figure {what!r} shows {shown}. units is for 'layer' and 'layers': do not pass it.")
    if layers is not None and what != "layers":
        raise ServiceError(f"layers is for the figure 'layers', not for {what!r}: pass what='layers', or leave it out.")
    if layers is not None and isinstance(units, Mapping):
        raise ServiceError("units has the layers already, as a dict: do not pass layers, too.")
