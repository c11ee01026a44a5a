"""The progress of a long job."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long job is. `total` 0 means not known yet; `rate` is items per second."""

    job: str
    done: int
    total: int
    rate: float = 0.0
    message: str = ""

    @property
    def finished(self) -> bool:
        return self.total > 0 and self.done >= self.total
