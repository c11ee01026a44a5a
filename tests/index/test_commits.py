"""Commits: what is committed when, what a later start goes on from, and what is never replaced.

The build here counts: its state is the sum of the numbers so far. tests/index/test_durable_build.py does the same with real indexes.
"""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.commits import Commits
from deconvwidgets.index.index_file import encode_index, read_index, write_index

STATE = ({"of": "images"}, {"sum": np.array([6])})


def of_images(content):
    return None if content.manifest["of"] == "images" else f"it was built from {content.manifest['of']}"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_crops_so_far_are_committed_and_found_again(tmp_path):
    path = tmp_path / "new" / "a.index"
    with Commits(path, of_images, seconds=0) as commits:
        assert commits.begin() is None
        assert commits.offer(lambda: STATE)
        assert names(path.parent) == ["a.index.lock", "a.index.partial"]
    with Commits(path, of_images) as commits:
        found = commits.begin()
        assert (found.manifest, found.tensors["sum"].tolist(), found.complete) == ({"of": "images"}, [6], False)
        commits.finish(STATE)
    assert names(path.parent) == ["a.index"]
    assert path.read_bytes() == encode_index(*STATE)
    modified = path.stat().st_mtime_ns
    with Commits(path, of_images) as commits:
        assert commits.begin().complete
    assert path.stat().st_mtime_ns == modified


def test_commits_come_every_few_seconds_and_take_a_twentieth_of_the_time_at_most(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def state_that_takes(seconds):
        now[0] += seconds
        return STATE

    with Commits(tmp_path / "a.index", of_images, seconds=5) as commits:
        commits.begin()
        committed = []
        for _ in range(1000):
            now[0] += 1.0
            if commits.offer(lambda: state_that_takes(0.1)):
                committed.append(now[0])
        assert np.diff(committed) == pytest.approx(5.1)  # after 5 whole seconds
        started, spent = now[0], 0.0
        for _ in range(1000):
            now[0] += 1.0
            spent += 2.0 * commits.offer(lambda: state_that_takes(2.0))
        assert 0.03 < spent / (now[0] - started) <= 0.052


def test_a_process_killed_before_the_renaming_leaves_a_complete_index(tmp_path):
    write_index(tmp_path / "a.index.partial", *STATE)
    with Commits(tmp_path / "a.index", of_images) as commits:
        assert commits.begin().complete
    assert names(tmp_path) == ["a.index"]


def build_again(path, **options):
    with Commits(path, of_images, **options) as commits:
        with pytest.warns(UserWarning, match="Building it again"):
            assert commits.begin() is None
        commits.finish(STATE)


NOT_OURS = {
    "empty": b"",
    "text": b"my thesis",
    "damaged": encode_index(*STATE)[:-1] + b"\x07",
    "of other images": encode_index({"of": "photos"}, {}),
    "not a manifest": encode_index({"colour": 1}, {}),
}


@pytest.mark.parametrize("name", NOT_OURS)
@pytest.mark.parametrize("file", ["a.index", "a.index.partial"])
def test_nothing_is_replaced_unasked(tmp_path, monkeypatch, file, name):
    (tmp_path / file).write_bytes(NOT_OURS[name])
    with Commits(tmp_path / "a.index", of_images) as commits, pytest.raises(ActivationIndexError, match="overwrite=True") as caught:
        commits.begin()
    assert str(tmp_path / file) in str(caught.value)
    assert names(tmp_path) == [file]
    assert (tmp_path / file).read_bytes() == NOT_OURS[name]
    build_again(tmp_path / "a.index", overwrite=True)
    assert names(tmp_path) == ["a.index"]
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "indexes").mkdir(parents=True)
    own = tmp_path / "cache" / "indexes" / "a.index"
    own.with_name(file).write_bytes(NOT_OURS[name])
    build_again(own)  # what is in the cache is ours
    assert names(own.parent) == ["a.index"]


def test_starting_again_replaces_only_with_overwrite(tmp_path):
    for file in ("a.index", "a.index.partial"):
        write_index(tmp_path / file, *STATE, complete=file == "a.index")
        with Commits(tmp_path / "a.index", of_images, resume=False) as commits, pytest.raises(ActivationIndexError, match="resume=True"):
            commits.begin()
        with Commits(tmp_path / "a.index", of_images, resume=False, overwrite=True) as commits:
            assert commits.begin() is None
        (tmp_path / file).unlink()


def test_an_unfinished_index_under_another_name_is_not_taken_for_a_complete_one(tmp_path):
    write_index(tmp_path / "a.index", *STATE, complete=False)
    with Commits(tmp_path / "a.index", of_images) as commits, pytest.raises(ActivationIndexError, match=r"rename it to a\.index\.partial"):
        commits.begin()


def test_folders_and_pipes_are_never_replaced(tmp_path):
    (tmp_path / "a.index").mkdir()
    os.mkfifo(tmp_path / "b.index")
    for name, kind in (("a.index", "folder"), ("b.index", "named pipe")):
        with Commits(tmp_path / name, of_images, overwrite=True) as commits, pytest.raises(ActivationIndexError, match=kind):
            commits.begin()


def test_a_link_is_followed(tmp_path):
    (tmp_path / "big").mkdir()
    (tmp_path / "a.index").symlink_to(tmp_path / "big" / "b.index")
    with Commits(tmp_path / "a.index", of_images, seconds=0) as commits:
        commits.begin()
        commits.offer(lambda: STATE)
        assert names(tmp_path / "big") == ["b.index.lock", "b.index.partial"]
        commits.finish(STATE)
    assert (tmp_path / "a.index").is_symlink()
    assert read_index(tmp_path / "a.index").complete


def test_a_folder_that_cannot_be_written_to_is_refused_at_the_beginning(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    folders = [tmp_path / "file", Path("/proc/1"), Path("/sys/kernel")]  # which also root cannot write to
    for folder in folders:
        with Commits(folder / "a.index", of_images) as commits, pytest.raises(ActivationIndexError, match="cannot be written"):
            commits.begin()


def test_a_second_builder_is_refused_and_told_whose_the_first_is(tmp_path):
    with Commits(tmp_path / "a.index", of_images) as first:
        first.begin()
        with (
            Commits(tmp_path / "a.index", of_images) as second,
            pytest.raises(ActivationIndexError, match="is being built by this process"),
        ):
            second.begin()
        first.commit(STATE)
        code = f"""
            from pathlib import Path
            from deconvwidgets.index.commits import Commits
            Commits(Path({str(tmp_path / "a.index")!r}), lambda content: None).begin()
        """
        ran = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
        assert f"is being built by process {os.getpid()} on " in ran.stderr
        first.finish(STATE)
    with Commits(tmp_path / "a.index", of_images) as later:
        assert later.begin().complete


def test_two_builders_of_the_same_cached_index_do_not_disturb_each_other(tmp_path, monkeypatch):
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path))
    path = tmp_path / "indexes" / "a.index"
    with Commits(path, of_images, seconds=0) as first, Commits(path, of_images, seconds=0) as second:
        first.begin()
        first.offer(lambda: STATE)
        with pytest.warns(UserWarning, match="is being built by this process too"):
            assert second.begin() is None
        assert not second.offer(lambda: STATE)
        second.finish(STATE)
        first.commit(STATE)
        first.finish(STATE)
    assert names(path.parent) == ["a.index"]
    assert read_index(path).complete


LARGE = ({"of": "images"}, {"sum": np.zeros(9999)})


@pytest.mark.parametrize("write", ["commit", "finish"])
def test_on_a_full_disk_the_last_commit_is_kept(tmp_path, file_size_limit, write):
    path = tmp_path / "a.index"
    with file_size_limit(10_000), Commits(path, of_images) as commits:
        commits.begin()
        with pytest.raises(ActivationIndexError, match=r"Free some space .* No crops have been committed yet"):
            getattr(commits, write)(LARGE)
        assert names(tmp_path) == ["a.index.lock"]
        commits.commit(STATE)
        with pytest.raises(ActivationIndexError, match=r"Free some space .* The crops so far are kept in .*a\.index\.partial"):
            getattr(commits, write)(LARGE)
    assert names(tmp_path) == ["a.index.partial"]
    with Commits(path, of_images) as commits:
        assert commits.begin().tensors["sum"].tolist() == [6]
        commits.finish(LARGE)
    assert names(tmp_path) == ["a.index"]


COUNTING = """
    import sys
    from pathlib import Path
    import numpy as np
    from deconvwidgets.index.commits import Commits
    path, numbers = Path(sys.argv[1]), 150
    with Commits(path, lambda content: None, seconds=0) as commits:
        found = commits.begin()
        if found is None or not found.complete:
            done, total = (0, 0) if found is None else (found.manifest["done"], int(found.tensors["total"][0]))
            print("from", done, flush=True)
            state = lambda: ({"done": done}, {"total": np.array([total]), "ballast": np.zeros(50_000)})
            for number in range(done, numbers):
                done, total = number + 1, total + number**2
                commits.commit(state())
            commits.finish(state())
"""


def test_a_build_that_is_killed_at_any_moment_goes_on_to_the_same_bytes(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(COUNTING)]
    subprocess.run([*command, str(tmp_path / "whole.index")], check=True, timeout=100, stdout=subprocess.DEVNULL)
    generator, killed, starts = np.random.default_rng(0), 0, [0]
    while not (tmp_path / "a.index").exists():
        process = subprocess.Popen([*command, str(tmp_path / "a.index")], stdout=subprocess.PIPE, text=True)
        line = process.stdout.readline()
        if killed < 4:
            time.sleep(generator.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
        else:
            assert process.wait(60) == 0
        if line:
            starts.append(int(line.split()[1]))
    assert killed >= 3
    assert starts == sorted(starts)
    assert starts[-1] > 0
    assert (tmp_path / "a.index").read_bytes() == (tmp_path / "whole.index").read_bytes()
    assert [name for name in names(tmp_path) if name.endswith(".index")] == ["a.index", "whole.index"]
    assert set(names(tmp_path)) <= {"a.index", "whole.index", "a.index.lock"}


@pytest.mark.parametrize("is_link", [False, True])
def test_a_file_of_somebody_else_with_the_name_of_the_lock_is_not_overwritten(tmp_path, is_link):
    written = tmp_path / ("precious" if is_link else "poetry.lock")
    written.write_text("precious")
    if is_link:
        (tmp_path / "poetry.lock").symlink_to(written)
    with (
        Commits(tmp_path / "poetry", of_images) as commits,
        pytest.raises(ActivationIndexError, match=r"cannot be written .* choose another"),
    ):
        commits.begin()
    assert written.read_text() == "precious"


@pytest.mark.parametrize("text", ["", "123 on a machine\n"])
def test_the_lock_of_a_killed_process_is_taken(tmp_path, text):
    (tmp_path / "a.index.lock").write_text(text)
    with Commits(tmp_path / "a.index", of_images) as commits:
        assert commits.begin() is None
        commits.finish(STATE)
    assert names(tmp_path) == ["a.index"]
