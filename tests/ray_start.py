"""Starting nodes of Ray on a busy machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Started = TypeVar("Started")


def started(start: Callable[[], Started], after_failure: Callable[[], object] = lambda: None, trials: int = 5) -> Started:
    """Return what `start` returns. A node of Ray ends if its helpers do not start within 30 seconds, which cannot be set: try again."""
    for trials_left in reversed(range(trials)):
        try:
            return start()
        except Exception as error:
            if "timed out during startup" not in str(error) or not trials_left:
                raise
            after_failure()
    raise AssertionError
