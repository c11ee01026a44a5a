"""Files of what a widget of two models side by side shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from deconvwidgets.arguments import describe, integer, one_of
from deconvwidgets.errors import RuleError, ServiceError
from deconvwidgets.figures.csv_table import csv_share, csv_table, csv_text
from deconvwidgets.instruments.comparison.figures.pair_sheet import PairSheet, ShownPair, draw_pairs
from deconvwidgets.instruments.comparison.pair_order import ordered_pairs
from deconvwidgets.instruments.comparison.pair_records import SIDES, LayerPairs
from deconvwidgets.instruments.comparison.service.protocol import SideBySideService, SupportsBoth
from deconvwidgets.instruments.layers.figures.sheet import UnitPanel
from deconvwidgets.records.mosaics import Contrast, Rule

_PAIRS, _MAX_PAIRS = 6, 400  # in a picture
_TILE = 64


def make_figure(service: SideBySideService, kind: str, state: Mapping[str, Any]) -> bytes:
    """Return "pairs.png", the first pairs in the order of `state`, or "pairs.csv", all pairs of its layers.

    Parameters
    ----------
    kind : {"pairs.png", "pairs.csv"}
    state : mapping
        `layer_a` and `layer_b`; and, as in the state of the widget, `paired_by`, `sort`, `status`, `rule`, `contrast`, `unit_a` and
        `unit_b`: the selected pair comes first. `count`: how many pairs the picture has, 6 by default.
    """
    one_of(kind, "figure", ("pairs.png", "pairs.csv"))
    if not isinstance(state, Mapping):
        raise ServiceError(f"A figure is drawn from a state: a dict such as {{'layer_a': 'conv5'}}, not {describe(state)}.")
    layers = [state.get(f"layer_{side}") for side in SIDES]
    pairs = service.pairs(layers[0], layers[1], state.get("paired_by", "match"))  # type: ignore[arg-type] # checked there
    if kind == "pairs.csv":
        return _table(service.names(), pairs)
    maximum = service.side("a").layers.unit_table(pairs.layer_a).maximum
    order = ordered_pairs(pairs, state.get("sort", "difference"), state.get("status", ()), maximum)
    selected = pairs.row(state.get("unit_a"), state.get("unit_b"))
    if selected is not None:
        order = [selected, *(pair for pair in order if pair != selected)]
    count = integer(state.get("count", _PAIRS), "count, the pairs of a picture,", 1, _MAX_PAIRS)
    return draw_pairs(_sheet(service, pairs, order[:count], state, selected is not None))


def _sheet(service: SideBySideService, pairs: LayerPairs, chosen: Sequence[int], state: Mapping[str, Any], selected: bool) -> PairSheet:
    rule, contrast = state.get("rule", "deconvnet"), state.get("contrast", "tile")
    one_of(rule, "rule", get_args(Rule))
    one_of(contrast, "contrast", get_args(Contrast))
    shown = [
        ShownPair(
            _panel(service.side("a"), pairs.layer_a, int(pairs.unit_a[pair]), rule, contrast),
            _panel(service.side("b"), pairs.layer_b, int(pairs.unit_b[pair]), rule, contrast),
            float(pairs.correlation[pair]),
            pairs.words(pair),
        )
        for pair in chosen
    ]
    overviews = tuple(service.side(side).overview() for side in SIDES)
    return PairSheet(service.names(), (overviews[0], overviews[1]), pairs, tuple(shown), rule, selected)


def _panel(service: SupportsBoth, layer: str, unit: int, rule: Rule, contrast: Contrast) -> UnitPanel | None:
    """Return a unit with its mosaics; with those of the gradient if the rule cannot be applied to its layer. None for no unit."""
    if unit < 0:
        return None
    try:
        top = service.layers.top_activations(layer, unit, rule, contrast, _TILE)
    except RuleError:
        top = service.layers.top_activations(layer, unit, "gradient", contrast, _TILE)
    return UnitPanel.from_records(top, service.layers.unit_detail(layer, unit, predictions=False))


def _table(names: tuple[str, str], pairs: LayerPairs) -> bytes:
    header = ("model_a", "layer_a", "unit_a", "model_b", "layer_b", "unit_b", "correlation", "status_a", "status_b", "match_a", "match_b")
    units = [
        ["" if unit < 0 else unit for unit in column.tolist()] for column in (pairs.unit_a, pairs.unit_b, pairs.match_a, pairs.match_b)
    ]
    statuses = [[status or "" for status in column] for column in (pairs.status_a, pairs.status_b)]
    first, second = ([csv_text(name), csv_text(layer)] for name, layer in zip(names, (pairs.layer_a, pairs.layer_b), strict=True))
    return csv_table(
        header,
        (
            [*first, units[0][pair], *second, units[1][pair], csv_share(value), *(column[pair] for column in (*statuses, *units[2:]))]
            for pair, value in enumerate(pairs.correlation.tolist())
        ),
    )
