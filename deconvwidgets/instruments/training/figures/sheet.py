"""The content of the figures of a training, and the text that describes it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from deconvwidgets.instruments.training.records import TrainingStatus, layers_of, update_ratios
from deconvwidgets.records.training_log import EpochLog, TrainingLog

Point = tuple[float, float]  # (epoch, value)


@dataclass(frozen=True, slots=True)
class Curve:
    """The values of one quantity by epoch. Those that were not measured, or are no numbers, are left out."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class TrainingSheet:
    """The content of the figures of a training."""

    status: TrainingStatus
    log: TrainingLog

    def title(self) -> str:
        """Return the model and the images."""
        plan = self.status.plan
        if plan is None:
            return f"Training in {self.status.folder}"
        return plan.model if plan.images is None else f"{plan.model} trained on {plan.images}"

    def subtitle(self) -> str:
        """Return how far the training is."""
        progress, last = self.status.progress, self.log.epochs[-1]
        total = progress.epochs if progress is not None else self.status.plan.epochs if self.status.plan is not None else 0
        of = f" of {total}" if total else ""
        state = {"new": "", "recorded": ""}.get(self.status.phase, self.status.phase)
        return ", ".join(part for part in (f"epoch {last.epoch}{of}", state) if part)

    def losses(self) -> list[Curve]:
        """Return the training and the validation loss."""
        return self._curves(("training", lambda entry: entry.train_loss), ("validation", lambda entry: entry.validation_loss))

    def errors(self) -> list[Curve]:
        """Return the top-1 and the top-5 error in percent, as the paper counts."""
        return self._curves(
            ("training, top-1", lambda entry: _error(entry.train_top1)),
            ("validation, top-1", lambda entry: _error(entry.validation_top1)),
            ("training, top-5", lambda entry: _error(entry.train_top5)),
            ("validation, top-5", lambda entry: _error(entry.validation_top5)),
        )

    def learning_rates(self) -> list[Curve]:
        """Return the learning rate."""
        return self._curves(("learning rate", lambda entry: entry.learning_rate))

    def ratios(self) -> list[Curve]:
        """Return the RMS of each layer's update, divided by that of its weights."""
        found = [(entry.epoch, update_ratios(entry)) for entry in self.log.epochs]
        names = layers_of(self.log)
        called = self.status.layer_name
        curves = (
            Curve(called(name), tuple((float(epoch), ratios[name]) for epoch, ratios in found if ratios.get(name, 0.0) > 0))
            for name in names
        )
        return [curve for curve in curves if curve.points]

    def caption(self) -> str:
        """Return what was trained on what, and how the numbers are meant."""
        plan, parts = self.status.plan, []
        if plan is not None:
            parts.append(_counts(plan.training, plan.validation, len(plan.classes)))
            parts.append(", ".join(f"{part.name[0].lower()}{part.name[1:]} {part.value}" for part in plan.recipe))
        kept = ", ".join(map(str, self.status.checkpoints))
        parts += [f"Checkpoints of the epochs {kept}" if kept else "", "Losses and errors are means over an epoch"]
        return ". ".join(part[:1].upper() + part[1:] for part in parts if part) + ". After Zeiler & Fergus 2014, section 3."

    def _curves(self, *columns: tuple[str, Callable[[EpochLog], float | None]]) -> list[Curve]:
        found = []
        for name, value_of in columns:
            values = ((float(entry.epoch), value_of(entry)) for entry in self.log.epochs)
            points = tuple((epoch, value) for epoch, value in values if value is not None and math.isfinite(value))
            if points:
                found.append(Curve(name, points))
        return found


def _error(share: float | None) -> float | None:
    return None if share is None else 100 * (1 - share)


def _counts(training: int | None, validation: int | None, classes: int) -> str:
    if training is None:
        return ""
    held = f", {validation:,} held out for validation" if validation else ""
    return f"{training:,} training photographs of {classes:,} classes{held}"
