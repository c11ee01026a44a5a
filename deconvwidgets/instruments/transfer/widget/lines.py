"""The training steps of a run as lines of a chart: the attempts of each fold one after the other."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from deconvwidgets.instruments.transfer.records import HeadStep

EARLIER_FOLDS = 4  # number of folds that are drawn besides the newest one


@dataclass(slots=True)
class Line:
    """Points of one color. Accuracies are in percent; None breaks a line, and stands for values that were not measured."""

    steps: list[int | None] = field(default_factory=list)
    loss: list[float | None] = field(default_factory=list)
    train: list[float | None] = field(default_factory=list)
    held_out: list[float | None] = field(default_factory=list)

    def add(self, number: int, step: HeadStep) -> None:
        """Add a point for step `number` of the fold."""
        self.steps.append(number)
        self.loss.append(step.loss)
        self.train.append(100 * step.train_accuracy)
        self.held_out.append(None if step.validation_accuracy is None else 100 * step.validation_accuracy)

    def extend(self, other: Line) -> None:
        """Add the points of another line, after a break."""
        gap = [None] if self.steps else []
        self.steps += [*gap, *other.steps]
        self.loss += [*gap, *other.loss]
        self.train += [*gap, *other.train]
        self.held_out += [*gap, *other.held_out]


@dataclass(frozen=True, slots=True)
class Attempt:
    """The training of one head in a fold: with a candidate weight decay, or (`final`) on all training images of the fold."""

    fold: int
    weight_decay: float
    final: bool
    line: Line


def split_attempts(steps: Iterable[HeadStep]) -> list[Attempt]:
    """Split steps into attempts. The steps of a fold are counted across its attempts."""
    attempts: list[Attempt] = []
    number, last = 0, -1
    for step in steps:
        key = (step.fold, step.weight_decay, step.validation_accuracy is None)
        current = attempts[-1] if attempts else None
        if current is None or (current.fold, current.weight_decay, current.final) != key or step.step <= last:
            number = number if current is not None and current.fold == step.fold else 0
            attempts.append(Attempt(*key, Line()))
        number, last = number + 1, step.step
        attempts[-1].line.add(number, step)
    return attempts


@dataclass(frozen=True, slots=True)
class TrainingLines:
    """The lines of a run. Steps of a final head are counted from 0, those of the search across its candidates.

    Attributes
    ----------
    fold : int or None
        The newest fold; None before the first step.
    candidates : tuple
        (weight decay, line) of the candidates of the newest fold, in the order of their training.
    final_fold : int or None
        The newest fold with a final head, trained on all training images of the fold.
    final : Line
        This final head.
    earlier : tuple of Line
        The final heads of the folds before it.
    """

    fold: int | None
    candidates: tuple[tuple[float, Line], ...]
    final_fold: int | None
    final: Line
    earlier: tuple[Line, ...]


def training_lines(steps: Sequence[HeadStep]) -> TrainingLines:
    """Return the lines of a run; its steps are in the order of the folds."""
    newest = steps[-1].fold if steps else None
    oldest = 0 if newest is None else newest - EARLIER_FOLDS
    candidates: dict[float, Line] = {}
    finals: dict[int, Line] = {}
    for attempt in split_attempts(steps[bisect_left(steps, oldest, key=lambda step: step.fold) :]):
        if attempt.final:
            finals[attempt.fold] = _counted_from_zero(attempt.line)
        elif attempt.fold == newest:
            candidates.setdefault(attempt.weight_decay, Line()).extend(attempt.line)
    final_fold = max(finals, default=None)
    final = Line() if final_fold is None else finals.pop(final_fold)
    return TrainingLines(newest, tuple(candidates.items()), final_fold, final, tuple(finals.values()))


def _counted_from_zero(line: Line) -> Line:
    return Line(list(range(len(line.steps))), line.loss, line.train, line.held_out)
