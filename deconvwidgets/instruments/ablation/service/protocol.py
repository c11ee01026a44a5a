"""What an AblationPanel asks of its service. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from deconvwidgets.instruments.ablation.records import AblationStatus
from deconvwidgets.service.protocol import RunService


@runtime_checkable
class AblationService(RunService, Protocol):
    """Trains a study, or watches one, by its folder. It publishes the event "ablation" when something has changed."""

    def status(self) -> AblationStatus:
        """Return the state of the study, as it was seen last."""
        ...

    def start(self, variants: Sequence[str] | None = None) -> None:
        """Train the runs that are not complete, of some variants or all, on a worker. Raises a DeconvWidgetsError if it cannot."""
        ...

    def model_service(self, variant: str, seed: int | None = None) -> Any:
        """Return the model service of a run's network, for a LayerExplorer. Raises a DeconvWidgetsError if there is none yet."""
        ...

    def give_up_model_services(self) -> None:
        """Keep no model service of a run's network: each ends as soon as no explorer uses it."""
        ...
