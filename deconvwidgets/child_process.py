"""Processes of Python that end when the process that started them ends, also when that one is killed.

The parent holds one end of a pipe and never writes to it. The operating system closes it with the parent, however the parent ends, and a
thread of the child that waits at the other end then sends the child SIGTERM, which lets a server stop its own children.

This file is also the script that the child runs first. It imports only the standard library.
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_GRACE_SECONDS = 20.0  # a child that is still there so long after SIGTERM ends at once


def start_module(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path | None = None,
    output: IO[bytes] | None = None,
    own_session: bool = False,
) -> subprocess.Popen[bytes]:
    """Start `python -m module arguments...`. The process ends when this one ends, or when the returned object is deleted.

    Parameters
    ----------
    module : str
        The name of the module. It is not looked for in the working directory.
    arguments : sequence of str
        Its arguments.
    environment : mapping of str to str
        All environment variables.
    folder : pathlib.Path, optional
        The working directory; by default that of this process.
    output : binary file, optional
        Where its output and its errors go; by default where those of this process go.
    own_session : bool
        Whether the process gets a session of its own, so that Ctrl-C in the terminal does not reach it.

    Returns
    -------
    subprocess.Popen
        The process. Its standard input is empty.
    """
    return subprocess.Popen(
        [sys.executable, "-P", __file__, module, *arguments],  # -P: the folder of this file is no place of modules
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        env=dict(environment),
        cwd=folder,
        start_new_session=own_session,
    )


def _wait_for_the_parent(pipe: int) -> None:
    while os.read(pipe, 1):  # b"" once no process has the other end
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)


def _main() -> None:
    pipe = os.dup(0)  # not inherited by the child's own children
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_wait_for_the_parent, args=(pipe,), daemon=True).start()
    module = sys.argv[1]
    del sys.argv[1]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
