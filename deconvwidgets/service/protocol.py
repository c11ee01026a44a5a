"""What a widget may ask of a model service. No torch here: a widget never computes.

Every method answers at once from a snapshot of the service's state, or raises a `DeconvWidgetsError` in words.
Long jobs run elsewhere and report through `subscribe`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from deconvwidgets.records import Nine, Overview, Picture, Progress, SourcePicture, UnitDetail, UnitTable

Rule = Literal["deconvnet", "gradient", "guided"]
Contrast = Literal["tile", "shared"]
Part = Literal["projections", "patches"]
FigureKind = Literal["explorer.png", "layer.png", "layer.svg", "layer.html", "unit.png", "unit.svg", "unit.html"]


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """Told to every widget: progress of a long job, a new state (ask for the overview again), or a failure in words."""

    kind: Literal["progress", "changed", "failed"]
    progress: Progress | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class NineWanted:
    """Which of a unit's nine are asked for, and how they are drawn: `parts` alone are computed, `tile` pixels a side each."""

    layer: str
    unit: int
    rule: Rule = "deconvnet"
    contrast: Contrast = "tile"
    tile: int = 54
    parts: tuple[Part, ...] = ("projections", "patches")


@runtime_checkable
class ModelService(Protocol):
    """The model service as widgets see it."""

    def overview(self) -> Overview:
        """Model, image set, layers, and whether the index stands yet."""
        ...

    def unit_table(self, layer: str) -> UnitTable:
        """Statistics and labels of all units of a layer."""
        ...

    def nine(self, layer: str, unit: int, rule: Rule = "deconvnet", contrast: Contrast = "tile", tile: int = 54) -> Nine:
        """The nine strongest activations as mosaics of projections and patches, `tile` pixels a side each."""
        ...

    def mosaics(self, wanted: NineWanted) -> Sequence[Picture]:
        """One mosaic for each of `wanted.parts`. Patches alone cost no projection."""
        ...

    def mosaics_later(self, wanted: NineWanted, done: Callable[[Sequence[Picture]], None], failed: Callable[[Exception], None]) -> None:
        """The same, when nobody waits for anything else: returns at once, and calls one of the two, once, from another thread."""
        ...

    def unit_detail(self, layer: str, unit: int) -> UnitDetail:
        """Values, sources, labels and predictions of the nine; the unit's histogram."""
        ...

    def source(self, layer: str, unit: int, rank: int, size: int = 480) -> SourcePicture:
        """The whole source photograph of the nine's member `rank` (0 to 8), longer side `size` pixels, with its box."""
        ...

    def figure(self, kind: FigureKind, state: Mapping[str, Any]) -> bytes:
        """A finished figure as a file's bytes; `state` is a LayerExplorer's state."""
        ...

    def subscribe(self, listener: Callable[[ServiceEvent], None]) -> Callable[[], None]:
        """Be told of events, from any thread. Returns the function that ends the subscription."""
        ...
