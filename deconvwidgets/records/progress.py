"""The progress of a long job."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a job. `total` is 0 while it is unknown; `rate` is in items per second."""

    job: str
    done: int
    total: int
    rate: float = 0.0
    message: str = ""

    @property
    def finished(self) -> bool:
        return self.total > 0 and self.done >= self.total
