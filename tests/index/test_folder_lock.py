"""The lock of a folder: who is kept out, and whether others see that it is held."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from deconvwidgets.errors import AblationError, TrainingError
from deconvwidgets.index.folder_lock import is_locked, locked_folder

NAME = ".lock"


def test_a_second_one_is_kept_out_with_its_own_error(tmp_path: Path) -> None:
    with locked_folder(tmp_path, NAME, "training", TrainingError):
        assert is_locked(tmp_path, NAME)
        with (
            pytest.raises(AblationError, match=r"Another study writes to .* \(this process\)\. Wait for it, stop it"),
            locked_folder(tmp_path, NAME, "study", AblationError),
        ):
            raise AssertionError
        assert is_locked(tmp_path, NAME)
    assert not is_locked(tmp_path, NAME)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_of_a_killed_process_is_not_held_by_one_that_has_its_number_now(tmp_path: Path) -> None:
    lock = tmp_path / NAME
    lock.write_text(f"{os.getpid()} on {socket.gethostname()}\n")
    assert is_locked(tmp_path, NAME)
    os.utime(lock, (1e9, 1e9))  # long before this process began
    assert not is_locked(tmp_path, NAME)


@pytest.mark.parametrize(
    "content",
    ["", "a process\n", f"{os.getpid()} on elsewhere\n", f"{2**22 + 1} on {socket.gethostname()}\n"],
    ids=["empty", "no process", "of another machine", "no such process"],  # the same in all processes that test
)
def test_nothing_is_known_to_be_locked_by_other_files(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    assert not is_locked(tmp_path, NAME)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(TrainingError, match="Nothing can be written to"), locked_folder(tmp_path, NAME, "training", TrainingError):
        raise AssertionError
