"""The requests of every widget. No torch here: a widget never computes."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

from deconvwidgets.records.overview import Overview
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.open_widgets import OpenWidgets


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """An event of a service.

    Parameters
    ----------
    kind : str
        "progress" (of the index of `layers`, with `progress`), "partial" (there is an index of more crops of `layers`, which is not
        complete), "changed" (the overview is another one), "failed" (with `message`), or the name of an instrument whose runs changed
        ("transfer", "occlusion", "training", ...).
    """

    kind: str
    progress: Progress | None = None
    message: str = ""
    layers: tuple[str, ...] = ()
    side: str = ""  # of a comparison of two services: "a" or "b", whose event it is


@runtime_checkable
class WidgetService(Protocol):
    """The service behind a widget, as the base of every widget sees it. It need not have one model.

    Requests return at once from a snapshot of the service's state, or raise a `DeconvWidgetsError`. Long jobs run in a worker and
    publish events.
    """

    @property
    def open_widgets(self) -> OpenWidgets:
        """The widgets of this service that pages show."""
        ...

    def subscribe(self, listener: Callable[[ServiceEvent], None], kinds: Collection[str] | None = None) -> Callable[[], None]:
        """Call `listener` with each event of the given kinds (None: all), from any thread. Return the function that ends the subscription.

        A bound method is held weakly.
        """
        ...

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until everything that is needed for a picture of the widget is computed, and return the service."""
        ...


class RunService(WidgetService, Protocol):
    """The service of a long computation that has a folder, such as a training, as the panels of them see it."""

    def status(self) -> Any:
        """Return the state of the computation, as it was seen last."""
        ...

    def cancel(self) -> None:
        """Ask it to save its state and to stop, in whichever process it runs. Raises a DeconvWidgetsError if none is running."""
        ...

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until nothing is running. Raises ServiceError if something still is after `timeout` seconds."""
        ...

    def file(self, kind: Any) -> bytes:
        """Return its results as a file. Raises ServiceError for an unknown kind, and as long as there are none."""
        ...


@runtime_checkable
class ModelService(WidgetService, Protocol):
    """The service of one model, as the widgets on it see it."""

    def overview(self) -> Overview:
        """Return a description of the model, the image set and the layers."""
        ...

    @property
    def units(self) -> Mapping[tuple[str, int], float]:
        """The factors of the units that are switched off or scaled, by (dotted name of the layer, unit)."""
        ...

    def set_units(self, units: Mapping[tuple[str, int], float] | str | os.PathLike[str] | None) -> None:
        """Multiply the maps of units; all others are on."""
        ...

    def change_units(self, units: Mapping[tuple[str, int], float]) -> None:
        """Multiply the maps of units; all others stay as they are."""
        ...

    def reset_units(self) -> None:
        """Switch all units on."""
        ...

    def save_units(self, path: str | os.PathLike[str]) -> Path:
        """Save the units that are switched off or scaled, and return the path."""
        ...

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until everything that is needed to show the layers is computed, and return the service."""
        ...
