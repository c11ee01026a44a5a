"""The cache folder and atomic writes to it."""

from pathlib import Path

import pytest

from deconvwidgets.assets import cache
from deconvwidgets.errors import AssetError


def test_cache_dir_prefers_its_own_variable_to_xdg_to_home(monkeypatch, tmp_path):
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_dir() == tmp_path / "own"
    monkeypatch.delenv("DECONVWIDGETS_CACHE")
    assert cache.cache_dir() == tmp_path / "xdg" / "deconvwidgets"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache.cache_dir() == tmp_path / ".cache" / "deconvwidgets"


def test_write_creates_folders_and_leaves_no_temporary_file(tmp_path):
    path = tmp_path / "a" / "b.bin"
    cache.write_cache_file(path, b"one")
    cache.write_cache_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == ["b.bin"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failed_write_keeps_the_existing_file(step, tmp_path, monkeypatch):
    path = tmp_path / "b.bin"
    cache.write_cache_file(path, b"old")

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, step, fail)
    with pytest.raises(AssetError, match=r"No space left.*DECONVWIDGETS_CACHE"):
        cache.write_cache_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["b.bin"]


def test_a_folder_that_cannot_be_created_is_an_asset_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(AssetError, match=r"cannot be created .*DECONVWIDGETS_CACHE"):
        cache.write_cache_file(tmp_path / "file" / "b.bin", b"x")


def test_hashes_of_bytes_and_files_agree(tmp_path):
    (tmp_path / "f").write_bytes(b"abc" * 1_000_000)
    assert cache.sha256_of_file(tmp_path / "f") == cache.sha256_of_bytes(b"abc" * 1_000_000)
