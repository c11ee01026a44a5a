"""Files are replaced completely or not at all."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from deconvwidgets.atomic_file import write_atomic


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_and_existing_files_are_written(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for data in (b"first", b"second", b""):
        assert write_atomic(path, data) == path
        assert path.read_bytes() == data
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_permissions_are_kept(tmp_path: Path) -> None:
    (tmp_path / "ordinary").write_bytes(b"")
    path = write_atomic(tmp_path / "a.txt", b"first")
    assert mode(path) == mode(tmp_path / "ordinary")
    path.chmod(0o640)
    write_atomic(path, b"second")
    assert mode(path) == 0o640


def test_the_target_of_a_symbolic_link_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    target, link = tmp_path / "data" / "target.txt", tmp_path / "link.txt"
    target.write_bytes(b"first")
    link.symlink_to(target)
    assert write_atomic(link, b"second") == link
    assert link.is_symlink()
    assert target.read_bytes() == b"second"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["data", "link.txt", "target.txt"]


@pytest.mark.parametrize("existing", [None, b"first"])
def test_a_write_that_fails_halfway_leaves_no_trace(
    tmp_path: Path, existing: bytes | None, file_size_limit: Callable[[int], AbstractContextManager[None]]
) -> None:
    path = tmp_path / "a.txt"
    if existing is not None:
        path.write_bytes(existing)
    with file_size_limit(1000), pytest.raises(OSError, match="File too large"):
        write_atomic(path, b"x" * 5000)
    assert [(file, file.read_bytes()) for file in tmp_path.iterdir()] == ([] if existing is None else [(path, existing)])


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_an_interrupt_leaves_no_trace(tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    path = write_atomic(tmp_path / "a.txt", b"first")
    monkeypatch.setattr(os, step, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, b"second")
    assert [(file, file.read_bytes()) for file in tmp_path.iterdir()] == [(path, b"first")]


def test_readers_see_complete_files_only(tmp_path: Path) -> None:
    path = write_atomic(tmp_path / "a.bin", b"0" * 300_000)
    done, contents = threading.Event(), set[bytes]()

    def read() -> None:
        while not done.is_set():
            contents.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        write_atomic(path, str(number % 10).encode() * 300_000)
    done.set()
    reader.join()
    assert all(len(content) == 300_000 and len(set(content)) == 1 for content in contents)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_an_impossible_name_is_an_os_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match="no file can have this name"):
        write_atomic(tmp_path / name, b"data")


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "missing" / "a.txt", b"data")


def test_the_longest_file_names_are_possible(tmp_path: Path) -> None:
    path = tmp_path / ("象" * 85)  # 255 bytes in UTF-8
    write_atomic(path, b"data")
    assert path.read_bytes() == b"data"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_a_pipe_is_written_directly(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_atomic(pipe, b"data")
    reader.join()
    assert received == [b"data"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
