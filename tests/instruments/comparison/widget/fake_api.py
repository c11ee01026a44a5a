"""Two fake model services side by side. Units are paired by number, but for 1 and 2, which are swapped, and the last of B, which is new."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.comparison.pair_records import LayerMatch, LayerPairs, LayerSimilarity, PairedBy, Side
from deconvwidgets.service.events import Events
from deconvwidgets.service.open_widgets import OpenWidgets
from deconvwidgets.service.protocol import ServiceEvent
from tests.instruments.occlusion.widget.fake_api import FakeOcclusionService
from tests.widgets.fake_service import encode, grating

LAYERS = ("conv1", "conv5")


class FakeSideBySide:
    """Implements `SideBySideService`."""

    def __init__(self) -> None:
        self.sides: dict[str, FakeOcclusionService] = {"a": FakeOcclusionService(), "b": FakeOcclusionService()}
        self.events = Events()
        self.open_widgets = OpenWidgets()
        self.calls: list[tuple[str, Any]] = []
        self.error: Exception | None = None

    def side(self, side: Side) -> Any:
        return self.sides[side]

    def names(self) -> tuple[str, str]:
        return ("fakenet (A)", "fakenet (B)")

    def pairs(self, layer_a: str, layer_b: str, paired_by: PairedBy = "match") -> LayerPairs:
        if paired_by not in ("match", "number"):
            raise ServiceError(f"There is no paired_by {paired_by!r}.")
        units = self.sides["a"]._info(layer_a).channels
        self.sides["b"]._info(layer_b)
        unit_a, unit_b = np.arange(units + 1), np.arange(units + 1)
        unit_a[-1] = -1
        correlation = np.linspace(0.99, 0.2, units + 1)
        correlation[-1] = np.nan
        if paired_by == "match":
            unit_b[[1, 2]] = [2, 1]
        statuses = ["moved" if unit in (1, 2) else "changed" if correlation[unit] < 0.5 else "kept" for unit in range(units)]
        matches = np.arange(units + 1)
        matches[[1, 2, -1]] = [2, 1, -1]
        fields = (unit_a, unit_b, correlation, (*statuses, None), (*statuses, "new"), matches, matches)
        return LayerPairs(layer_a, layer_b, paired_by, *fields, crops=120)

    def similarity(self) -> LayerSimilarity:
        matches = tuple(LayerMatch(layer, layer, 0.9, 0.8, 5, 24) for layer in LAYERS)
        return LayerSimilarity(LAYERS, LAYERS, np.linspace(0, 1, 4).reshape(2, 2), matches, 120, ("Correlations up to 0.3 can be chance.",))

    def figure(self, kind: str, state: Mapping[str, Any]) -> bytes:
        self.calls.append(("figure", (kind, dict(state))))
        if self.error:
            raise self.error
        return encode(grating(1, 16, signed=True)).data if kind.endswith(".png") else b"unit_a,unit_b\r\n0,0\r\n"

    def occlusion_figure(self, kind: str, state: Mapping[str, Any]) -> bytes:
        return self.figure(kind, state)

    def occlusion_summary(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"image": state["image"]}

    def wait(self, timeout: float | None = None) -> FakeSideBySide:
        return self

    def subscribe(self, listener: Callable[[ServiceEvent], None], kinds: Collection[str] | None = None) -> Callable[[], None]:
        return self.events.subscribe(listener, kinds)

    def publish(self, kind: Any, progress: Any = None, message: str = "") -> None:
        self.events.publish(ServiceEvent(kind, progress, message))
