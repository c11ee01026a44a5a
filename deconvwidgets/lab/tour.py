"""Copying of the tour's notebooks to the user's folder, without overwriting changed notebooks."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.strict_json import StrictJsonError, read_json

TOUR_FOLDER = "deconvwidgets-tour"
FIRST_NOTEBOOK = "01_layers.ipynb"
_RECORD = ".copied.json"  # name -> SHA-256 of the copied notebook, to detect changes by the user


@dataclass(frozen=True, slots=True)
class CopyReport:
    """The names of the notebooks that were new, updated, or not overwritten."""

    folder: Path
    new: tuple[str, ...]
    updated: tuple[str, ...]
    kept: tuple[str, ...]  # changed by the user, and different from the notebooks of this version


def notebook_paths() -> list[Path]:
    """Return the notebooks of the tour, in the installed package or in the repository."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "tour", package.parent / "notebooks"):
        if found := sorted(folder.glob("*.ipynb")):
            return found
    raise DeconvWidgetsError("The notebooks of the tour are missing; install deconvwidgets again.")


def copy_tour(folder: Path) -> CopyReport:
    """Copy the notebooks of the tour to a folder.

    A notebook that was changed there is not overwritten. Running and saving a notebook changes it.

    Parameters
    ----------
    folder : pathlib.Path
        The folder, which is created if it does not exist.

    Returns
    -------
    CopyReport
        The names of the copied notebooks.

    Raises
    ------
    DeconvWidgetsError
        If a file cannot be written.
    """
    new, updated, kept = [], [], []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        record = _read_record(folder / _RECORD)
        for source in notebook_paths():
            data, target = source.read_bytes(), folder / source.name
            existing = _digest(target.read_bytes()) if target.exists() else None
            if existing == _digest(data):
                pass
            elif existing is None:
                new.append(source.name)
                write_atomic(target, data)
            elif existing == record.get(source.name):
                updated.append(source.name)
                write_atomic(target, data)
            else:
                kept.append(source.name)
                continue
            record[source.name] = _digest(data)
        write_atomic(folder / _RECORD, json.dumps(record, indent=1).encode())
    except OSError as error:
        advice = way_on(error, "Start in a folder with write permission")
        raise DeconvWidgetsError(f"Cannot copy the tour to {folder}: {error.strerror}. {advice}.") from error
    return CopyReport(folder, tuple(new), tuple(updated), tuple(kept))


def _read_record(path: Path) -> dict[str, str]:
    """Return the record of the last copy; {} if there is none, so that every notebook counts as changed."""
    if not path.exists():
        return {}
    try:
        record = read_json(path)
    except StrictJsonError:
        return {}
    return {str(name): str(digest) for name, digest in record.items()} if isinstance(record, dict) else {}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
