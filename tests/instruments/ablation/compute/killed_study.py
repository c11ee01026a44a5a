"""A study that is killed in the middle of a run and resumed, beside one that is not: python -m ...killed_study IMAGES FOLDER.

It loads everything once and forks the process that is killed. What the killed study left behind is printed as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

import torch

import deconvwidgets as dw
from deconvwidgets.compute.job import JobContext
from deconvwidgets.instruments.ablation.compute.study_file import is_trained
from deconvwidgets.records.progress import Progress
from tests.instruments.ablation.conftest import net, study_of

SPECS = {"first": partial(net, hidden=False), "second": net}  # with dropout, in the one that is killed


def study(images: str, out: Path, job: JobContext | None = None) -> dw.AblationStudy:
    return study_of(dw.open_images(images), out, SPECS, seeds=1, epochs=3, state_seconds=0, job=job)


def killed_in_the_second_run(progress: Progress) -> None:
    """Kill this process in the middle of an epoch."""
    if progress.job.startswith("second, seed 0: training") and progress.message.startswith("epoch 2 of 3, step 2"):
        os.kill(os.getpid(), signal.SIGKILL)


def main(images: str, folder: Path) -> None:
    torch.set_num_threads(1)  # the threads of others would not be in the forked process
    process = os.fork()
    if process == 0:
        study(images, folder / "killed", JobContext(on_progress=killed_in_the_second_run))
        os._exit(0)
    assert os.waitpid(process, 0)[1] == signal.SIGKILL
    runs = dw.AblationStudy(folder / "killed").runs
    print(json.dumps({"phases": [run.phase for run in runs], "epoch": runs[-1].epoch, "trained": is_trained(folder / "killed")}))
    study(images, folder / "killed")
    study(images, folder / "whole")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
