"""Every place where a file is expected refuses what is no regular file, and paths that no file can have, at once and in words."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import deconvwidgets as dw
from deconvwidgets.assets.cache import write_cache_file
from deconvwidgets.errors import DeconvWidgetsError, PictureError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.zip import unpack_zip
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.occlusion.widget.image_upload import upload_image
from deconvwidgets.instruments.transfer.records import TransferSettings
from deconvwidgets.instruments.transfer.service.datasets import DatasetCatalog
from deconvwidgets.instruments.transfer.service.head_file import save_run_head
from deconvwidgets.models.head_files import load_head
from deconvwidgets.paths import kind_of
from tests.conftest import make_tiny_bundle, random_head

pytestmark = [pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the platform has no named pipes"), pytest.mark.timeout(60)]

# Each is called with a path and a folder for what it writes.
WAYS_IN: dict[str, Callable[[str, Path], Any]] = {
    "open_images": lambda path, folder: dw.open_images(path),
    "open_images of a list": lambda path, folder: dw.open_images([path]).open_source(0),
    "open_images of Caltech-101": lambda path, folder: dw.open_images("caltech101", root=path),
    "project": lambda path, folder: dw.project(make_tiny_bundle(), path, "conv1", unit=0),
    "occlude": lambda path, folder: dw.occlude(make_tiny_bundle(), path, 4, 4),
    "an image of an explorer": lambda path, folder: upload_image(None, path),  # type: ignore[arg-type]
    "unpack_zip": lambda path, folder: unpack_zip(path, folder / "unpacked"),  # type: ignore[arg-type]
    "the data of a TransferPanel": lambda path, folder: DatasetCatalog(None, None).images(TransferSettings(path)),  # type: ignore[arg-type]
    "a checkpoint": lambda path, folder: dw.load_model("alexnet", weights=path),
    "a head": lambda path, folder: load_head(path),
    "an index": lambda path, folder: ActivationIndex.load(path),
}
WAYS_OUT: dict[str, Callable[[str, Path], Any]] = {
    "a saved head": lambda path, folder: save_run_head(random_head(make_tiny_bundle(), "conv2"), path),
}


@pytest.fixture
def special_files(tmp_path: Path) -> Iterator[dict[str, Path]]:
    """A named pipe, a socket and devices; each also with the ending of a zip."""
    files = {"named pipe": tmp_path / "pipe", "zipped pipe": tmp_path / "pipe.zip", "socket": tmp_path / "socket"}
    for name in ("named pipe", "zipped pipe"):
        os.mkfifo(files[name])
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(files["socket"]))
        (tmp_path / "endless.zip").symlink_to("/dev/zero")
        yield {**files, "device": Path("/dev/zero"), "zipped device": tmp_path / "endless.zip"}


@pytest.mark.parametrize("way_in", WAYS_IN)
def test_special_files_are_refused(way_in: str, special_files: dict[str, Path], tmp_path: Path) -> None:
    for kind, path in special_files.items():
        with pytest.raises(DeconvWidgetsError) as refused:
            WAYS_IN[way_in](str(path), tmp_path)
        assert path.name in str(refused.value), kind
        assert kind_of(path) not in ("file", "folder", None)


IMPOSSIBLE = {"~nosuchuser/x": "user that this machine does not have", "x" * 300: "longer than a path may be", "a\0b": "must be a path"}


@pytest.mark.parametrize("way", WAYS_IN | WAYS_OUT)
@pytest.mark.parametrize("path", IMPOSSIBLE, ids=["no such user", "too long", "with a NUL"])
def test_paths_that_no_file_can_have_are_refused(way: str, path: str, tmp_path: Path) -> None:
    with pytest.raises(DeconvWidgetsError, match=IMPOSSIBLE[path]):
        (WAYS_IN | WAYS_OUT)[way](path, tmp_path)


def test_a_pipe_among_the_images_of_a_folder_is_left_out(tmp_path: Path, noise_image: Callable[..., Any]) -> None:
    noise_image().save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "b.png")
    images = dw.open_images(tmp_path)
    assert images.open_source(0).size == (40, 30)
    index = ActivationIndex.build(make_tiny_bundle(), images, ["conv1"])
    assert [skipped.name for skipped in index.skipped] == ["b.png"]


def test_folders_that_are_nested_too_deeply_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "root"
    path.mkdir()
    here = os.open(path, os.O_RDONLY)
    try:
        for _ in range(100):
            os.mkdir("folder", dir_fd=here)
            inner = os.open("folder", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
    finally:
        os.close(here)
    with pytest.raises(PictureError, match="nested more than 64 deep"):
        dw.open_images(path)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="the platform has no /proc")
def test_a_process_is_no_folder_of_images() -> None:
    with pytest.raises(PictureError, match=r"nested more than|more than 50,000 folders|no image"):
        dw.open_images("/proc/self")


def test_the_cache_in_the_home_of_nobody_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECONVWIDGETS_CACHE", "~nosuchuser/cache")
    with pytest.raises(DeconvWidgetsError, match="DECONVWIDGETS_CACHE"):
        dw.load_model("alexnet")


def test_pipes_in_the_cache_are_not_written_to(tmp_path: Path, tiny_bundle: dw.ModelBundle, tiny_images: ImageSet) -> None:
    index = ActivationIndex.build(tiny_bundle, tiny_images, progress=False, device="cpu")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for write in (lambda: index.save(pipe), lambda: write_cache_file(pipe, b"data")):
        with pytest.raises(DeconvWidgetsError, match=r"pipe is a named pipe"):
            write()
