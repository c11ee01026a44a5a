"""Every widget, on a service without a model, for the tests of what they share. A new instrument is added here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from deconvwidgets.instruments.layers.widget.explorer import LayerExplorer
from deconvwidgets.instruments.occlusion.widget.explorer import OcclusionExplorer
from deconvwidgets.instruments.transfer.widget.panel import TransferPanel
from deconvwidgets.widgets.explorer import Explorer
from tests.instruments.occlusion.widget.fake_api import FakeOcclusionService
from tests.instruments.transfer.widget.fake_api import FakeTransferService
from tests.widgets.fake_service import FakeService

IMAGE = {"image": "crop:2", "layer": None, "unit": None, "target": None, "fill": "gray"}


@dataclass(frozen=True)
class Case:
    """A widget and what a test needs to know of it."""

    widget: type[Explorer]
    make_service: Callable[[], FakeService]
    good: dict[str, Any]  # a part of a state
    bad: dict[str, Any]
    work: dict[str, Any]  # a request that takes a while
    slow: str  # the method of the service (or of its API) that answers it
    events: frozenset[str]
    argument: str  # one of the widget's own
    api: str = ""  # the attribute of the service
    ready: Callable[[Any], object] = field(default=lambda service: None)  # makes the request `work` and saving possible

    def answering(self, service: Any) -> Any:
        """Return what answers the widget."""
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
        "occlusion",
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
        "transfer",
        lambda service: service.transfer.whole_run(),
    ),
}
