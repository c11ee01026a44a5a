"""Trainings in processes of their own: killed and resumed, and several at once."""

import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

import deconvwidgets as dw
from deconvwidgets.checkpoints.log_file import read_log
from deconvwidgets.errors import TrainingError
from tests.instruments.training.compute import training_script

SCRIPT = str(Path(training_script.__file__))


@pytest.fixture(scope="module")
def alone(coloured_folder, tmp_path_factory):
    """The folder of an uninterrupted training in one process."""
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, SCRIPT, coloured_folder, folder], check=True, timeout=200)
    return folder


def without_times(folder):
    return [replace(epoch, seconds=None, images_per_second=None) for epoch in read_log(folder).epochs]


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed_it_gives_the_same_weights_and_log(alone, coloured_folder, tmp_path):
    """The first kill may come before anything else is written than the log, the second at a random moment."""
    moments = random.Random(1)
    kills = 0
    while kills < 2:
        process = subprocess.Popen([sys.executable, SCRIPT, coloured_folder, tmp_path, "0.1"])
        deadline = time.monotonic() + 100
        while process.poll() is None and not (tmp_path / "log.jsonl").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(moments.uniform(0, 3) if kills else 0)
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        kills += 1
    assert kills >= 1
    subprocess.run([sys.executable, SCRIPT, coloured_folder, tmp_path], check=True, timeout=200)
    for name in ("state.safetensors", *(f"epoch-{epoch:04}.safetensors" for epoch in (0, 1, 2, 4))):
        expected, got = load_file(alone / name), load_file(tmp_path / name)
        assert expected.keys() == got.keys()
        assert all(torch.equal(value, got[key]) for key, value in expected.items()), name
    assert without_times(tmp_path) == without_times(alone)


@pytest.mark.slow
def test_two_processes_of_torchrun_give_the_loss_curve_of_one(alone, coloured_folder, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", SCRIPT, coloured_folder, tmp_path]
    subprocess.run(command, check=True, timeout=300)
    assert len(read_log(tmp_path).epochs) == 5
    for one, two in zip(read_log(alone).epochs, read_log(tmp_path).epochs, strict=True):
        assert two.validation_loss == pytest.approx(one.validation_loss, rel=1e-4)
        assert two.train_loss == (None if one.train_loss is None else pytest.approx(one.train_loss, rel=1e-4))
        assert two.train_top1 == one.train_top1
    assert dw.open_checkpoints(tmp_path, build=training_script.with_dropout(3)).epochs == (0, 1, 2, 4)


def test_ray_that_does_not_start_fails_the_training_in_our_words(coloured_folder, tmp_path, monkeypatch):
    pytest.importorskip("ray.train")

    def init(**options):
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr("deconvwidgets.compute.ray_cluster.import_ray", lambda: SimpleNamespace(is_initialized=lambda: False, init=init))
    with pytest.raises(TrainingError, match=r"Ray cannot be started on this machine \(The current node timed out.*torchrun"):
        dw.train(
            training_script.with_dropout, dw.open_images(coloured_folder), out=tmp_path, input_size=24, epochs=4, batch_size=14,
            device="cpu", progress=False, engine="ray", workers=2,
        )  # fmt: skip
