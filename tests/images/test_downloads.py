"""Data sets that torchvision downloads: where they go, and what is said when they cannot be had."""

from __future__ import annotations

import dataclasses
import os
import urllib.error
from contextlib import suppress

import pytest
from PIL import Image

from deconvwidgets.errors import AssetError, PictureError
from deconvwidgets.images import downloads
from deconvwidgets.images.open import open_images


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DECONVWIDGETS_DATA", raising=False)


@pytest.fixture
def server(monkeypatch):
    """A server that responds; returns what torchvision's data sets do in place of a download."""
    monkeypatch.setattr(downloads, "unreachable_reason", lambda url: None)
    made = {"imagenette": [("imagenette2-320/train/n02102040/1.JPEG",), ("imagenette2-320/train/n01440764/2.JPEG",)]}
    made["caltech101"] = [(f"caltech101/101_ObjectCategories/{name}/image_0001.jpg",) for name in ("ant", "bee")]
    calls = []

    def replace(name, error=None):
        def run(datasets, root):
            calls.append(root)
            for (path,) in made[name]:
                place = os.path.join(root, path)
                os.makedirs(os.path.dirname(place))
                Image.new("RGB", (8, 8)).save(place, "JPEG")
            if error is not None:
                raise error

        monkeypatch.setitem(downloads._DOWNLOADS, name, dataclasses.replace(downloads._DOWNLOADS[name], run=run))
        return calls

    return replace


def test_imagenette_is_downloaded_once_with_imagenets_names(server, tmp_path, capsys):
    calls = server("imagenette")
    images = open_images("imagenette")
    assert [(images.source_name(source), images.categories[images.label(source)]) for source in range(2)] == [
        ("n01440764/2.JPEG", "tench"),
        ("n02102040/1.JPEG", "English springer"),
    ]
    assert "Downloading Imagenette" in capsys.readouterr().err
    open_images("imagenette")
    assert len(calls) == 1
    assert os.listdir(tmp_path / "cache" / "datasets") == ["imagenette2-320"]


def test_caltech_is_downloaded_on_request_only(server, tmp_path):
    calls = server("caltech101")
    with pytest.raises(PictureError, match=r'open_images\("caltech101", download=True\)'):
        open_images("caltech101")
    assert not calls
    for root in (None, tmp_path / "data"):
        first = open_images("caltech101", root, download=True)
        assert (first.categories, len(open_images("caltech101", root))) == (("ant", "bee"), 2)
    assert len(calls) == 2
    open_images("caltech101", tmp_path / "data", download=True)
    assert len(calls) == 2
    with pytest.raises(PictureError, match="download is for imagenette, caltech101, caltech256"):
        open_images([Image.new("RGB", (8, 8))], download=True)


@pytest.mark.parametrize("error", [urllib.error.URLError("reset by peer"), RuntimeError("File not found or corrupted."), EOFError("short")])
def test_half_a_download_leaves_nothing(server, tmp_path, error):
    server("imagenette", error)
    with pytest.raises(AssetError, match=r"Imagenette .* cannot be downloaded from s3.amazonaws.com: .*Try again with a connection"):
        open_images("imagenette", tmp_path / "data")
    assert os.listdir(tmp_path / "data") == []


def test_a_closed_network_is_said_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("DECONVWIDGETS_OFFLINE", "1")
    for name in ("imagenette", "caltech101", "caltech256"):
        with pytest.raises(AssetError, match=r"cannot be downloaded: DECONVWIDGETS_OFFLINE is set. Try again with a connection, or copy"):
            open_images(name, tmp_path / "data", download=True)
    assert not (tmp_path / "data").exists()


def test_the_downloaders_of_torchvision_are_those_named(monkeypatch, tmp_path):
    """Their addresses are copied, to find out in time whether the servers can be reached."""
    datasets = downloads.import_torchvision().datasets
    asked = []
    for module in (datasets.imagenette, datasets.caltech):
        monkeypatch.setattr(module, "download_and_extract_archive", lambda url, *args, **kwargs: asked.append(url))
    for name, download in downloads._DOWNLOADS.items():
        with suppress(OSError, RuntimeError):  # the archive was not unpacked
            download.run(datasets, str(tmp_path / name))
        assert asked.pop() == download.url
