"""A build of an index that is to be killed: a small network on generated photographs, which commits all the time.

`python -m tests.index.killed_build PHOTOGRAPHS PATH` builds, and prints "begin" when it starts. The photographs have copies and one that
cannot be read.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

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


@dataclass
class Killed:
    """What a killed process left behind."""

    number: int | None  # the signal; None if the build had ended before
    crops: int  # in the last commit
    writing: bool  # whether it was killed while it wrote a commit
    seconds: float  # since it had begun


def build(photographs: Path, path: Path, seconds: float | None = None, number: int = signal.SIGKILL) -> Killed:
    """Build the index in another process, and send it a signal some seconds after it has begun; let it end if `seconds` is None."""
    from deconvwidgets.index.commits import partial_path
    from deconvwidgets.index.index_file import read_index

    process = subprocess.Popen([sys.executable, "-m", "tests.index.killed_build", photographs, path], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"begin\n"
    began = time.monotonic()
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        code = process.wait(60)
    ended = time.monotonic()
    process.stdout.close()
    if code not in (0, -number):
        raise AssertionError(f"the build failed with code {code}")
    partial = partial_path(path)
    ranges = read_index(partial).manifest["crop_ranges"] if partial.exists() else []
    writing = partial.with_name(f".{partial.name}.part").exists()
    return Killed(-code if code else None, sum(stop - start for start, stop in ranges), writing, ended - began)


def _main(photographs: str, path: str) -> None:
    import torch

    import deconvwidgets as dw
    from deconvwidgets.index import commits
    from tests.conftest import make_tiny_bundle

    torch.set_num_threads(1)
    commits.MAX_SHARE = 0.5  # so that every second kill or so hits a commit
    bundle, images = make_tiny_bundle(), dw.open_images(photographs)
    print("begin", flush=True)
    dw.ActivationIndex.build(
        bundle, images, path=path, device="cpu", progress=False, batch_size=4, workers=0, samples=20, commit_seconds=0.001
    )


if __name__ == "__main__":
    os.chdir(ROOT)
    _main(*sys.argv[1:])
