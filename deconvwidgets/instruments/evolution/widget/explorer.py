"""The EvolutionExplorer: Zeiler & Fergus 2014, figure 4, as a widget."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from deconvwidgets.arguments import describe, integer, one_of
from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.evolution.service.protocol import EvolutionService
from deconvwidgets.instruments.evolution.widget.messages import HANDLERS
from deconvwidgets.instruments.evolution.widget.state import DEFAULTS, MESSAGES, checked_state, unit_choice
from deconvwidgets.widgets.explorer import Explorer
from deconvwidgets.widgets.messages import Request
from deconvwidgets.widgets.state import State, StateTrait

if TYPE_CHECKING:
    from deconvwidgets.instruments.layers.widget.explorer import LayerExplorer

_FIGURES = {".png": "png", ".svg": "svg", ".pdf": "pdf", ".html": "html"}


class EvolutionExplorer(Explorer):
    """Features as they come to be in training: units at every checkpoint (Zeiler & Fergus 2014, figure 4).

    Each row is a unit, each column a checkpoint; a cell is the projection of the unit's strongest activation over the images at that
    checkpoint, with its patch. A frame marks where another image became the strongest. Above, how far each layer has converged,
    by epoch, and the training log if there is one. Checkpoints that are written while the widget is open appear as new columns.

    Parameters
    ----------
    checkpoints : Checkpoints, path, list of paths, or EvolutionService
        What `open_checkpoints` returns, or takes; or a service, such as `LocalEvolutionService` makes.
    images : ImageSet, optional
        The images, or what `open_images` takes. A service has them already.
    state : mapping, optional
        A state, or a part of one, as `explorer.state` returns it.
    height : int
        Height in CSS pixels. At widths below 900 pixels the selected unit is in a drawer over the rows.

    Attributes
    ----------
    service : EvolutionService
        The service that answers. One that the explorer has made for itself is closed with it.
    state : dict
        "choose" ("random", "changed" or "chosen"), "count" (units of each layer), "seed" and "units" (pairs of a layer and a unit): which
        units are shown; "layers": of which layers; "epoch" and "unit": the selected cell; "rank": its selected activation; "show"
        ("projections", "patches" or "both"); "measure" ("correlation", "same_strongest" or "cka").
    summary : dict
        The epochs that are ready, and for each layer how far it has converged at each of them. Read-only.

    Raises
    ------
    LayerError
        For an unknown layer or unit.
    ServiceError
        For any other invalid part of the state.
    TypeError
        For an unknown argument.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> explorer = dw.EvolutionExplorer("caltech14", dw.open_images("photos", limit=6), state={"seed": 3, "measure": "cka"})
    >>> explorer
    EvolutionExplorer(small convnet, epochs 0, 1, 2, 5, 10, 15, 20, 30)
    >>> explorer.service.wait().overview().ready
    (0, 1, 2, 5, 10, 15, 20, 30)
    >>> explorer.save("evolution.png").name
    'evolution.png'
    >>> explorer.layer_explorer(epoch=5, layer="conv2")
    LayerExplorer(small convnet, epoch 5, conv2, unit 47)
    >>> explorer.close()
    """

    FRONT_END = "evolution"
    MESSAGES = MESSAGES
    SERVICE = EvolutionService
    SERVICE_EXAMPLE = "checkpoints and images, or an evolution service, such as dw.LocalEvolutionService(checkpoints, images)"
    HAS_MODEL = False
    HANDLERS = HANDLERS
    EVENTS = frozenset({"evolution", "progress"})
    SUMMARY_EVENTS = frozenset({"evolution", "changed"})
    FILES: ClassVar[Mapping[str, str]] = {**{suffix: f"evolution.{kind}" for suffix, kind in _FIGURES.items()}, ".csv": "cells.csv"}

    _service: EvolutionService
    _own_service: EvolutionService | None = None
    _epoch_below: int | None = None  # the epoch of the LayerExplorer below this view
    state = StateTrait(MESSAGES).tag(sync=True)

    def __init__(
        self, checkpoints: Any, images: Any = None, state: Mapping[str, Any] | None = None, height: int = 880, **options: Any
    ) -> None:
        service = checkpoints
        if not isinstance(checkpoints, EvolutionService):
            self._own_service = service = _make_service(checkpoints, images)
        elif images is not None:
            raise ServiceError("An evolution service has its images already: give either checkpoints and images, or the service alone.")
        try:
            super().__init__(service, state, height=height, **options)
        except BaseException:
            self._close_own_service()
            raise

    @property
    def service(self) -> EvolutionService:
        """The service that answers."""
        return self._service

    def close(self) -> None:
        """Unsubscribe from the service and remove every view. A service that the explorer has made for itself is closed."""
        super().close()
        self._close_own_service()

    def layer_explorer(self, epoch: int | None = None, layer: str | None = None, unit: int | None = None) -> LayerExplorer:
        """Return a LayerExplorer of the model at an epoch.

        Parameters
        ----------
        epoch : int, optional
            The epoch of a checkpoint whose index is ready; by default the selected one.
        layer : str, optional
        unit : int, optional
            The unit to open; by default the selected one.

        Raises
        ------
        ServiceError
            For an epoch without an index.
        LayerError
            For an unknown layer or unit.
        """
        self._reset_lost()
        selected = self.state["unit"] or self._first_unit() or (None, None)
        chosen = {"layer": selected[0] if layer is None else layer}
        if unit is not None or layer is None:
            chosen["unit"] = selected[1] if unit is None else unit
        return self._layers_at(self._epoch(epoch), {key: value for key, value in chosen.items() if value is not None})

    def save(self, path: str | Path, what: Literal["units", "convergence"] = "units") -> Path:
        """Save the rows as PNG, SVG, PDF or a standalone HTML page, after figure 4 of the paper, or a table as CSV; by the suffix.

        Parameters
        ----------
        path : str or path
            The file.
        what : {"units", "convergence"}
            The units that are shown, or how far each layer has converged by epoch, which is a CSV.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        ServiceError
            For another suffix, if the file cannot be written, or before an index is ready.
        """
        one_of(what, "what", ("units", "convergence"))
        kinds = None if what == "units" else {".csv": "convergence.csv"}
        return self._save(path, lambda kind: self._figure(kind, self.state), kinds)

    def __repr__(self) -> str:
        overview = self._service.overview()
        numbers = ", ".join(str(column.epoch) for column in overview.epochs)
        return f"EvolutionExplorer({overview.name}, {f'{overview.unit}s {numbers}' if numbers else 'no checkpoint yet'})"

    def _check_state(self, state: Mapping[str, Any], current: Mapping[str, Any]) -> State:
        return checked_state(state, current, self._service.overview())

    def _summarize(self) -> State:
        overview, measure = self._service.overview(), self.state["measure"]
        summary: State = {"epochs": list(overview.ready), "epoch": self._shown_epoch(), "measure": measure, "layers": {}}
        if not overview.ready:
            return summary
        curves = self._service.convergence(measure)
        layers = {curve.layer: {"values": list(curve.values), "reached": curve.reached} for curve in curves.curves}
        return {**summary, "epochs": list(curves.epochs), "layers": layers}

    def _figure(self, kind: Any, state: Mapping[str, Any]) -> bytes:
        return self._service.figure(kind, {**DEFAULTS, **state, "epoch": self._shown_epoch()})

    def _static_image(self) -> bytes | None:
        overview = self._service.overview()
        if not overview.ready:
            return None
        return self._cached_image((overview.ready, repr(self.state)), lambda: self._figure("explorer.png", self.state))

    def _shown_epoch(self) -> int | None:
        overview = self._service.overview()
        chosen = self.state["epoch"]
        known = [column.epoch for column in overview.epochs]
        if chosen in known:
            return int(chosen)
        return next(reversed(overview.ready), None)

    def _epoch(self, epoch: int | None) -> int:
        """Return an epoch whose index is ready. Raises ServiceError for any other."""
        chosen = self._shown_epoch() if epoch is None else integer(epoch, "epoch", 0)
        ready = self._service.overview().ready
        if chosen not in ready:
            listed = f"those of the epochs {', '.join(map(str, ready))} are" if ready else "none is"
            raise ServiceError(f"Epoch {chosen} has no index that is ready; {listed}.")
        return int(chosen)

    def _first_unit(self) -> tuple[str, int] | None:
        rows = self._service.rows(unit_choice(self.state))
        return (rows[0].layer, rows[0].unit) if rows else None

    def _layers_at(self, epoch: int, state: Mapping[str, Any]) -> LayerExplorer:
        package = import_module("deconvwidgets")  # when it is asked for: a widget imports neither models nor other instruments' widgets
        bundle, images, index = self._service.model(epoch)
        explorer: LayerExplorer = package.LayerExplorer(package.LocalModelService(bundle, images, index=index), state=state)
        return explorer

    def _open_below(self, kind: type[Explorer], service: Any, state: Mapping[str, Any]) -> Explorer:
        """Return the LayerExplorer for a view below this one, of the model at the epoch of `state`. The one of before is closed."""
        if kind.__name__ != "LayerExplorer":
            raise ServiceError(f"The {kind.__name__} shows one model: this widget has one for each epoch.")
        epoch = self._epoch(Request(state).integer("epoch"))
        opened = {key: value for key, value in state.items() if key != "epoch"}
        with self._making:
            if self._opened is None:
                raise ServiceError("This widget was closed: run its cell again.")
            key = (kind, id(service))
            before = self._opened.get(key)
            if before is not None and self._epoch_below == epoch:
                before.state = opened
                return before
            self._opened[key], self._epoch_below = self._layers_at(epoch, opened), epoch
            if before is not None:
                before.close()
            return self._opened[key]

    def _close_own_service(self) -> None:
        service, self._own_service = self._own_service, None
        if service is not None:
            service.close()


def _make_service(checkpoints: Any, images: Any) -> EvolutionService:
    if images is None:
        raise ServiceError(f"EvolutionExplorer needs {EvolutionExplorer.SERVICE_EXAMPLE}, not a {type(checkpoints).__name__} alone.")
    package = import_module("deconvwidgets")  # when it is needed: a widget imports no torch
    is_set = isinstance(checkpoints, package.Checkpoints)  # which may be empty as yet
    if not is_set and (not isinstance(checkpoints, str | PathLike | list | tuple) or not checkpoints):
        raise ServiceError(f"checkpoints must be what dw.open_checkpoints returns, a folder or files, not {describe(checkpoints)}.")
    opened = checkpoints if is_set else package.open_checkpoints(checkpoints)
    service: EvolutionService = package.LocalEvolutionService(opened, package.open_images(images))
    return service
