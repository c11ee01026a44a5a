"""The log of a training: it comes back as it was written, also after its process was killed at any place."""

import dataclasses
import json
import math
import os
import socket
import subprocess
import sys

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deconvwidgets.checkpoints.log_file import (
    LOG_FILE,
    PROGRESS_FILE,
    append_epoch,
    clear_stop,
    read_log,
    request_stop,
    stop_requested,
    write_progress,
)
from deconvwidgets.errors import CheckpointError
from deconvwidgets.records.training_log import EpochLog, TrainingProgress
from deconvwidgets.strict_json import parse_json

NUMBERS = st.one_of(st.floats(), st.none())
NAMED = st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), st.floats(), max_size=3)
EPOCHS = st.builds(
    EpochLog, epoch=st.integers(0, 2**53), train_loss=NUMBERS, validation_top1=NUMBERS, seconds=NUMBERS, weight_rms=NAMED, metrics=NAMED
)


def _plain(record):
    """Return a record with NaN replaced, which is not equal to itself."""
    return json.dumps(dataclasses.asdict(record), sort_keys=True)


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(entries=st.lists(EPOCHS, max_size=5))
def test_the_log_comes_back(entries, tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    for entry in entries:
        append_epoch(folder, entry)
    last = {entry.epoch: entry for entry in entries}
    assert list(map(_plain, read_log(folder).epochs)) == [_plain(last[epoch]) for epoch in sorted(last)]
    if entries:
        for line in (folder / LOG_FILE).read_bytes().splitlines():
            parse_json(line)  # as the standard says: without NaN


def test_a_log_that_is_cut_anywhere_keeps_the_whole_lines_before_and_after(tmp_path):
    first, second, third = (EpochLog(epoch=epoch, train_loss=1 / 3, metrics={"ä": math.nan}) for epoch in (1, 2, 3))
    append_epoch(tmp_path, first)
    start = (tmp_path / LOG_FILE).stat().st_size
    append_epoch(tmp_path, second)
    whole = (tmp_path / LOG_FILE).read_bytes()
    for cut in range(start, len(whole)):
        (tmp_path / LOG_FILE).write_bytes(whole[:cut])
        kept = [1, 2] if cut == len(whole) - 1 else [1]  # only the line break is missing, as in a file of an editor
        assert [entry.epoch for entry in read_log(tmp_path).epochs] == kept
        append_epoch(tmp_path, third)
        assert [entry.epoch for entry in read_log(tmp_path).epochs] == [*kept, 3]


@pytest.mark.parametrize("line", ['{"epoch": -1}', '{"epoch": 1.5}', '{"train_loss": 1}', '{"epoch": 1, "train_loss": "x"}', "[1]"])
def test_a_line_of_something_else_is_refused(tmp_path, line):
    (tmp_path / LOG_FILE).write_text(line + "\n")
    with pytest.raises(CheckpointError, match=r"log\.jsonl is damaged"):
        read_log(tmp_path)


def test_fields_of_a_later_version_are_left_out(tmp_path):
    (tmp_path / LOG_FILE).write_text('{"epoch": 1, "train_loss": 0.5, "energy": 3}\n')
    assert read_log(tmp_path).epochs == (EpochLog(epoch=1, train_loss=0.5),)


def test_the_progress_of_a_process_that_is_gone_is_interrupted(tmp_path):
    running = TrainingProgress(state="running", epoch=2, epochs=9, loss=math.inf)
    write_progress(tmp_path, running)
    read = read_log(tmp_path).progress
    assert (read.state, read.loss, read.process, read.host) == ("running", math.inf, os.getpid(), socket.gethostname())
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    write_progress(tmp_path, dataclasses.replace(running, process=gone.pid))
    assert read_log(tmp_path).progress.state == "interrupted"
    write_progress(tmp_path, dataclasses.replace(running, process=gone.pid, host="elsewhere"))
    assert read_log(tmp_path).progress.state == "running"  # what runs elsewhere cannot be seen
    write_progress(tmp_path, dataclasses.replace(running, state="finished", process=gone.pid))
    assert read_log(tmp_path).progress.state == "finished"


def test_another_process_with_the_number_of_one_that_is_gone_is_not_the_training(tmp_path):
    """As after a restart of a container: else nothing could be resumed in the folder, nor stopped."""
    write_progress(tmp_path, TrainingProgress(state="running", epoch=2, epochs=9))
    start = psutil.Process().create_time()
    for earlier, state in ((0, "running"), (3600, "interrupted")):
        os.utime(tmp_path / PROGRESS_FILE, (start - earlier,) * 2)
        assert read_log(tmp_path).progress.state == state


def test_damaged_progress_is_refused(tmp_path):
    for text in ("", "[]", '{"state": "asleep", "epoch": 1, "epochs": 2}', '{"state": "running"}'):
        (tmp_path / PROGRESS_FILE).write_text(text)
        with pytest.raises(CheckpointError, match=r"progress\.json is damaged"):
            read_log(tmp_path)


def test_a_request_to_stop_is_seen_until_it_is_withdrawn(tmp_path):
    assert not stop_requested(tmp_path)
    request_stop(tmp_path)
    assert stop_requested(tmp_path)
    clear_stop(tmp_path)
    clear_stop(tmp_path)
    assert not stop_requested(tmp_path)
    with pytest.raises(CheckpointError, match="cannot be written"):
        request_stop(tmp_path / "missing")
