"""The requests of every widget. No torch here: a widget never computes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

from deconvwidgets.records.overview import Overview
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.open_widgets import OpenWidgets


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """An event of a model service.

    Parameters
    ----------
    kind : str
        "progress" (of the index of `layers`, with `progress`), "partial" (there is an index of more crops of `layers`, which is not
        complete), "changed" (the overview is another one), "failed" (with `message`), or the name of an instrument whose runs changed
        ("transfer", "occlusion", ...).
    """

    kind: str
    progress: Progress | None = None
    message: str = ""
    layers: tuple[str, ...] = ()


@runtime_checkable
class ModelService(Protocol):
    """A model service, as every widget sees it.

    Requests return at once from a snapshot of the service's state, or raise a `DeconvWidgetsError`. Long jobs run in a worker and
    publish events.
    """

    @property
    def open_widgets(self) -> OpenWidgets:
        """The widgets of this service that pages show."""
        ...

    def overview(self) -> Overview:
        """Return a description of the model, the image set and the layers."""
        ...

    def subscribe(self, listener: Callable[[ServiceEvent], None], kinds: Collection[str] | None = None) -> Callable[[], None]:
        """Call `listener` with each event of the given kinds (None: all), from any thread. Return the function that ends the subscription.

        A bound method is held weakly.
        """
        ...

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until everything that is needed to show the layers is computed, and return the service."""
        ...
