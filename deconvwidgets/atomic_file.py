"""Writing a file as a whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path


def write_atomic(path: str | Path, data: bytes) -> Path:
    """Write `data` to a file that other processes see as a whole or not at all, even after a crash or on a full disk. Return the path.

    An existing file is replaced, and keeps its permissions; of a symbolic link, the file that it points to. A device or a pipe is
    written to directly.

    Raises
    ------
    OSError
        If the file cannot be written. An existing file is unchanged then.
    """
    target = Path(os.path.realpath(path))
    mode = _mode(target)
    if mode is not None and not stat.S_ISREG(mode):
        target.write_bytes(data)
        return Path(path)
    part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            part.chmod(stat.S_IMODE(mode))
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)  # it no longer exists if the file was replaced
    return Path(path)


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
