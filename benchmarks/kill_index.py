"""Kill the building of an index 50 times with SIGKILL, at random moments, and compare the finished files with an uninterrupted run's.

Run it with `python benchmarks/kill_index.py [--kills 50] [--photographs 3000] [--seed 0]`. One line per kill: how long the process had been
building, how many crops the last commit has, and whether the kill hit the writing of a commit. A build that ends is compared with the
uninterrupted one byte by byte, and the next one begins, until there have been enough kills. The exit code is 1 if any file differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.index.killed_build import Builder, write_photographs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--photographs", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        write_photographs(Path(name) / "photographs", options.photographs)
        with Builder(Path(name) / "photographs") as builder:
            return kill(builder, Path(name), options.kills, options.photographs, options.seed)


def kill(builder: Builder, folder: Path, kills: int, count: int, seed: int) -> int:
    """Run the experiment in a folder and return the exit code."""
    whole = folder / "whole.index"
    seconds = builder.build(whole).seconds
    print(f"uninterrupted: {count} photographs in {seconds:.1f} s, {whole.stat().st_size / 1e6:.2f} MB", flush=True)
    generator, killed, writing, builds, equal = np.random.default_rng(seed), 0, 0, 0, 0
    while killed < kills:
        builds += 1
        path, before = folder / f"{builds}.index", 0
        while not path.exists():
            life = generator.uniform(0, 0.5 * seconds) if killed < kills else None
            left = builder.build(path, life)
            if not left.killed:
                continue
            killed, writing = killed + 1, writing + left.writing
            assert left.crops >= before, "the last commit was lost"
            before = left.crops
            note = ", while a commit was written" if left.writing else ""
            print(
                f"kill {killed}: {left.seconds:.3f} s after the start; the last commit has {left.crops} of {count} crops{note}", flush=True
            )
        same = path.read_bytes() == whole.read_bytes()
        equal += same
        print(f"build {builds} ended: {'equal to' if same else 'DIFFERENT from'} the uninterrupted one, byte by byte", flush=True)
    left_over = sorted(path.name for path in folder.iterdir() if ".part" in path.name)
    print(f"{killed} kills, {writing} of them while a commit was written; {equal} of {builds} finished files are equal")
    print(f"files left over: {left_over or 'none'}")
    return 0 if equal == builds and not left_over else 1


if __name__ == "__main__":
    sys.exit(main())
