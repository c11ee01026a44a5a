"""A zip of class folders, unpacked without trusting it: no path leads out of its folder, and it cannot fill the disk."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from deconvwidgets.errors import PictureError
from deconvwidgets.images.folders import is_ignored, is_image_file

_CHUNK = 1 << 20
_ENCRYPTED = 0x1  # bit of a member's flags
_AGAIN = "Make it again by zipping the folder that holds the class folders."


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What a zip may unpack to. Photographs are compressed already: only drawings reach a ratio of 100, and small zips may exceed it."""

    total_bytes: int = 16 << 30
    members: int = 500_000
    ratio: int = 100
    free_bytes: int = 64 << 20  # below this the ratio is not looked at


@dataclass(slots=True)
class _Budget:
    """How much may still be written. What the headers say is only a promise, so it is spent while unpacking."""

    left: int
    limits: ArchiveLimits
    archive_bytes: int

    @classmethod
    def of(cls, limits: ArchiveLimits, archive_bytes: int) -> _Budget:
        return cls(min(limits.total_bytes, max(limits.free_bytes, limits.ratio * archive_bytes)), limits, archive_bytes)

    def spend(self, count: int) -> None:
        """Raises PictureError where nothing is left."""
        self.left -= count
        if self.left < 0:
            raise PictureError(
                f"The zip of {_size(self.archive_bytes)} unpacks to more than {_size(self.limits.total_bytes)}, or to over "
                f"{self.limits.ratio} times its own size, which photographs never do. Unpack it yourself and give the folder's path."
            )


def unpack_zip(archive: str | os.PathLike[str], folder: str | os.PathLike[str], limits: ArchiveLimits | None = None) -> Path:
    """Unpack the pictures of a zip of class folders into `folder`, which must not exist yet; its parent must. Folders around the class
    folders are peeled off; hidden files, `__MACOSX` and what is no picture by its name are left out. Returns `folder`.

    Raises PictureError, leaving nothing behind, for a file that is no zip, is damaged or encrypted; for a member whose path leads out of
    the folder, or that is a link; for one that unpacks to more than `limits` allow; and where the disk refuses.
    """
    source, target, allowed = Path(archive), Path(folder), limits or ArchiveLimits()
    if target.exists():
        raise PictureError(f"{target} exists already: give a new folder to unpack {source.name} into.")
    try:
        fresh = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
    except OSError as error:
        raise PictureError(f"{source.name} cannot be unpacked into {target.parent} ({error.strerror}). Choose another folder.") from error
    try:
        _unpack(source, fresh, allowed)
        fresh.chmod(0o755)  # mkdtemp's is for the owner alone
        fresh.rename(target)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError) as error:
        raise PictureError(f"{source.name} is no zip, or is damaged ({error}). {_AGAIN}") from error
    except OSError as error:
        why = f"{source.name} cannot be unpacked ({error.strerror or error})"
        raise PictureError(f"{why}. Look at the free space, or unpack it yourself and give the folder's path.") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)  # gone already where all went well
    return target


def _unpack(source: Path, folder: Path, limits: ArchiveLimits) -> None:
    budget = _Budget.of(limits, source.stat().st_size)
    with ZipFile(source) as zipped:
        members = zipped.infolist()
        if len(members) > limits.members:
            count = f"{len(members):,} files, over {limits.members:,}"
            raise PictureError(f"{source.name} holds {count}. Unpack it yourself and give the folder's path.")
        paths = {member: _checked_path(member) for member in members}
        wanted = {member: path for member, path in paths.items() if not _left_out(path)}
        if not any(is_image_file(path[-1]) for member, path in wanted.items() if not member.is_dir()):
            raise PictureError(f"{source.name} holds no picture. {_AGAIN}")
        _Budget.of(limits, budget.archive_bytes).spend(sum(member.file_size for member in wanted if is_image_file(member.filename)))
        depth = _depth_around(wanted)
        for member, path in wanted.items():
            _unpack_member(zipped, member, folder.joinpath(*path[depth:]), budget)


def _unpack_member(zipped: ZipFile, member: ZipInfo, target: Path, budget: _Budget) -> None:
    """One picture, or the folder of whatever else it is: a class folder without a picture is a class that lacks them."""
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
        raise PictureError(f"The zip holds '{member.filename}' twice, or names that differ in case alone. {_AGAIN}") from error


def _copy(packed: IO[bytes], file: IO[bytes], budget: _Budget) -> None:
    while chunk := packed.read(_CHUNK):
        budget.spend(len(chunk))
        file.write(chunk)


def _checked_path(member: ZipInfo) -> tuple[str, ...]:
    """The parts of a member's path. Raises PictureError for one that leads elsewhere, is no plain file or folder, or cannot be read."""
    name = member.filename.replace("\\", "/")  # some Windows programs write these
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    shown = name if name.isprintable() else repr(name)
    if name.startswith("/") or ".." in parts or any(re.match(r"[A-Za-z]:", part) for part in parts) or "\0" in member.orig_filename:
        raise PictureError(f"The zip's '{shown}' leads out of its folder, so nothing was unpacked. Do not use this file; {_AGAIN.lower()}")
    kind = stat.S_IFMT(member.external_attr >> 16)  # Unix's file type, 0 where the zip was made elsewhere
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise PictureError(f"The zip's '{shown}' is a link or a device, so nothing was unpacked. Zip the pictures themselves.")
    if member.flag_bits & _ENCRYPTED:
        raise PictureError(f"The zip is encrypted ('{shown}'), so nothing was unpacked. Zip the folder again without a password.")
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise PictureError(f"The zip's '{shown}' is compressed in an unusual way. Zip the folder again with the ordinary method (deflate).")
    return parts


def _left_out(path: tuple[str, ...]) -> bool:
    return not path or any(map(is_ignored, path))


def _depth_around(members: dict[ZipInfo, tuple[str, ...]]) -> int:
    """How many folders stand around the class folders: each holds all pictures, and has folders of its own."""
    pictures = [path for member, path in members.items() if not member.is_dir() and is_image_file(path[-1])]
    folders = [path[:-1] for path in pictures] + [path for member, path in members.items() if member.is_dir()]
    depth = 0
    while _is_around(folders, pictures, depth):
        depth += 1
    return depth


def _is_around(folders: list[tuple[str, ...]], pictures: list[tuple[str, ...]], depth: int) -> bool:
    names = {path[depth] for path in folders if len(path) > depth}
    return len(names) == 1 and any(len(path) > depth + 1 for path in folders) and all(len(path) > depth + 1 for path in pictures)


def _size(count: int) -> str:
    return f"{count / (1 << 20):,.1f} MiB" if count < 1 << 30 else f"{count / (1 << 30):,.1f} GiB"
