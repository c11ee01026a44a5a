"""A cache that others share: files for all, read-only files, files of others, and what killed processes left."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import deconvwidgets as dw
from deconvwidgets.assets import pypi
from deconvwidgets.assets.cache import cache_dir, write_cache_file
from deconvwidgets.errors import ActivationIndexError, AssetError
from deconvwidgets.images.photos import open_photos
from deconvwidgets.images.zip import unpack_zip
from deconvwidgets.index.cached import default_path
from deconvwidgets.instruments.transfer.compute.feature_store import FeatureIdentity, LayerFeatures
from deconvwidgets.models.pinned_weights import pinned_state_dict

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
NOBODY = 65534
FEATURES = FeatureIdentity("layer", "images", "transform", (3, 8, 8), "one", None)


@pytest.fixture
def another_user(own_cache: Path) -> Iterator[None]:
    """Be a user who does not own the cache, which has no restrictions for root."""
    own_cache.mkdir(mode=0o755)
    common = Path(tempfile.gettempdir()).resolve()
    for folder in own_cache.resolve().parents:  # of pytest, which other users may not enter
        if common in folder.parents and folder.stat().st_uid == os.geteuid():
            folder.chmod(0o755)
    yield
    if os.getuid() == 0:
        os.seteuid(0)


def restrict(folder: Path, files: int, folders: int) -> None:
    """Set the permissions of all files and folders, and stop being root."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.chmod(folders if path.is_dir() else files)
    if os.getuid() == 0:
        os.seteuid(NOBODY)


def store_features(shape: tuple[int, int, int]) -> None:
    store = LayerFeatures.on_disk(FEATURES, shape)
    for source in range(shape[0]):
        store.write(source, np.ones(shape[1:], np.float16))
    store.commit()


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_new_files_have_the_permissions_of_the_umask(own_cache: Path, umask: int, tmp_path: Path, zipped_classes: Path) -> None:
    previous = os.umask(umask)
    try:
        write_cache_file(cache_dir() / "weights" / "file", b"data")
        store_features((1, 1, 2))
        unpack_zip(zipped_classes, cache_dir() / "unpacked")
    finally:
        os.umask(previous)
    for path in own_cache.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o777 if path.is_dir() else 0o666) & ~umask, path


@pytest.fixture
def zipped_classes(tmp_path: Path) -> Path:
    from zipfile import ZipFile

    path = tmp_path / "classes.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("cat/1.png", b"data")
    return path


@pytest.mark.usefixtures("another_user")
def test_a_read_only_cache_is_read_and_what_is_missing_is_said_before_the_work(
    own_cache: Path, tiny_bundle, tiny_images, monkeypatch
) -> None:  # type: ignore[no-untyped-def]
    path = default_path(tiny_bundle, tiny_images)
    built = dw.ActivationIndex.build(tiny_bundle, tiny_images, path=path, progress=False)
    store_features((2, 1, 3))
    monkeypatch.setattr(pypi, "downloaded", lambda *arguments: pytest.fail("downloaded before it is known that it cannot be kept"))
    restrict(own_cache, 0o444, 0o555)
    again = dw.ActivationIndex.build(tiny_bundle, tiny_images, path=path, progress=False)
    assert np.array_equal(again.values("conv1"), built.values("conv1"))
    read = LayerFeatures.on_disk(FEATURES, (2, 1, 3))
    assert read.complete
    assert read.values[1, 0, 0] == 1
    with pytest.raises(AssetError, match=r"Permission denied.*DECONVWIDGETS_CACHE"):
        LayerFeatures.on_disk(FEATURES, (3, 1, 3))
    monkeypatch.setattr("deconvwidgets.index.building.IndexPass", lambda *arguments: pytest.fail("computed"))
    with pytest.raises(ActivationIndexError, match="cannot be written"):
        dw.ActivationIndex.build(tiny_bundle, tiny_images, k=3, path=path, progress=False)
    os.chmod(own_cache, 0o555) if os.getuid() == os.geteuid() else None
    for missing in (lambda: pinned_state_dict("squeezenet1_1", progress=False), lambda: open_photos(progress=False)):
        with pytest.raises(AssetError, match="DECONVWIDGETS_CACHE to a folder you may write to"):
            missing()


@pytest.mark.usefixtures("another_user")
@pytest.mark.parametrize(("files", "folders"), [(0o600, 0o755), (0o600, 0o700)])
def test_what_cannot_be_read_is_said(own_cache: Path, tiny_bundle, tiny_images, files: int, folders: int) -> None:  # type: ignore[no-untyped-def]
    from deconvwidgets.assets.pins import FOOLBOX_PHOTOS, PINNED_WEIGHTS

    digest = PINNED_WEIGHTS["alexnet"].member.sha256[:8]
    write_cache_file(own_cache / "weights" / f"alexnet-{digest}.safetensors", b"data")
    write_cache_file(own_cache / "photographs" / "foolbox-3.3.4" / FOOLBOX_PHOTOS[0].filename, b"data")
    store_features((2, 1, 3))
    path = default_path(tiny_bundle, tiny_images)
    dw.ActivationIndex.build(tiny_bundle, tiny_images, path=path, progress=False)
    restrict(own_cache, files, folders)
    if os.geteuid() == own_cache.stat().st_uid:
        pytest.skip("only root can be another user")
    for read in (
        lambda: pinned_state_dict("alexnet", progress=False),
        lambda: open_photos(progress=False),
        lambda: LayerFeatures.on_disk(FEATURES, (2, 1, 3)),
    ):
        with pytest.raises(AssetError, match=r"in the cache cannot be read .Permission denied.*DECONVWIDGETS_CACHE"):
            read()
    with pytest.raises(ActivationIndexError, match=r"The activation index .* cannot be read|There is no activation index"):
        dw.ActivationIndex.load(path)


def test_what_killed_processes_left_is_swept_after_a_day(own_cache: Path, zipped_classes: Path) -> None:
    left = [own_cache / f".{'0' * 16}.part", own_cache / ".unpacking-0"]
    young = own_cache / f".{'1' * 16}.part"
    (left[1] / "cat").mkdir(parents=True)
    for path in (left[0], young):
        path.write_bytes(b"half")
    for path in left:
        os.utime(path, (time.time() - 90_000,) * 2)
    write_cache_file(own_cache / "file", b"data")
    unpack_zip(zipped_classes, own_cache / "unpacked")
    assert sorted(path.name for path in own_cache.iterdir()) == sorted([young.name, "file", "unpacked"])
