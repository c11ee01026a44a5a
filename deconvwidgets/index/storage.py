"""Activation indexes on disk: a folder with `manifest.json` and one file of tensors, which the manifest names by length and sha256.

The file of tensors is named after its content and the manifest is replaced last, so that a reader finds either the old index or the new
one, complete.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from deconvwidgets.assets.cache import may
from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.builder import LayerTally
from deconvwidgets.index.identity import IndexIdentity
from deconvwidgets.index.statistics import HALF_BINS, RunningStats
from deconvwidgets.index.top_k import RunningTopK
from deconvwidgets.paths import refuse_special_file
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.layers import LayerInfo

FORMAT = "deconvwidgets activation index"
VERSION = 1
MANIFEST = "manifest.json"

Manifest = dict[str, Any]
Tensors = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class IndexParts:
    """The content of an activation index; the fields are those of `ActivationIndex`."""

    identity: IndexIdentity
    layers: tuple[LayerInfo, ...]
    tallies: dict[str, LayerTally]
    crop_ranges: tuple[tuple[int, int], ...]
    source_labels: dict[int, int]
    categories: tuple[str, ...]
    skipped: tuple[SkippedImage, ...]


def write_index(folder: Path, parts: IndexParts) -> None:
    """Write an index to `folder`, as a whole or not at all. An index that is there is replaced.

    Raises
    ------
    ActivationIndexError
        If the folder cannot be written to.
    """
    manifest, tensors = _encode(parts)
    data = save_tensors({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})
    digest = hashlib.sha256(data).hexdigest()
    name = f"{digest[:16]}.safetensors"
    header = {"format": FORMAT, "version": VERSION, "tensors": {"file": name, "sha256": digest, "bytes": len(data)}}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in (name, MANIFEST):  # writing to a pipe would wait for a reader
            _refuse_special_file(folder / file)
        replaced = _current_tensor_file(folder)
        write_atomic(folder / name, data)
        write_atomic(folder / MANIFEST, json.dumps({**manifest, **header}, indent=1).encode())
        if replaced is not None and replaced.name != name:
            replaced.unlink(missing_ok=True)
    except OSError as error:
        raise _not_writable(folder, error) from error


def require_writable_index(folder: Path | None) -> None:
    """Create the folder, if one is given. Raises ActivationIndexError if it cannot be written to: before the index is computed."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not may(folder, os.W_OK):
            raise OSError(errno.EACCES, "Permission denied")
    except OSError as error:
        raise _not_writable(folder, error) from error


def _not_writable(folder: Path, error: OSError) -> ActivationIndexError:
    return ActivationIndexError(f"The index cannot be written to {folder} ({error.strerror}): {way_on(error, 'choose another path')}")


def read_index(folder: Path) -> IndexParts:
    """Return the content of the index in `folder`.

    Raises
    ------
    ActivationIndexError
        If there is no index, if it is damaged, or if it has another format.
    """
    manifest = _read_manifest(folder)
    return _decode(folder, manifest, _read_tensors(folder, manifest))


def _encode(parts: IndexParts) -> tuple[Manifest, Tensors]:
    """Return the manifest and the tensors, which are named "<number of the layer>.<name>"."""
    tensors: Tensors = {}
    for number, info in enumerate(parts.layers):
        tally = parts.tallies[info.name]
        arrays = {**tally.stats.tensors(), "values": tally.ranking.values, "ids": tally.ranking.ids}
        tensors.update({f"{number}.{name}": array for name, array in arrays.items()})
    manifest = {
        "identity": asdict(parts.identity),
        "layers": [asdict(info) for info in parts.layers],
        "spans": parts.crop_ranges,
        "source_labels": sorted(parts.source_labels.items()),
        "categories": parts.categories,
        "skipped": [asdict(image) for image in parts.skipped],
    }
    return manifest, tensors


def _decode(folder: Path, manifest: Manifest, tensors: Tensors) -> IndexParts:
    """Return the content. Raises ActivationIndexError if an entry is missing, or if manifest and tensors do not fit together."""
    try:
        identity = _identity(manifest["identity"])
        layers = tuple(_layer(entry) for entry in manifest["layers"])
        return IndexParts(
            identity=identity,
            layers=layers,
            tallies={info.name: _tally(tensors, number, info, identity) for number, info in enumerate(layers)},
            crop_ranges=tuple((int(start), int(stop)) for start, stop in manifest["spans"]),
            source_labels={int(source): int(label) for source, label in manifest["source_labels"]},
            categories=tuple(str(name) for name in manifest["categories"]),
            skipped=tuple(SkippedImage(str(entry["name"]), str(entry["reason"])) for entry in manifest["skipped"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder, f"its manifest and tensors do not fit together ({error})") from error


def _identity(entry: dict[str, Any]) -> IndexIdentity:
    layers = tuple((str(name), str(digest)) for name, digest in entry["layers"])
    channels, height, width = entry["input_size"]
    return IndexIdentity(**{**entry, "layers": layers, "input_size": (channels, height, width)})


def _layer(entry: dict[str, Any]) -> LayerInfo:
    pairs = {name: None if entry[name] is None else tuple(entry[name]) for name in ("receptive_field", "stride", "offset")}
    return LayerInfo(**{**entry, **pairs})


def _tally(tensors: Tensors, number: int, info: LayerInfo, identity: IndexIdentity) -> LayerTally:
    units, k, bins = info.channels, identity.k, 2 * HALF_BINS
    shapes = {"count": (1,), "histogram": (units, bins), "values": (units, k), "ids": (4, units, k)}
    vectors = dict.fromkeys(("mean", "squares", "maximum", "minimum", "fired", "exponents"), (units,))
    found: dict[str, NDArray[Any]] = {name: tensors[f"{number}.{name}"] for name in (*shapes, *vectors)}
    for name, shape in {**shapes, **vectors}.items():
        if found[name].shape != shape:
            raise ValueError(f"{name} of {info.name} has the shape {found[name].shape}, not {shape}")
    values, ids = found["values"].astype(np.float64), found["ids"].astype(np.int64)
    if ((ids >= 0) != (ids[:1] >= 0)).any() or (np.isfinite(values) != (ids[1] >= 0)).any():
        raise ValueError(f"the strongest activations of {info.name} are incomplete")
    return LayerTally(RunningTopK.from_arrays(values, ids, identity.per_source), RunningStats.from_tensors(found))


def _read_tensors(folder: Path, manifest: Manifest) -> Tensors:
    try:
        name, digest = str(manifest["tensors"]["file"]), str(manifest["tensors"]["sha256"])
    except (KeyError, TypeError) as error:
        raise _damaged(folder, "its manifest names no tensor file") from error
    if Path(name).name != name:
        raise _damaged(folder, "its manifest names a file outside the folder")
    _refuse_special_file(folder / name)
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise _damaged(folder, f"{name} cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise _damaged(folder, f"{name} is not the file that was written")
    try:
        return load_tensors(data)
    except SafetensorError as error:
        raise _damaged(folder, f"{name} is no safetensors file") from error


def _read_manifest(folder: Path) -> Manifest:
    _refuse_special_file(folder / MANIFEST)
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except PermissionError as error:
        raise ActivationIndexError(
            f"The activation index in {folder} cannot be read ({error.strerror}): {way_on(error, 'choose another path')}"
        ) from error
    except OSError as error:
        raise ActivationIndexError(f"There is no activation index in {folder} ({error.strerror}): build one with this path") from error
    except UnicodeDecodeError as error:
        raise _damaged(folder, "its manifest is not text") from error
    try:
        manifest = json.loads(text)
    except json.JSONDecodeError as error:
        raise _damaged(folder, "its manifest is not JSON") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise _damaged(folder, "its manifest is not an activation index's")
    if manifest.get("version") != VERSION:
        raise ActivationIndexError(
            f"The activation index in {folder} has format version {manifest.get('version')}, this program reads {VERSION}: build it again"
        )
    return manifest


def _refuse_special_file(path: Path) -> None:
    refuse_special_file(path, ActivationIndexError, "Give the folder that an index was saved in")


def _damaged(folder: Path, reason: str) -> ActivationIndexError:
    """Return the error for an index that cannot be used."""
    return ActivationIndexError(f"The activation index in {folder} is damaged: {reason}. Delete the folder, or build again with this path")


def _current_tensor_file(folder: Path) -> Path | None:
    """Return the tensor file of the index in the folder; None if there is no valid manifest that names one."""
    try:
        name = str(_read_manifest(folder)["tensors"]["file"])
    except (ActivationIndexError, KeyError, TypeError):
        return None  # no index, or files that may not be ours to delete
    return folder / name if Path(name).name == name and name.endswith(".safetensors") else None
