"""Cases of all widgets with fake services, for the tests that all widgets share. Add new instruments here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from deconvwidgets.instruments.ablation.widget.panel import AblationPanel
from deconvwidgets.instruments.comparison.widget.layers import SideBySideLayers
from deconvwidgets.instruments.comparison.widget.occlusion import SideBySideOcclusion
from deconvwidgets.instruments.diagnosis.widget.panel import DiagnosisPanel
from deconvwidgets.instruments.evaluation.widget.panel import EvaluationPanel
from deconvwidgets.instruments.evolution.widget.explorer import EvolutionExplorer
from deconvwidgets.instruments.invariance.widget.explorer import InvarianceExplorer
from deconvwidgets.instruments.layers.widget.explorer import LayerExplorer
from deconvwidgets.instruments.occlusion.widget.explorer import OcclusionExplorer
from deconvwidgets.instruments.training.widget.panel import TrainingPanel
from deconvwidgets.instruments.transfer.widget.panel import TransferPanel
from deconvwidgets.widgets.explorer import Explorer
from tests.instruments.ablation.widget.fake_service import FakeStudy
from tests.instruments.comparison.widget.fake_api import FakeSideBySide
from tests.instruments.diagnosis.widget.fake_api import FakeDiagnosisService
from tests.instruments.evaluation.widget.fake_api import FakeEvaluationService
from tests.instruments.evolution.widget.fake_api import FakeEvolutionService
from tests.instruments.invariance.widget.fake_api import FakeInvarianceService
from tests.instruments.occlusion.widget.fake_api import FakeOcclusionService
from tests.instruments.training.widget.fake_service import FakeTraining
from tests.instruments.transfer.widget.fake_api import FakeTransferService
from tests.widgets.fake_service import FakeService

IMAGE = {"image": "crop:2", "layer": None, "unit": None, "target": None, "fill": "gray"}

INVARIANCE = {"images": ["crop:2"], "image": "crop:2", "transform": "rotate", "amount": 30, "layers": ["conv1", "conv2"], "layer": "conv2"}


@dataclass(frozen=True)
class Case:
    """A widget with the values that the tests need."""

    widget: type[Explorer]
    make_service: Callable[[], Any]
    valid_state: dict[str, Any]  # a part of a state
    invalid_state: dict[str, Any]
    slow_request: dict[str, Any]
    slow_method: str  # the method of the service (or of its API) that answers it
    events: frozenset[str]  # the kinds of events that the widget receives
    argument: str  # a keyword argument of the widget, misspelt by a test
    api: str = ""  # the attribute of the service with the API
    prepare: Callable[[Any], object] = field(default=lambda service: None)  # makes slow_request and saving possible

    def api_of(self, service: Any) -> Any:
        """Return the object that answers the widget's requests."""
        return getattr(service, self.api) if self.api else service


CASES = {
    "layers": Case(
        LayerExplorer,
        FakeService,
        {"layer": "conv2", "unit": 7},
        {"layer": "nope"},
        {"kind": "figure", "figure": "layer.png", "state": {"layer": "conv1"}},
        "figure",
        frozenset({"changed", "failed", "progress"}),
        "layer",
    ),
    "occlusion": Case(
        OcclusionExplorer,
        FakeOcclusionService,
        {"image": "crop:3", "fill": "blur"},
        {"window": [0, 5]},
        {"kind": "file", "figure": "figure.png", "request": IMAGE, "run": None, "state": {}},
        "file",
        frozenset({"changed", "failed", "occlusion"}),
        "image",
        api="occlusion",
    ),
    "transfer": Case(
        TransferPanel,
        FakeTransferService,
        {"data": "caltech101", "folds": 3},
        {"folds": "many"},
        {"kind": "data", "settings": {"data": "caltech101"}},
        "data",
        frozenset({"changed", "failed", "transfer"}),
        "state",
        api="transfer",
        prepare=lambda service: service.transfer.whole_run(),
    ),
    "evaluation": Case(
        EvaluationPanel,
        FakeEvaluationService,
        {"data": "caltech101", "limit": 3},
        {"limit": "many"},
        {"kind": "data", "settings": {"data": "caltech101"}},
        "data",
        frozenset({"changed", "failed", "evaluation"}),
        "state",
        api="evaluation",
        prepare=lambda service: service.evaluation.whole_run(),
    ),
    "diagnosis": Case(
        DiagnosisPanel,
        FakeDiagnosisService,
        {"finding": "shift", "shift": [3, 0]},
        {"shift": [3, 99]},
        {"kind": "file", "file": "report.csv"},
        "file",
        frozenset({"changed", "failed", "diagnosis"}),
        "state",
        api="diagnosis",
    ),
    "evolution": Case(
        EvolutionExplorer,
        FakeEvolutionService,
        {"epoch": 5, "unit": ["conv2", 7]},
        {"unit": ["conv2", 1000]},
        {"kind": "figure", "figure": "evolution.png", "state": {}},
        "figure",
        frozenset({"changed", "failed", "progress", "evolution"}),
        "state",
    ),
    "invariance": Case(
        InvarianceExplorer,
        FakeInvarianceService,
        {"transform": "rotate", "amount": 30},
        {"amount": 1.5},
        {"kind": "file", "figure": "curves.csv", "state": {**INVARIANCE, "layers": ["conv1"], "measure": "relative"}},
        "file",
        frozenset({"changed", "failed"}),
        "state",
        api="invariance",
    ),
    "training": Case(
        TrainingPanel,
        lambda: FakeTraining(epochs=3),
        {"accuracy": "accuracy", "layers": "weights"},
        {"accuracy": "loss"},
        {"kind": "file", "file": "training.csv"},
        "file",
        frozenset({"changed", "failed", "training"}),
        "state",
    ),
    "ablation": Case(
        AblationPanel,
        FakeStudy,
        {"measure": "train", "variant": "mine"},
        {"measure": "loss"},
        {"kind": "file", "file": "ablation.csv"},
        "file",
        frozenset({"changed", "failed", "ablation"}),
        "state",
    ),
    "comparison": Case(
        SideBySideLayers,
        FakeSideBySide,
        {"layer_a": "conv1", "unit_a": 1},
        {"layer_b": "nope"},
        {"kind": "figure", "figure": "pairs.png", "state": {"layer_a": "conv1"}},
        "figure",
        frozenset({"changed", "failed", "progress"}),
        "state",
    ),
    "comparison_occlusion": Case(
        SideBySideOcclusion,
        FakeSideBySide,
        {"image": "crop:3", "fill": "blur"},
        {"window": [0, 5]},
        {"kind": "figure", "figure": "maps.png", "state": {}},
        "occlusion_figure",
        frozenset({"changed", "failed", "occlusion"}),
        "state",
    ),
}
