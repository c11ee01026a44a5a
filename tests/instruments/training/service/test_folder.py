"""What a folder says of its training: where it runs, and whether its process is still there."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deconvwidgets.checkpoints.log_file import PROGRESS_FILE, append_epoch, request_stop, write_progress
from deconvwidgets.instruments.training.service.folder import GONE_SECONDS, QUIET_SECONDS, TrainingFolder
from deconvwidgets.records.training_log import EpochLog, TrainingProgress

HERE = socket.gethostname()


def write(folder: Path, state: str = "running", process: int | None = None, host: str = HERE) -> None:
    number = os.getpid() if process is None else process
    write_progress(folder, TrainingProgress(state=state, epoch=1, epochs=9, process=number, host=host))  # type: ignore[arg-type]


def test_the_phase_of_a_folder(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path / "run")
    assert (folder.read().phase, folder.read().exists) == ("new", False)
    folder.path.mkdir()
    assert (folder.read().phase, folder.read().exists) == ("new", True)
    append_epoch(folder.path, EpochLog(epoch=1, train_loss=2.0))
    assert folder.read().phase == "recorded"
    write(folder.path)
    assert folder.read().phase == "running"
    request_stop(folder.path)
    assert folder.read().phase == "stopping"
    for state in ("finished", "cancelled", "failed"):
        write(folder.path, state)
        assert folder.read().phase == state


@pytest.mark.parametrize("waited_for", [True, False])
def test_a_training_whose_process_is_gone_was_interrupted(tmp_path: Path, waited_for: bool) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    folder = TrainingFolder(tmp_path)
    write(tmp_path, process=process.pid)
    assert folder.read().phase == "running"
    process.kill()
    if waited_for:
        process.communicate()
    else:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and remains a zombie
    assert folder.read().phase == "interrupted"
    process.communicate()


def test_a_training_on_another_host_is_judged_by_its_silence(tmp_path: Path) -> None:
    now = [0.0]
    folder = TrainingFolder(tmp_path, clock=lambda: now[0])
    write(tmp_path, host="elsewhere", process=2**22 + 1)
    written = (tmp_path / PROGRESS_FILE).stat().st_mtime
    for seconds, phase, quiet in ((1, "running", 0.0), (QUIET_SECONDS + 1, "running", 121.0), (GONE_SECONDS + 1, "interrupted", 601.0)):
        now[0] = written + seconds
        content = folder.read()
        assert (content.phase, content.quiet) == (phase, pytest.approx(quiet, abs=0.1))


def test_the_version_changes_with_the_log_only(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    append_epoch(tmp_path, EpochLog(epoch=1))
    version = folder.read().version
    write(tmp_path)
    assert folder.read().version == version
    append_epoch(tmp_path, EpochLog(epoch=2))
    assert folder.read().version > version
    assert [entry.epoch for entry in folder.read().log.epochs] == [1, 2]


def test_what_cannot_be_read_is_reported_and_the_rest_stays(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    append_epoch(tmp_path, EpochLog(epoch=1))
    write(tmp_path)
    folder.read()
    (tmp_path / PROGRESS_FILE).write_text("{")
    content = folder.read()
    assert "progress.json is damaged" in content.problem
    assert (content.phase, len(content.log.epochs)) == ("running", 1)
    write(tmp_path)
    assert folder.read().problem == ""
    (tmp_path / "file").write_text("")
    assert "is a file, not the folder" in TrainingFolder(tmp_path / "file").read().problem


def test_a_description_that_cannot_be_read_does_not_hide_the_curves(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    append_epoch(tmp_path, EpochLog(epoch=1, train_loss=2.0))
    (tmp_path / "training.json").write_text('{"format": "of a later version"}')
    first, second = folder.read(), folder.read()
    assert "is no description of a training of this version" in first.problem
    assert (second.problem, len(second.log.epochs), second.version) == (first.problem, 1, first.version)


def test_a_damaged_progress_does_not_hide_the_curves(tmp_path: Path) -> None:
    (tmp_path / PROGRESS_FILE).write_text("{")
    append_epoch(tmp_path, EpochLog(epoch=1, train_loss=2.0))
    folder = TrainingFolder(tmp_path)
    first, second = folder.read(), folder.read()
    assert "progress.json is damaged" in first.problem
    assert (second.phase, len(second.log.epochs), second.version) == ("recorded", 1, first.version)
