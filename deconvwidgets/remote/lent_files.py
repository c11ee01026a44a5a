"""Files of the notebook's machine that a call reads or writes: they are sent with it, and what was written comes back.

The service reads and writes copies in a temporary folder, so that a path never means a file of the other machine. Messages name the
caller's folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.errors import ServiceError
from deconvwidgets.paths import as_path
from deconvwidgets.remote.replies import Reply

MAX_BYTES = 256 << 20  # a head on all features of AlexNet's pool5 for 1,000 classes has 37 MB
_EXTENSIONS = (".safetensors", ".json")  # those that are added to a name without one


@dataclass(frozen=True, slots=True)
class LentFiles:
    """The file that an argument names, and what is there at present.

    Parameters
    ----------
    argument : str
        The name of the argument.
    folder, name : str
        The folder on the caller's machine, and the name of the file in it.
    exists : bool
        Whether the folder exists.
    files : mapping of str to bytes
        The contents of the file, and of that with an extension that may be added.
    folders : tuple of str
        Those of these names that are folders.
    """

    argument: str
    folder: str
    name: str
    exists: bool
    files: Mapping[str, bytes]
    folders: tuple[str, ...]

    @classmethod
    def of(cls, argument: str, path: str | os.PathLike[str]) -> LentFiles:
        """Return the files of a path on this machine. Raises ServiceError for one that is too large or cannot be read."""
        target = as_path(path, argument)
        names = [target.name] if target.suffix else [target.name, *(target.name + extension for extension in _EXTENSIONS)]
        parent = Path(os.path.realpath(target.parent))
        found = [parent / name for name in names if name]
        files = {one.name: _contents(one) for one in found if one.is_file()}
        folders = tuple(one.name for one in found if one.is_dir())
        return cls(argument, str(parent), target.name, parent.is_dir(), files, folders)

    @contextmanager
    def copied(self) -> Iterator[tuple[str, Path]]:
        """Copy the files into a temporary folder, and yield the path there, and the folder."""
        with TemporaryDirectory(prefix="deconvwidgets-lent-") as root:
            folder = Path(os.path.realpath(root)) / "files"
            if self.exists:
                folder.mkdir()
                for name, data in self.files.items():
                    (folder / name).write_bytes(data)
                for name in self.folders:
                    (folder / name).mkdir()
            yield str(folder / self.name), folder

    def returned(self, reply: Reply, folder: Path) -> Reply:
        """Return a reply with the files that were written, in words of the caller's folder."""
        written = {} if not self.exists else {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}
        files = {name: data for name, data in written.items() if self.files.get(name) != data}
        return replace(reply, message=reply.message.replace(str(folder), self.folder), files=files)

    def write_back(self, files: Mapping[str, bytes]) -> None:
        """Write files that came back. Raises ServiceError if that is not possible."""
        for name, data in files.items():
            target = Path(self.folder) / Path(name).name
            try:
                write_atomic(target, data)
            except OSError as error:
                advice = way_on(error, "Choose another place")
                raise ServiceError(f"{target} cannot be written: {error.strerror}. {advice}.") from error


def _contents(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ServiceError(
                f"{path} has {size >> 20:,} MiB: files up to {MAX_BYTES >> 20} MiB are sent to the service. Choose a smaller one."
            )
        return path.read_bytes()
    except OSError as error:
        raise ServiceError(f"{path} cannot be read: {error.strerror}. {way_on(error, 'Choose another file')}.") from error
