"""The arguments of widgets and of their methods, with values of the wrong kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import deconvwidgets as dw
from deconvwidgets.instruments.diagnosis.records import SuggestedSurgery
from tests.arguments.checking import Case, check
from tests.arguments.hostile_values import REFUSED, SKIPPED, Kind, nothing, optional, real, whole
from tests.arguments.test_services import indexed
from tests.instruments.diagnosis.widget.fake_api import FakeDiagnosisService
from tests.instruments.evolution.widget.fake_api import FakeEvolutionService

pytestmark = pytest.mark.slow


def state_of(widget: Any) -> tuple[Any, int]:
    with widget:
        return dict(widget.state), widget.height


def indexed_image(value: Any) -> Any:
    return "crop:" + str(number) if (number := whole(0, 15)(value)) is not REFUSED else REFUSED


def empty_state(value: Any) -> Any:
    return {} if value is None or (isinstance(value, dict) and not value) else REFUSED


def state_layer(value: Any) -> Any:
    """A state may hold NumPy's values, which are converted."""
    return indexed(value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value)


def not_none(kind: Kind) -> Kind:
    """The kind; None is tested elsewhere."""
    return lambda value: SKIPPED if value is None else kind(value)


AVERAGE = SuggestedSurgery("average pooling", "swap_pooling", {"to": "average"})


def diagnosed(panel: Any, arguments: dict[str, Any]) -> int:
    """Wait for a diagnosis that is complete."""
    return len(panel.wait(**arguments).findings)


def tried(panel: Any, arguments: dict[str, Any]) -> int:
    """Try a surgery, and undo it: the next case begins with the network as it is."""
    panel.try_surgery(**arguments)
    return panel.undo()


def shift_of(panel: Any, arguments: dict[str, Any]) -> tuple[int, int]:
    request = panel.shifted(**arguments).request
    return request.right, request.down


def drawn_units(value: Any) -> Any:
    """A count, or a collection of units, is tested elsewhere."""
    return SKIPPED if whole(1)(value) is not REFUSED or isinstance(value, list | tuple | dict | range | np.ndarray) else REFUSED


def drawn_layers(value: Any) -> Any:
    """Layers are drawn elsewhere."""
    return SKIPPED if isinstance(value, list) and value == ["3", "1"] else REFUSED


WIDGET_CASES: dict[str, tuple[Callable[[Any], Callable[..., Any]], dict[str, Any], dict[str, Kind]]] = {
    "dw.LayerExplorer": (
        lambda service: lambda **arguments: state_of(dw.LayerExplorer(service, **arguments)), {},
        {"layer": optional(state_layer), "state": empty_state, "height": nothing},
    ),
    "dw.OcclusionExplorer": (
        lambda service: lambda **arguments: state_of(dw.OcclusionExplorer(service, **arguments)), {},
        {"image": optional(indexed_image), "state": empty_state, "height": nothing},
    ),
    "dw.InvarianceExplorer": (
        lambda service: lambda **arguments: state_of(dw.InvarianceExplorer(service, **arguments)), {},
        {"state": empty_state, "height": nothing},
    ),
    "invariance_explorer.save": (lambda service: dw.InvarianceExplorer(service).save, {}, {"path": nothing}),
    "dw.TransferPanel": (
        lambda service: lambda **arguments: state_of(dw.TransferPanel(service, **arguments)), {}, {"state": empty_state, "height": nothing},
    ),
    "dw.EvaluationPanel": (
        lambda service: lambda **arguments: state_of(dw.EvaluationPanel(service, **arguments)), {},
        {"images": optional(nothing), "state": empty_state, "height": nothing},
    ),
    "dw.DiagnosisPanel": (
        lambda service: lambda **arguments: state_of(dw.DiagnosisPanel(service, **arguments)), {},
        {"state": empty_state, "height": nothing},
    ),
    "diagnosis_panel.save": (lambda service: dw.DiagnosisPanel(FakeDiagnosisService()).save, {}, {"path": nothing}),
    "diagnosis_panel.wait": (
        lambda service: lambda **arguments: diagnosed(dw.DiagnosisPanel(service), arguments), {}, {"timeout": optional(real(low=0))},
    ),
    "diagnosis_panel.shifted": (
        lambda service: lambda **arguments: shift_of(dw.DiagnosisPanel(service), arguments), {},
        {"right": optional(whole(-32, 32)), "down": optional(whole(-32, 32))},
    ),
    "diagnosis_panel.try_surgery": (
        lambda service: lambda **arguments: tried(dw.DiagnosisPanel(service), arguments), {"surgery": AVERAGE},
        {"surgery": nothing, "parent": optional(whole(0, 0))},
    ),
    "dw.EvolutionExplorer": (
        lambda service: lambda **arguments: state_of(dw.EvolutionExplorer(FakeEvolutionService(), **arguments)), {},
        {"images": optional(nothing), "state": empty_state, "height": nothing},
    ),
    **{
        f"dw.{name}(service)": (lambda service, name=name: lambda service: getattr(dw, name)(service), {}, {"service": nothing})
        for name in ("LayerExplorer", "OcclusionExplorer", "TransferPanel", "EvaluationPanel", "InvarianceExplorer", "DiagnosisPanel")
    },
    "layer_explorer.save": (
        lambda service: dw.LayerExplorer(service, "conv1").save, {"path": "x.svg", "what": "layers"},
        {"path": nothing, "what": nothing, "units": optional(drawn_units), "layers": optional(drawn_layers), "size": optional(nothing)},
    ),
    "occlusion_explorer.save": (lambda service: dw.OcclusionExplorer(service).save, {}, {"path": nothing}),
    **{
        f"{panel}_panel.{method}": (
            lambda service, panel=panel, method=method: getattr(getattr(dw, f"{panel.capitalize()}Panel")(service), method), valid, kinds
        )
        for panel in ("transfer", "evaluation")
        for method, valid, kinds in (
            ("wait", {}, {"run": optional(whole(1, 1)), "timeout": optional(real(low=0))}),
            ("results", {}, {"run": optional(whole(1, 1))}),
            ("save", {"path": "x.csv"}, {"path": nothing, "run": optional(whole(1, 1))}),
        )
    },
    "transfer_panel.solve_again": (
        lambda service: dw.TransferPanel(service).solve_again,
        {"units": {"conv2": [1]}},
        {"units": nothing, "run": lambda value: SKIPPED if value is None or whole(1)(value) is not REFUSED else REFUSED},
    ),
    "evaluation_panel.compare": (
        lambda service: dw.EvaluationPanel(service).compare, {"before": 1, "after": 1},
        {"before": not_none(whole(1, 1)), "after": not_none(whole(1, 1)), "limit": whole(0)},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("method", "argument"), [(name, key) for name, (_, _, kinds) in WIDGET_CASES.items() for key in kinds])
def test_widgets(service, method, argument):
    make, valid, kinds = WIDGET_CASES[method]
    check(Case(make(service), valid, kinds), argument)
