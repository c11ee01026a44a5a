"""The units of two models side by side, as a widget."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from deconvwidgets.errors import DeconvWidgetsError, ServiceError
from deconvwidgets.instruments.comparison.pair_records import SIDES, LayerPairs
from deconvwidgets.instruments.comparison.service.protocol import SideBySideService
from deconvwidgets.instruments.comparison.widget.messages import HANDLERS
from deconvwidgets.instruments.comparison.widget.sides import SideBySide
from deconvwidgets.instruments.comparison.widget.state import DEFAULTS, MESSAGES, checked_state, pinned_layers
from deconvwidgets.instruments.layers.widget.explorer import LayerExplorer, unit_summary
from deconvwidgets.records.find_layer import find_summary, known_layer
from deconvwidgets.widgets.state import State, StateTrait

_STATIC_PAIRS = 6


class SideBySideLayers(SideBySide):
    """The units of two models side by side: each pair with projections and patches of both. Made by `dw.side_by_side`.

    Parameters
    ----------
    service : LocalSideBySide
        Two model services on the same image set.
    state : mapping, optional
        A state, or a part of one, as `widget.state` returns it.
    height : int
        Height in CSS pixels. At widths below 900 pixels the selected pair is in a drawer over the others.

    Attributes
    ----------
    state : dict
        The keys can be set one by one (`widget.state = {"layer_a": "conv3"}`).

        - layer_a, layer_b: the layers. If only that of A is set, that of B follows: of the same name, or else at the same depth.
        - unit_a, unit_b: the selected pair. If only one of them is set, the other is its partner; two that are no pair are refused.
        - paired_by: "match", by the correlation of their activations, or "number".
        - sort: "difference", "correlation", "strongest" (in A) or "number". status: the statuses of the pairs that are shown; []: all.
        - rule, contrast, view, tile_size: as in a LayerExplorer.
        - side, rank: whose activation is selected, and which of its strongest.
        - pane: "pair", or "a" or "b" for the LayerExplorer's pane of that unit, with its tab and more.
        - pinned: up to eight of {"side": "a", "model": ..., "layer": ..., "unit": ...}. They stay while other layers are shown.

    summary : dict
        The selected pair: layers, units, their correlation, what became of each, and the statistics and strongest activations of both.
        Read-only; empty while an index is built.

    Raises
    ------
    LayerError
        For an unknown layer or unit.
    ServiceError
        For any other invalid part of the state.
    TypeError
        For an unknown argument.
    """

    FRONT_END = "comparison"
    MESSAGES = MESSAGES
    HANDLERS = HANDLERS
    EVENTS = LayerExplorer.EVENTS
    FILES: ClassVar[Mapping[str, str]] = {".png": "pairs.png", ".csv": "pairs.csv"}

    state = StateTrait(MESSAGES).tag(sync=True)

    def __init__(self, service: SideBySideService, state: Mapping[str, Any] | None = None, height: int = 780, **options: Any) -> None:
        super().__init__(service, state, height=height, **options)

    def save(self, path: str | Path, pairs: int = 6) -> Path:
        """Save the first pairs in the order that is shown as PNG, or all pairs of the layers as CSV, by the suffix of the path.

        Parameters
        ----------
        path : str or path
            The file.
        pairs : int
            How many pairs a picture has, up to 400.

        Raises
        ------
        ServiceError
            For another suffix, if the file cannot be written, or while an index is built.
        """
        return self._save(path, lambda kind: self._service.figure(kind, {**self.state, "count": pairs}))

    def __repr__(self) -> str:
        names, state = self._service.names(), self.state
        shown = [f"{name}, {state[f'layer_{side}']}" + _unit_words(state[f"unit_{side}"]) for side, name in zip(SIDES, names, strict=True)]
        return f"SideBySideLayers({' | '.join(shown)})"

    def _check_state(self, state: Mapping[str, Any], current: Mapping[str, Any]) -> State:
        for side in SIDES:
            self._open(side, state.get(f"layer_{side}"), *pinned_layers(side, state.get("pinned")))
        checked = checked_state(state, current or DEFAULTS, self._overviews())
        return self._with_pair(state, current, checked)

    def _open(self, side: Any, *names: object) -> None:
        """Begin to build the index of layers of a model that are neither listed nor opened yet."""
        service = self._service.side(side)
        overview = service.overview()
        for name in names:
            if isinstance(name, str) and known_layer(overview, name) is None:
                service.layers.open(name)

    def _with_pair(self, state: Mapping[str, Any], current: Mapping[str, Any], checked: State) -> State:
        """Return a state whose units are a pair, if the pairs are known by now: beside a unit that was set alone is its partner.

        Units that are paired in another way now are carried over: that of A, or else of B, with its partner. Raises ServiceError for two
        units that are no pair.
        """
        units = {side: checked[f"unit_{side}"] for side in SIDES}
        pairs = None if units["a"] is None and units["b"] is None else self._pairs(checked)
        if pairs is None or pairs.row(units["a"], units["b"]) is not None:
            return checked
        given = [side for side in SIDES if state.get(f"unit_{side}") is not None]
        if checked["paired_by"] != current.get("paired_by") and all(units[side] == current.get(f"unit_{side}") for side in SIDES):
            given = [side for side in SIDES if units[side] is not None][:1]
        if len(given) != 1:
            raise ServiceError(
                f"Unit {units['a']} of {checked['layer_a']} in A and unit {units['b']} of {checked['layer_b']} in B are no pair by "
                f"{checked['paired_by']}: set only one of unit_a and unit_b, and the other becomes its partner."
            )
        other = "unit_b" if given[0] == "a" else "unit_a"
        return {**checked, other: pairs.partner(given[0], units[given[0]])}

    def _pairs(self, state: Mapping[str, Any]) -> LayerPairs | None:
        """Return the pairs of a state's layers; None while an index is built, or if there are none."""
        overviews = self._overviews()
        if any(find_summary(overviews[side], state[f"layer_{side}"]).dead is None for side in SIDES):
            return None
        try:
            return self._service.pairs(state["layer_a"], state["layer_b"], state["paired_by"])
        except DeconvWidgetsError:  # the live view says why
            return None

    def _summarize(self) -> State:
        state = self.state
        pairs = self._pairs(state)
        units = {side: state[f"unit_{side}"] for side in SIDES}
        row = None if pairs is None else pairs.row(units["a"], units["b"])
        if pairs is None or row is None:
            return {}
        summary: State = {"correlation": float(pairs.correlation[row]), "status_a": pairs.status_a[row], "status_b": pairs.status_b[row]}
        for side in SIDES:
            layer, unit = state[f"layer_{side}"], units[side]
            layers = self._service.side(side).layers
            summary[side] = None if unit is None else unit_summary(layers.unit_detail(layer, unit, predictions=False))
        return summary

    def _static_image(self) -> bytes | None:
        if self._pairs(self.state) is None:
            return None
        versions = tuple(overview.version for overview in self._overviews().values())
        return self._cached_image((versions, repr(self.state)), self._draw_static_image)

    def _draw_static_image(self) -> bytes:
        return self._service.figure("pairs.png", {**self.state, "count": _STATIC_PAIRS})


def _unit_words(unit: int | None) -> str:
    return "" if unit is None else f" unit {unit}"
