"""The tour's notebooks: copied to the user's folder, and never over the user's own work."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from deconvwidgets.atomic_file import write_atomic
from deconvwidgets.errors import DeconvWidgetsError

FOLDER = "deconvwidgets-tour"
FIRST = "01_layers.ipynb"
_RECORD = ".copied.json"  # name -> sha256 of what was copied, to tell an untouched notebook from an edited one


@dataclass(frozen=True, slots=True)
class Copied:
    """What happened to the notebooks, by file name."""

    folder: Path
    new: tuple[str, ...]
    updated: tuple[str, ...]
    kept: tuple[str, ...]  # edited by the user, and different from the ones that this version brings


def notebooks() -> list[Path]:
    """The tour as it was shipped: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "tour", package.parent / "notebooks"):
        if found := sorted(folder.glob("*.ipynb")):
            return found
    raise DeconvWidgetsError("The tour's notebooks are missing from this installation; reinstall deconvwidgets.")


def copy_tour(folder: Path) -> Copied:
    """Copy the tour into `folder`. A notebook that the user changed (running and saving it is a change) stays as it is."""
    new, updated, kept = [], [], []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        record = _read_record(folder / _RECORD)
        for source in notebooks():
            data, target = source.read_bytes(), folder / source.name
            before = _digest(target.read_bytes()) if target.exists() else None
            if before == _digest(data):
                pass
            elif before is None:
                new.append(source.name)
                _write(target, data)
            elif before == record.get(source.name):
                updated.append(source.name)
                _write(target, data)
            else:
                kept.append(source.name)
                continue
            record[source.name] = _digest(data)
        _write(folder / _RECORD, json.dumps(record, indent=1).encode())
    except OSError as error:
        raise DeconvWidgetsError(f"The tour cannot be copied to {folder}: {error.strerror}. Start in a folder you may write to.") from error
    return Copied(folder, tuple(new), tuple(updated), tuple(kept))


def _read_record(path: Path) -> dict[str, str]:
    """The record of the last copy; without a readable one every notebook counts as the user's."""
    if not path.exists():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return {str(name): str(digest) for name, digest in record.items()} if isinstance(record, dict) else {}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, so that an interrupted start leaves no half notebook."""
    write_atomic(path, data)
