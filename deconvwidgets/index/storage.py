"""An index on disk: a folder with `manifest.json` and the tensor file that it names, by length and sha256.

Tensor files are named after their content and the manifest is replaced last, so that whoever opens the folder sees the old index
or the new one, whole. Anything else is refused in a sentence.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from deconvwidgets.atomic_file import write_atomic
from deconvwidgets.errors import ActivationIndexError

FORMAT = "deconvwidgets activation index"
VERSION = 1
MANIFEST = "manifest.json"

Tensors = dict[str, NDArray[np.generic]]


def write_index(folder: Path, manifest: dict[str, Any], tensors: Tensors) -> None:
    """Write an index atomically; a former one in the same folder is replaced.

    Raises ActivationIndexError where the folder cannot be written to.
    """
    data = save_tensors({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})
    digest = hashlib.sha256(data).hexdigest()
    name = f"{digest[:16]}.safetensors"
    entry = {"format": FORMAT, "version": VERSION, "tensors": {"file": name, "sha256": digest, "bytes": len(data)}}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        former = _former_tensor_file(folder)
        write_atomic(folder / name, data)
        write_atomic(folder / MANIFEST, json.dumps({**manifest, **entry}, indent=1).encode())
        if former is not None and former.name != name:
            former.unlink(missing_ok=True)
    except OSError as error:
        raise ActivationIndexError(f"The index cannot be written to {folder} ({error.strerror}): choose another path") from error


def read_index(folder: Path) -> tuple[dict[str, Any], Tensors]:
    """The manifest and the tensors of the index in `folder`.

    Raises ActivationIndexError: there is none, it is damaged, or it is of another format.
    """
    manifest = _read_manifest(folder)
    try:
        name, digest = str(manifest["tensors"]["file"]), str(manifest["tensors"]["sha256"])
    except (KeyError, TypeError) as error:
        raise damaged(folder, "its manifest names no tensor file") from error
    if Path(name).name != name:
        raise damaged(folder, "its manifest names a file outside the folder")
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise damaged(folder, f"{name} cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise damaged(folder, f"{name} is not the file that was written")
    try:
        return manifest, load_tensors(data)
    except SafetensorError as error:
        raise damaged(folder, f"{name} is no safetensors file") from error


def damaged(folder: Path, why: str) -> ActivationIndexError:
    """The error for an index that cannot be used."""
    return ActivationIndexError(f"The activation index in {folder} is damaged: {why}. Delete the folder, or build again with this path")


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except OSError as error:
        raise ActivationIndexError(f"There is no activation index in {folder} ({error.strerror}): build one with this path") from error
    except UnicodeDecodeError as error:
        raise damaged(folder, "its manifest is not text") from error
    try:
        manifest = json.loads(text)
    except json.JSONDecodeError as error:
        raise damaged(folder, "its manifest is not JSON") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise damaged(folder, "its manifest is not an activation index's")
    if manifest.get("version") != VERSION:
        raise ActivationIndexError(
            f"The activation index in {folder} has format version {manifest.get('version')}, this program reads {VERSION}: build it again"
        )
    return manifest


def _former_tensor_file(folder: Path) -> Path | None:
    """The tensor file of the index that stands in the folder now, if a sound manifest says so."""
    try:
        name = str(_read_manifest(folder)["tensors"]["file"])
    except (ActivationIndexError, KeyError, TypeError):
        return None  # nothing there, or nothing that we may safely delete
    return folder / name if Path(name).name == name and name.endswith(".safetensors") else None
