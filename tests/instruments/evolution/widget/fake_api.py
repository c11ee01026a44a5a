"""A fake evolution service without a model: its pictures are gratings, and it records its calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from deconvwidgets.errors import LayerError, ServiceError
from deconvwidgets.instruments.evolution.records import (
    CellPicture,
    CellPicturesRequest,
    ConvergenceCurve,
    ConvergenceCurves,
    EpochColumn,
    EvolutionCell,
    EvolutionLayer,
    EvolutionOverview,
    EvolutionRow,
    UnitChoice,
    UnitHistory,
)
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.progress import Progress
from deconvwidgets.records.training_log import EpochLog, TrainingLog
from deconvwidgets.service.events import Events
from deconvwidgets.service.open_widgets import OpenWidgets
from deconvwidgets.service.protocol import ServiceEvent
from tests.widgets.fake_service import FakeService, encode, grating

DEAD = 3  # of each layer
LAYERS = (("conv1", 24, (7, 7)), ("conv2", 60, (15, 15)), ("conv3", 60, (31, 31)), ("conv4", 60, None))


def column(epoch: int, state: Any = "ready", **fields: Any) -> EpochColumn:
    return EpochColumn(epoch=epoch, label="", state=state, trained=epoch > 0, **fields)


class FakeEvolutionService:
    """Implements `EvolutionService`. Unit 3 of each layer is dead; the strongest image of a unit changes at odd positions."""

    def __init__(self, epochs: Sequence[int] = (0, 1, 2, 5, 10, 20, 30), layers: int = 2) -> None:
        self.columns = [column(epoch) for epoch in epochs]
        self.layer_infos = [
            EvolutionLayer(name=f"features.{name}", short_name=name, units=units, receptive_field=field)
            for name, units, field in LAYERS[:layers]
        ]
        self.calls: list[tuple[str, Any]] = []
        self.events = Events()
        self.open_widgets = OpenWidgets()
        self.error: Exception | None = None
        self.with_log = True
        self.name, self.label = "fakenet", "bee"
        self.panes = FakeService()
        self.closed = False
        self.unit: Any = "epoch"

    @property
    def ready(self) -> list[int]:
        return [one.epoch for one in self.columns if one.state == "ready"]

    def subscribe(self, listener: Callable[[ServiceEvent], None], kinds: Collection[str] | None = None) -> Callable[[], None]:
        return self.events.subscribe(listener, kinds)

    def overview(self) -> EvolutionOverview:
        return EvolutionOverview(
            version=1,
            name=self.name,
            weights="from scratch",
            images="gratings",
            photographs=40,
            crops=40,
            sampled=40,
            unit=self.unit,
            epochs=tuple(self.columns),
            layers=tuple(self.layer_infos) if self.ready else (),
            input_size=(3, 64, 64),
            device="cpu",
            live=True,
            log=TrainingLog(epochs=tuple(map(logged, range(31)))) if self.with_log else None,
            skipped=(SkippedImage("broken.jpg", "it is truncated"),),
            notes=("Measures are over 40 crops.",),
        )

    def rows(self, choice: UnitChoice) -> list[EvolutionRow]:
        self._record("rows", choice)
        rows: list[EvolutionRow] = []
        for layer in self.layer_infos if self.ready else ():
            if choice.layers and layer.short_name not in choice.layers:
                continue
            units = [unit for name, unit in choice.units if name == layer.short_name]
            if choice.choose != "chosen":
                units = [(choice.seed + DEAD + number) % layer.units for number in range(min(choice.count, layer.units))]
            rows += [self._row(layer.short_name, unit) for unit in units]
        return rows

    def _row(self, layer: str, unit: int) -> EvolutionRow:
        cells = tuple(self._cell(unit, position, epoch) for position, epoch in enumerate(self.ready))
        return EvolutionRow(layer=layer, unit=unit, cells=cells)

    def _cell(self, unit: int, position: int, epoch: int) -> EvolutionCell:
        image, label, source = (None, None, "") if unit == DEAD else (position, self.label, f"photograph-{position}.jpg")
        value = 0.0 if unit == DEAD else 4.0 + unit % 3 + position
        changed = unit != DEAD and position % 2 == 1
        return EvolutionCell(epoch=epoch, value=value, image=image, source=source, label=label, row=0, column=0, box=None, changed=changed)

    def cell_pictures(self, request: CellPicturesRequest) -> list[CellPicture]:
        self._record("cells", request)
        pictures = []
        for key in request.cells:
            if key.epoch not in self.ready:
                raise ServiceError(f"Epoch {key.epoch} has no index.")
            angle = key.unit + 0.2 * self.ready.index(key.epoch)
            shown = {
                "projection": encode(grating(angle, request.tile, signed=True)) if "projections" in request.parts else None,  # type: ignore[arg-type]
                "patch": encode(grating(angle, request.tile, signed=False)) if "patches" in request.parts else None,  # type: ignore[arg-type]
            }
            pictures.append(CellPicture(key=key, **({} if key.unit == DEAD else shown), reason="inactive" if key.unit == DEAD else ""))
        return pictures

    def convergence(self, measure: Any = "correlation") -> ConvergenceCurves:
        self._record("convergence", measure)
        ready = self.ready
        curves = []
        for number, layer in enumerate(self.layer_infos):
            speed = 6.0 * (number + 1)
            values = [
                1.0 if epoch == ready[-1] else (0.8 - 0.15 * number) + (0.19 + 0.14 * number) * (1 - math.exp(-epoch / speed))
                for epoch in ready
            ]
            reached = next((epoch for epoch, value in zip(ready, values, strict=True) if value >= 0.9), None)
            left_out = tuple(1 for _ in ready)
            curves.append(
                ConvergenceCurve(layer=layer.short_name, values=tuple(values), left_out=left_out, reached=reached, units=layer.units)
            )
        against = ready[-1] if ready else None
        return ConvergenceCurves(
            measure=measure, epochs=tuple(ready), against=against, curves=tuple(curves), samples=40, note="Over 40 crops."
        )

    def history(self, layer: str, unit: int) -> UnitHistory:
        self._record("history", (layer, unit))
        units = {info.short_name: info.units for info in self.layer_infos}
        if not 0 <= unit < units.get(layer, 0):
            raise LayerError(f"There is no unit {unit} of {layer}.")
        cells = self._row(layer, unit).cells
        count = len(cells)
        return UnitHistory(
            layer=layer,
            unit=unit,
            epochs=tuple(cell.epoch for cell in cells),
            values=tuple(cell.value for cell in cells),
            changed=tuple(cell.changed for cell in cells),
            final=tuple(0 if unit == DEAD else round(9 * (position + 1) / count) for position in range(count)),
            final_of=0 if unit == DEAD else 9,
            correlation=(1.0,) * count,
            activation_rate=(0.5,) * count,
            classes=((),) * count,
        )

    def layers_of(self, epoch: int) -> FakeService:
        self._record("layers_of", epoch)
        if epoch not in self.ready:
            raise ServiceError(f"Epoch {epoch} has no index.")
        return self.panes

    def model(self, epoch: int) -> tuple[Any, Any, Any]:
        raise ServiceError("There is no model.")

    def figure(self, kind: str, state: Mapping[str, Any]) -> bytes:
        self._record("figure", (kind, dict(state)))
        return encode(grating(1, 16, signed=True)).data if kind.endswith(".png") else b"<figure>" + kind.encode()

    def refresh(self) -> tuple[int, ...]:
        return ()

    def cancel(self) -> None:
        self._record("cancel", None)

    def resume(self) -> None:
        self._record("resume", None)

    def wait(self, timeout: float | None = None) -> FakeEvolutionService:
        return self

    def close(self) -> None:
        self.closed = True

    def publish(self, kind: Any, progress: Progress | None = None, message: str = "") -> None:
        self.events.publish(ServiceEvent(kind, progress, message))

    def add(self, new: EpochColumn) -> None:
        """Add a column, or replace that of its epoch."""
        self.columns = sorted([*(one for one in self.columns if one.epoch != new.epoch), new], key=lambda one: one.epoch)
        self.events.publish(ServiceEvent("evolution"))

    def set(self, epoch: int, **changes: Any) -> None:
        self.add(replace(next(one for one in self.columns if one.epoch == epoch), **changes))

    def _record(self, kind: str, value: Any) -> None:
        self.calls.append((kind, value))
        if self.error:
            raise self.error


def logged(epoch: int) -> EpochLog:
    loss = 2.7 * math.exp(-epoch / 8)
    return EpochLog(
        epoch=epoch,
        train_loss=loss,
        validation_loss=0.4 + 0.85 * loss,
        validation_top1=0.1 + 0.75 * (1 - math.exp(-epoch / 6)),
        learning_rate=0.01 if epoch < 20 else 0.002,
    )
