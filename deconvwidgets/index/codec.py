"""An activation index as a JSON manifest and named arrays, and back, checked."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.index.builder import LayerTally
from deconvwidgets.index.identity import IndexIdentity
from deconvwidgets.index.statistics import HALF_BINS, RunningStats
from deconvwidgets.index.storage import Tensors, damaged
from deconvwidgets.index.top_k import RunningTopK
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.layers import LayerInfo

if TYPE_CHECKING:
    from deconvwidgets.index.activation_index import ActivationIndex


def encode(index: ActivationIndex) -> tuple[dict[str, Any], Tensors]:
    """The manifest and the arrays. Array names are `<layer's number>.<what>`."""
    tensors: Tensors = {}
    for number, info in enumerate(index.layers):
        tally = index.tallies[info.name]
        parts = {**tally.stats.tensors(), "values": tally.ranking.values, "ids": tally.ranking.ids}
        tensors.update({f"{number}.{name}": array for name, array in parts.items()})
    manifest = {
        "identity": asdict(index.identity),
        "layers": [asdict(info) for info in index.layers],
        "spans": index.spans,
        "source_labels": sorted(index.source_labels.items()),
        "categories": index.categories,
        "skipped": [asdict(picture) for picture in index.skipped],
    }
    return manifest, tensors


def decode(folder: Path, manifest: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
    """The fields of the index. Raises ActivationIndexError where something is missing or does not fit together."""
    try:
        identity = _identity(manifest["identity"])
        layers = tuple(_layer(entry) for entry in manifest["layers"])
        return {
            "identity": identity,
            "layers": layers,
            "tallies": {info.name: _tally(tensors, number, info, identity) for number, info in enumerate(layers)},
            "spans": tuple((int(start), int(stop)) for start, stop in manifest["spans"]),
            "source_labels": {int(source): int(label) for source, label in manifest["source_labels"]},
            "categories": tuple(str(name) for name in manifest["categories"]),
            "skipped": tuple(SkippedImage(str(entry["name"]), str(entry["reason"])) for entry in manifest["skipped"]),
        }
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(folder, f"its manifest and tensors do not fit together ({error})") from error


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
    plain = dict.fromkeys(("mean", "squares", "maximum", "minimum", "fired", "exponents"), (units,))
    found: dict[str, NDArray[Any]] = {name: tensors[f"{number}.{name}"] for name in (*shapes, *plain)}
    for name, shape in {**shapes, **plain}.items():
        if found[name].shape != shape:
            raise ValueError(f"{name} of {info.name} has the shape {found[name].shape}, not {shape}")
    values, ids = found["values"].astype(np.float64), found["ids"].astype(np.int64)
    if ((ids >= 0) != (ids[:1] >= 0)).any() or (np.isfinite(values) != (ids[1] >= 0)).any():
        raise ValueError(f"the places of {info.name} are filled in part")
    return LayerTally(RunningTopK.restored(values, ids, identity.per_source), RunningStats.restored(found))
