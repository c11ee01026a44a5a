"""The cache folder and its atomic writes."""

from pathlib import Path

import pytest

from deconvwidgets.assets import cache
from deconvwidgets.errors import AssetError


def test_own_variable_goes_before_xdg_before_home(monkeypatch, tmp_path):
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_dir() == tmp_path / "own"
    monkeypatch.delenv("DECONVWIDGETS_CACHE")
    assert cache.cache_dir() == tmp_path / "xdg" / "deconvwidgets"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache.cache_dir() == tmp_path / ".cache" / "deconvwidgets"


def test_a_write_makes_folders_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "a" / "b.bin"
    cache.write_cache_file(path, b"one")
    cache.write_cache_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == ["b.bin"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_whole(step, tmp_path, monkeypatch):
    path = tmp_path / "b.bin"
    cache.write_cache_file(path, b"old")

    def no_space(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, step, no_space)
    with pytest.raises(AssetError, match=r"No space left.*DECONVWIDGETS_CACHE"):
        cache.write_cache_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["b.bin"]


def test_a_cache_that_cannot_be_made_says_what_to_set(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AssetError, match="DECONVWIDGETS_CACHE"):
        cache.write_cache_file(tmp_path / "file" / "b.bin", b"x")


def test_both_hashes_agree(tmp_path):
    (tmp_path / "f").write_bytes(b"abc" * 1_000_000)
    assert cache.sha256_of_file(tmp_path / "f") == cache.sha256_of_bytes(b"abc" * 1_000_000)
