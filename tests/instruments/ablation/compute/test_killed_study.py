"""A study whose process is killed in the middle of a run, and resumed by the same call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import deconvwidgets as dw
from tests.instruments.ablation.compute.killed_study import SPECS

ROOT = Path(__file__).parents[4]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the study is killed in a forked process")
def test_a_killed_study_is_resumed_to_the_same_weights_and_table(coloured_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.instruments.ablation.compute.killed_study", str(coloured_folder), str(tmp_path)]
    left = json.loads(subprocess.run(command, cwd=ROOT, check=True, timeout=500, stdout=subprocess.PIPE).stdout)
    assert left == {"phases": ["complete", "interrupted"], "epoch": 1, "trained": False}
    killed, whole = (dw.AblationStudy(tmp_path / name, SPECS) for name in ("killed", "whole"))
    for one, other in zip(killed.runs, whole.runs, strict=True):
        assert replace(one, folder="", images_per_second=None) == replace(other, folder="", images_per_second=None)
        states = [study.checkpoints(one.variant).bundle(3).model.state_dict() for study in (killed, whole)]
        assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    tables = [study.to_dataframe().drop(columns=["images_per_second", "images_per_second_std"]) for study in (killed, whole)]
    assert tables[0].equals(tables[1])
