"""Builds of an index that are to be killed: a small network on generated photographs, which commits all the time.

`Builder` starts one process that loads everything, and forks a process for each build, so that a kill costs no start of PyTorch.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

ROOT = Path(__file__).parents[2]


def write_photographs(folder: Path, count: int) -> None:
    """Write PNG files of noise, every tenth a copy of the one before, and one that is no PNG."""
    from PIL import Image

    folder.mkdir(parents=True)
    generator, pixels = np.random.default_rng(0), np.zeros((20, 20, 3), np.uint8)
    for number in range(count):
        if number % 10 != 9:
            pixels = generator.integers(0, 256, (20, 20, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:05}.png", compress_level=1)
    (folder / "broken.png").write_bytes(b"\x89PNG but not really")


@dataclass(frozen=True)
class Left:
    """What a build left behind.

    Parameters
    ----------
    killed : bool
        False if it had ended before.
    crops : int
        The crops of the last commit, if it was killed.
    writing : bool
        Whether it was killed while it wrote a commit.
    seconds : float
        How long it ran.
    """

    killed: bool
    crops: int
    writing: bool
    seconds: float


class Builder:
    """Builds indexes of photographs in processes of their own. A context manager."""

    def __init__(self, photographs: Path) -> None:
        command = [sys.executable, "-m", "tests.index.killed_build", str(photographs)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self._process.stdin
        assert self._process.stdout
        self._in, self._out = self._process.stdin, self._process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *arguments: object) -> None:
        self._in.close()
        self._process.wait(60)
        self._out.close()

    def build(self, path: Path, seconds: float | None = None) -> Left:
        """Build an index, and kill the process some seconds after it has begun; let it end if `seconds` is None."""
        from deconvwidgets.index.commits import partial_path
        from deconvwidgets.index.index_file import read_index

        self._in.write(f"{path}\n".encode())
        process, began, clock = int(self._out.readline()), time.monotonic(), time.time_ns()
        if not select.select([self._out], [], [], seconds)[0]:
            os.kill(process, signal.SIGKILL)
        code = int(self._out.readline())
        ran = time.monotonic() - began
        if code not in (0, -signal.SIGKILL):
            raise AssertionError(f"the build failed with code {code}")
        partial = partial_path(path)
        ranges = read_index(partial).manifest["crop_ranges"] if partial.exists() else []
        part = partial.with_name(f".{partial.name}.part")  # earlier ones leave it, too
        writing = part.exists() and part.stat().st_mtime_ns >= clock
        return Left(code != 0, sum(stop - start for start, stop in ranges), writing, ran)


def _serve(photographs: str) -> None:
    """Build an index at each path that is written to stdin. The number of the process and its exit code are printed."""
    import torch

    import deconvwidgets as dw
    from deconvwidgets.index import commits
    from tests.conftest import make_tiny_bundle

    torch.set_num_threads(1)  # the threads of others would not be in the forked processes
    commits.MAX_SHARE = 0.5  # so that a part of the kills hits commits
    bundle, images = make_tiny_bundle(), dw.open_images(photographs)
    _ = bundle.network, images.digest
    settings = {"device": "cpu", "progress": False, "batch_size": 4, "workers": 0, "samples": 20, "commit_seconds": 0.001}
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            code = 1
            try:
                dw.ActivationIndex.build(bundle, images, path=line.rstrip("\n"), **settings)
                code = 0
            finally:
                os._exit(code)
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
