"""The steps of a training as lines to draw: each fold's attempts one after another, the newest fold in full, a few before it faint."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from deconvwidgets.instruments.transfer.records import HeadStep

EARLIER_FOLDS = 4  # are drawn beside the newest: of more, a reader tells none apart, and the page has to draw them again each time


@dataclass(slots=True)
class Line:
    """Points of one colour; all in percent but the loss, None where a line breaks or nothing was measured."""

    steps: list[int | None] = field(default_factory=list)
    loss: list[float | None] = field(default_factory=list)
    train: list[float | None] = field(default_factory=list)
    held_out: list[float | None] = field(default_factory=list)

    def add(self, at: int, step: HeadStep) -> None:
        """One more point."""
        self.steps.append(at)
        self.loss.append(step.loss)
        self.train.append(100 * step.train_accuracy)
        self.held_out.append(None if step.validation_accuracy is None else 100 * step.validation_accuracy)

    def extend(self, other: Line) -> None:
        """Another line's points, after a gap."""
        gap = [None] if self.steps else []
        self.steps += [*gap, *other.steps]
        self.loss += [*gap, *other.loss]
        self.train += [*gap, *other.train]
        self.held_out += [*gap, *other.held_out]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One head's training within a fold: with a weight decay that is tried, or (`final`) on all of the fold's training images."""

    fold: int
    weight_decay: float
    final: bool
    line: Line


def attempts_of(steps: Iterable[HeadStep]) -> list[Attempt]:
    """The steps in their order, cut where another head begins. A fold's steps count on from one attempt to the next."""
    found: list[Attempt] = []
    at = 0
    last = -1
    for step in steps:
        final = step.validation_accuracy is None
        now = (step.fold, step.weight_decay, final)
        same = found and (found[-1].fold, found[-1].weight_decay, found[-1].final) == now and step.step > last
        if not same:
            at = 0 if not found or found[-1].fold != step.fold else at
            found.append(Attempt(*now, Line()))
        at, last = at + 1, step.step
        found[-1].line.add(at, step)
    return found


@dataclass(frozen=True, slots=True)
class TrainingLines:
    """What the chart draws of a run: lines of the newest fold by what was tried, and the few folds before it as one."""

    fold: int | None  # the newest; None before the first step
    tried: tuple[tuple[float, Line], ...]  # (weight decay, line), in the order of trying
    final: Line
    earlier: Line


def training_lines(steps: Sequence[HeadStep]) -> TrainingLines:
    """The steps of a run so far, which come fold by fold, arranged to be drawn."""
    newest = steps[-1].fold if steps else None
    oldest = 0 if newest is None else newest - EARLIER_FOLDS
    attempts = attempts_of(steps[bisect_left(steps, oldest, key=lambda step: step.fold) :])
    tried: dict[float, Line] = {}
    final, earlier = Line(), Line()
    for attempt in attempts:
        if attempt.fold != newest:
            earlier.extend(attempt.line)
        elif attempt.final:
            final.extend(attempt.line)
        else:
            tried.setdefault(attempt.weight_decay, Line()).extend(attempt.line)
    return TrainingLines(newest, tuple(tried.items()), final, earlier)
