"""The requests of an EvolutionExplorer. No torch here: a widget never computes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, Self, runtime_checkable

from deconvwidgets.instruments.evolution.records import (
    CellPicture,
    CellPicturesRequest,
    ConvergenceCurves,
    EvolutionOverview,
    EvolutionRow,
    FigureKind,
    Measure,
    UnitChoice,
    UnitHistory,
)
from deconvwidgets.instruments.layers.service.protocol import LayersService
from deconvwidgets.service.protocol import ServiceEvent, WidgetService


@runtime_checkable
class EvolutionService(WidgetService, Protocol):
    """Answers the requests of an EvolutionExplorer. Every method may be called from any thread.

    Requests name layers by any of their names, and raise LayerError for an unknown layer or unit and ServiceError for an unknown epoch,
    or one whose index is not ready. Those marked "on a worker" may take a second at the first call.

    Events: "evolution" whenever the overview changed (a new checkpoint, an index that is ready or failed, a new line of the training
    log), "progress" while an index is built, "failed" with a message.
    """

    def subscribe(self, listener: Callable[[ServiceEvent], None], kinds: Collection[str] | None = None) -> Callable[[], None]:
        """Call `listener` with each event of the given kinds (None: all), from any thread. Return the function that ends the subscription.

        The folder is watched as long as somebody is subscribed to "evolution".
        """
        ...

    def overview(self) -> EvolutionOverview:
        """Return the checkpoints and how far their indexes are, the image set, the layers and the training log."""
        ...

    def rows(self, choice: UnitChoice) -> Sequence[EvolutionRow]:
        """Return units, grouped by layer, with their strongest activations at every epoch that is ready."""
        ...

    def cell_pictures(self, request: CellPicturesRequest) -> Sequence[CellPicture]:
        """Return the pictures of up to 256 cells, in the order of the request. On a worker."""
        ...

    def convergence(self, measure: Measure = "correlation") -> ConvergenceCurves:
        """Return how far each layer has converged, by epoch. On a worker."""
        ...

    def history(self, layer: str, unit: int) -> UnitHistory:
        """Return one unit's values at every epoch that is ready."""
        ...

    def layers_of(self, epoch: int) -> LayersService:
        """Return what answers the LayerExplorer's requests for the model of an epoch. On a worker.

        Its requests name the same layers. It is kept for the last few epochs that were asked for.
        """
        ...

    def model(self, epoch: int) -> tuple[Any, Any, Any]:
        """Return the model bundle of an epoch, the image set and the activation index, for a LocalModelService. On a worker."""
        ...

    def figure(self, kind: FigureKind, state: Mapping[str, Any]) -> bytes:
        """Return a figure as the bytes of a file; `state` is the state of an EvolutionExplorer. On a worker."""
        ...

    def refresh(self) -> Sequence[int]:
        """Look for new checkpoints and lines of the training log now, and return the new epochs. Their indexes are built."""
        ...

    def cancel(self) -> None:
        """End the building of indexes. The columns that are not ready wait."""
        ...

    def resume(self) -> None:
        """Build the indexes of the columns that wait or failed."""
        ...

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until the indexes of all checkpoints that are known are ready or failed, and return the service."""
        ...

    def close(self) -> None:
        """End all jobs and the watching of the folder."""
        ...
