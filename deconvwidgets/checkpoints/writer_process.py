"""Whether the process that wrote a file of a folder still runs."""

from __future__ import annotations

import psutil

_CLOCK_SECONDS = 60.0  # by which the start of a process and the time of a file, which may be on a server, disagree at most


def still_runs(process: int, moment: float) -> bool:
    """Return whether a process of this machine that wrote a file at a moment (seconds since 1970) still runs.

    Another one may have been given its number since, and one that has ended is a zombie until its parent waits for it.
    """
    try:
        found = psutil.Process(process)
        return bool(found.create_time() <= moment + _CLOCK_SECONDS and found.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # it exists, and tells nothing
        return True
