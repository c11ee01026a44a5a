"""Safe extraction of a zip of class folders: no file is written outside the target folder, and the size is limited."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from deconvwidgets.assets.cache import sweep_abandoned
from deconvwidgets.errors import PictureError
from deconvwidgets.images.folders import is_ignored, is_image_file
from deconvwidgets.paths import as_path, refuse_special_file

_CHUNK = 1 << 20
_ENCRYPTED = 0x1  # a bit of ZipInfo.flag_bits
_UNPACKING = ".unpacking-"
_HINT = "Create it again from the folder that contains the class folders."


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """The limits of an extraction, against zip bombs.

    Photographs are already compressed; only drawings reach a compression ratio of 100.
    """

    total_bytes: int = 16 << 30
    members: int = 500_000
    ratio: int = 100
    free_bytes: int = 64 << 20  # up to this size the ratio does not matter


@dataclass(slots=True)
class _Budget:
    """The number of bytes that may still be written. It is counted during extraction, because headers may state wrong sizes."""

    remaining: int
    limits: ArchiveLimits
    archive_bytes: int

    @classmethod
    def of(cls, limits: ArchiveLimits, archive_bytes: int) -> _Budget:
        return cls(min(limits.total_bytes, max(limits.free_bytes, limits.ratio * archive_bytes)), limits, archive_bytes)

    def spend(self, count: int) -> None:
        """Subtract `count` bytes. Raises PictureError if fewer remain."""
        self.remaining -= count
        if self.remaining < 0:
            raise PictureError(
                f"The zip of {_size(self.archive_bytes)} unpacks to more than {_size(self.limits.total_bytes)}, or to more than "
                f"{self.limits.ratio} times its own size, which is unusual for photographs. Unpack it yourself and give the folder's path."
            )


def unpack_zip(archive: str | os.PathLike[str], folder: str | os.PathLike[str], limits: ArchiveLimits | None = None) -> Path:
    """Unpack the images in a zip of class folders.

    Parent folders of the class folders are removed from the paths. Hidden files, `__MACOSX` and files without an image extension
    are skipped. If an error is raised, no file is left behind.

    Parameters
    ----------
    archive : str or path
        The zip file.
    folder : str or path
        The folder to create. Its parent must exist.
    limits : ArchiveLimits, optional
        The limits of the extraction.

    Returns
    -------
    pathlib.Path
        `folder`.

    Raises
    ------
    PictureError
        If the file is not a zip, is damaged, encrypted or without images; if a member is a link or would be written outside the folder;
        if a limit is exceeded; if `folder` exists; or if the files cannot be written.
    """
    source, target = as_path(archive, "archive", PictureError), as_path(folder, "folder", PictureError)
    refuse_special_file(source, PictureError, _HINT)
    if target.exists():
        raise PictureError(f"{target} already exists: give a new folder to unpack {source.name} into.")
    sweep_abandoned(target.parent, f"{_UNPACKING}*")
    temporary = target.with_name(f"{_UNPACKING}{secrets.token_hex(8)}")
    try:
        temporary.mkdir()  # with the permissions that the user gives to new folders
    except OSError as error:
        raise PictureError(f"{source.name} cannot be unpacked into {target.parent} ({error.strerror}). Choose another folder.") from error
    try:
        _unpack(source, temporary, limits or ArchiveLimits())
        temporary.rename(target)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError) as error:
        raise PictureError(f"{source.name} is not a zip file, or is damaged ({error}). {_HINT}") from error
    except OSError as error:
        problem = f"{source.name} cannot be unpacked ({error.strerror or error})"
        raise PictureError(f"{problem}. Check the free space, or unpack it yourself and give the folder's path.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # it no longer exists if it was renamed
    return target


def _unpack(source: Path, folder: Path, limits: ArchiveLimits) -> None:
    budget = _Budget.of(limits, source.stat().st_size)
    with ZipFile(source) as zipped:
        members = zipped.infolist()
        if len(members) > limits.members:
            count = f"{len(members):,} files, more than {limits.members:,}"
            raise PictureError(f"{source.name} contains {count}. Unpack it yourself and give the folder's path.")
        checked = {member: _checked_path(member) for member in members}
        paths = {member: path for member, path in checked.items() if path and not any(map(is_ignored, path))}
        if not any(is_image_file(path[-1]) for member, path in paths.items() if not member.is_dir()):
            raise PictureError(f"{source.name} contains no image. {_HINT}")
        stated = _Budget.of(limits, budget.archive_bytes)  # check the sizes in the headers before anything is written
        stated.spend(sum(member.file_size for member in paths if is_image_file(member.filename)))
        depth = _common_depth(paths)
        for member, path in paths.items():
            _unpack_member(zipped, member, folder.joinpath(*path[depth:]), budget)


def _unpack_member(zipped: ZipFile, member: ZipInfo, target: Path, budget: _Budget) -> None:
    """Write an image. For other files create only their folder: a folder without images is an empty class."""
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if not is_image_file(target.name):
        return
    try:
        with zipped.open(member) as packed, target.open("xb") as file:
            _copy(packed, file, budget)
    except FileExistsError as error:
        raise PictureError(f"The zip contains '{member.filename}' twice, or names that differ only in case. {_HINT}") from error


def _copy(packed: IO[bytes], file: IO[bytes], budget: _Budget) -> None:
    while chunk := packed.read(_CHUNK):
        budget.spend(len(chunk))
        file.write(chunk)


def _checked_path(member: ZipInfo) -> tuple[str, ...]:
    """Return the parts of a member's path. Raises PictureError if it is unsafe, encrypted, or compressed by an unsupported method."""
    name = member.filename.replace("\\", "/")  # written by some Windows programs
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    shown = f"'{name}' in the zip" if name.isprintable() else f"{name!r} in the zip"
    if name.startswith("/") or ".." in parts or any(re.match(r"[A-Za-z]:", part) for part in parts) or "\0" in member.orig_filename:
        raise PictureError(f"{shown} would be written outside the folder, so nothing was unpacked. Do not use this file. {_HINT}")
    kind = stat.S_IFMT(member.external_attr >> 16)  # the Unix file type; 0 in zips from other systems
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise PictureError(f"{shown} is a link or a device, so nothing was unpacked. Add the image files themselves to the zip.")
    if member.flag_bits & _ENCRYPTED:
        raise PictureError(f"{shown} is encrypted, so nothing was unpacked. Create the zip again without a password.")
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise PictureError(f"{shown} is compressed by an unsupported method. Create the zip again with the default method (deflate).")
    return parts


def _common_depth(paths: dict[ZipInfo, tuple[str, ...]]) -> int:
    """Return the number of folders above the class folders: each contains all images and at least one other folder."""
    images = [path for member, path in paths.items() if not member.is_dir() and is_image_file(path[-1])]
    folders = [path[:-1] for path in images] + [path for member, path in paths.items() if member.is_dir()]
    depth = 0
    while _is_common(folders, images, depth):
        depth += 1
    return depth


def _is_common(folders: list[tuple[str, ...]], images: list[tuple[str, ...]], depth: int) -> bool:
    names = {path[depth] for path in folders if len(path) > depth}
    return len(names) == 1 and any(len(path) > depth + 1 for path in folders) and all(len(path) > depth + 1 for path in images)


def _size(count: int) -> str:
    return f"{count / (1 << 20):,.1f} MiB" if count < 1 << 30 else f"{count / (1 << 30):,.1f} GiB"
