"""When the learning rate is annealed: when validation stalls."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

LOWEST = 1e-6  # of the first learning rate: smaller steps do not change the weights in float32


def annealed(learning_rate: float, factor: float, first: float) -> float:
    """Return a learning rate times a factor below 1, but not below `LOWEST` times the first one.

    Examples
    --------
    >>> annealed(1e-2, 0.1, first=1e-2), annealed(1e-8, 0.1, first=1e-2)
    (0.001, 1e-08)
    """
    return max(learning_rate * factor, min(learning_rate, LOWEST * first))


@dataclass(frozen=True, slots=True)
class Plateau:
    """The best validation so far, and for how many epochs it has not improved.

    An epoch improves if its loss or its error is lower than that of all epochs before. A loss of nan does not improve.
    """

    loss: float = math.inf
    error: float = math.inf
    stalled: int = 0

    def after(self, loss: float, error: float) -> Plateau:
        """Return the plateau after another epoch."""
        improved = loss < self.loss or error < self.error
        best = replace(self, loss=loss if loss < self.loss else self.loss, error=error if error < self.error else self.error)
        return replace(best, stalled=0 if improved else self.stalled + 1)

    def anneal(self, patience: int) -> tuple[bool, Plateau]:
        """Return whether the learning rate is to be annealed, and the plateau from which to go on counting."""
        return (True, replace(self, stalled=0)) if self.stalled >= patience else (False, self)
