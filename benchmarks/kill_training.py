"""Kill a training with SIGKILL at random moments, and compare what it ends with to an uninterrupted one, bit for bit.

    python benchmarks/kill_training.py [--kills 30] [--seed 0]

One line per kill: how long the process had run, and how far the training was. A training that ends is compared with the uninterrupted one
(weights, optimiser, checkpoints, log without times), and the next one begins, until there have been enough kills. The exit code is 1 if any
differs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parent.parent))

from deconvwidgets.checkpoints.log_file import read_log
from deconvwidgets.records.training_log import EpochLog
from tests.instruments.training.compute import training_script
from tests.instruments.training.compute.conftest import draw_classes


def start(images: Path, folder: Path, pause: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(training_script.__file__), str(images), str(folder), str(pause)])


def wait_for_training(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Return once the process trains, or has ended: importing takes longer than the training itself."""
    while process.poll() is None:
        progress = read_log(folder).progress if folder.exists() else None
        if progress is not None and progress.process == process.pid:
            return
        time.sleep(0.01)


def log_of(folder: Path) -> Sequence[EpochLog]:
    return [replace(epoch, seconds=None, images_per_second=None) for epoch in read_log(folder).epochs]


def is_equal(folder: Path, whole: Path) -> bool:
    """Return whether all tensors and the log of two folders are equal."""
    names = sorted(path.name for path in whole.glob("*.safetensors"))
    if names != sorted(path.name for path in folder.glob("*.safetensors")) or log_of(folder) != log_of(whole):
        return False
    for name in names:
        one, other = load_file(folder / name), load_file(whole / name)
        if one.keys() != other.keys() or not all(torch.equal(value, other[key]) for key, value in one.items()):
            return False
    return True


def kill(folder: Path, kills: int, seed: int) -> int:
    """Run the experiment in a folder and return the exit code."""
    images, whole = draw_classes(folder / "images"), folder / "whole"
    process = start(images, whole, 0.05)
    wait_for_training(process, whole)
    started = time.monotonic()
    process.wait()
    seconds = time.monotonic() - started
    print(f"uninterrupted: {seconds:.1f} s of training, {len(log_of(whole)) - 1} epochs", flush=True)
    generator, killed, trainings, equal = np.random.default_rng(seed), 0, 0, 0
    while killed < kills:
        trainings += 1
        here = folder / f"training-{trainings}"
        while True:
            process = start(images, here, 0.05)
            if killed < kills and generator.random() < 0.9:  # else also while it starts
                wait_for_training(process, here)
            life = generator.uniform(0, 0.5) * seconds
            try:
                process.wait(life if killed < kills else None)
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed += 1
                progress = read_log(here).progress if here.exists() else None
                at = "nothing was written" if progress is None else f"epoch {progress.epoch}, step {progress.step} of {progress.steps}"
                print(f"kill {killed}: {life:.1f} s later; {at}", flush=True)
        same = process.returncode == 0 and is_equal(here, whole)
        equal += same
        print(f"training {trainings} ended: {'equal to' if same else 'DIFFERENT from'} the uninterrupted one", flush=True)
    print(f"{killed} kills; {equal} of {trainings} trainings are equal, bit for bit")
    return 0 if equal == trainings else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        return kill(Path(name), options.kills, options.seed)


if __name__ == "__main__":
    sys.exit(main())
