"""The complete content of an activation index as plain values and arrays, for files and for other processes.

Equal indexes have equal states, to the byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.crop_ranges import CropRanges, crop_count
from deconvwidgets.index.identity import IndexIdentity
from deconvwidgets.index.options import IndexOptions
from deconvwidgets.index.plain_values import MOST, listed, pair, text, whole
from deconvwidgets.index.readable import ReadableIndex
from deconvwidgets.index.sample import LayerSample, Sample
from deconvwidgets.index.state_checks import StateChecks
from deconvwidgets.index.statistics import RunningStats
from deconvwidgets.index.tally import UnitTally
from deconvwidgets.index.top_k import RunningTopK
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.layers import LayerInfo

Manifest = dict[str, Any]
Tensors = dict[str, NDArray[Any]]
_SAMPLE = ("crops", "sources", "numbers")


def state_of(index: ReadableIndex) -> tuple[Manifest, Tensors]:
    """Return the manifest, of plain values, and the arrays of an index."""
    seen = np.flatnonzero(index.contents)
    first, last = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 0)
    labels = sorted(index.source_labels.items())
    manifest: Manifest = {
        "identity": index.identity.manifest(),
        "layers": [{**_plain(info), "other_names": list(index.other_names.get(info.name, ()))} for info in index.layers],
        "crop_ranges": [list(pair) for pair in index.crop_ranges],
        "crops_read": next((tally.stats.count for tally in index.tallies.values()), 0),
        "photographs": len(index.contents),
        "first_photograph": first,
        "categories": list(index.categories),
        "negative": any(tally.negative is not None for tally in index.tallies.values()),
        "skipped": [[image.name, image.reason] for image in index.skipped],
    }
    tensors: Tensors = {
        "contents": index.contents[first:last].copy(),
        "labels": np.array(labels, np.int64).reshape(len(labels), 2),
        "sample.contents": index.sample.contents,
        **{f"sample.{name}": getattr(index.sample, name) for name in _SAMPLE},
    }
    for number, info in enumerate(index.layers):
        for name, array in _tally_tensors(index.tallies[info.name]).items():
            tensors[f"{number}.{name}"] = array
    return manifest, tensors


def fields_of(manifest: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return the fields of the index that has a state.

    Raises
    ------
    ActivationIndexError
        If an entry is missing or of another kind, or if manifest and arrays do not fit together.
    """
    try:
        return _fields(manifest, tensors)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, MemoryError) as error:
        raise ActivationIndexError(f"its content does not fit together ({error!r})") from error


def _fields(manifest: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    identity = IndexIdentity.from_manifest(manifest["identity"])
    layers = tuple(_layer(entry) for entry in listed(manifest["layers"]))
    if [info.name for info in layers] != [name for name, _ in identity.layers]:
        raise ValueError("the layers are not those of the identity")
    other_names = {entry["name"]: tuple(map(text, listed(entry.get("other_names", [])))) for entry in manifest["layers"]}
    contents = np.zeros(whole(manifest["photographs"]), np.uint64)
    seen, first = _array(tensors, "contents", np.uint64, 1), whole(manifest["first_photograph"])
    if first + len(seen) > len(contents):
        raise ValueError("the contents are those of more photographs")
    contents[first : first + len(seen)] = seen
    labels, sample = _array(tensors, "labels", np.int64, 2), _sample(tensors, identity.options.seed)
    ranges, categories = _ranges(manifest["crop_ranges"]), tuple(map(text, listed(manifest["categories"])))
    read = whole(manifest["crops_read"], 0, crop_count(ranges))
    if not isinstance(manifest["negative"], bool):
        raise ValueError("'negative' is neither true nor false")
    reader = _TallyReader(identity.options, read, manifest["negative"], len(categories), len(sample), tensors)
    tallies = {info.name: reader.read(number, info) for number, info in enumerate(layers)}
    checks = StateChecks(ranges, contents, identity.options.samples)
    checks.check_sample(sample)
    checks.check_labels(labels)
    for info in layers:
        checks.check_tally(tallies[info.name], info)
    return {
        "identity": identity,
        "layers": layers,
        "tallies": tallies,
        "crop_ranges": ranges,
        "contents": contents,
        "sample": sample,
        "source_labels": {int(source): int(label) for source, label in labels.tolist()},
        "categories": categories,
        "skipped": tuple(map(_skipped, listed(manifest["skipped"]))),
        "other_names": {name: names for name, names in other_names.items() if names},
    }


def _sample(tensors: Mapping[str, NDArray[Any]], seed: int) -> Sample:
    ids = {name: _array(tensors, f"sample.{name}", np.int64, 1) for name in _SAMPLE}
    sample = Sample.of(seed=seed, contents=_array(tensors, "sample.contents", np.uint64, 1), **ids)
    if len({len(sample.contents), *map(len, ids.values())}) > 1:
        raise ValueError("the sample is incomplete")
    return sample


def _tally_tensors(tally: UnitTally) -> Tensors:
    parts = {"ranking": tally.ranking, "negative": tally.negative, "per_class": tally.per_class, "stats": tally.stats}
    tensors = {f"{part}.{name}": array for part, value in parts.items() if value is not None for name, array in value.tensors().items()}
    return {**tensors, "sample.values": tally.sample.values, "sample.positions": tally.sample.positions}


class _TallyReader:
    """Reads the tallies of the layers of an index from its arrays."""

    def __init__(self, options: IndexOptions, count: int, negative: bool, classes: int, sampled: int, tensors: Mapping[str, NDArray[Any]]):
        self._options, self._count, self._negative, self._classes, self._sampled = options, count, negative, classes, sampled
        self._tensors = tensors

    def read(self, number: int, info: LayerInfo) -> UnitTally:
        units, options, has_classes = info.channels, self._options, self._options.per_class and self._classes
        values = _array(self._tensors, f"{number}.sample.values", np.float32, 2)
        positions = _array(self._tensors, f"{number}.sample.positions", np.int32, 2)
        if not values.shape == positions.shape == (self._sampled, units):
            raise ValueError(f"the sample of {info.name} has the shape {values.shape}, not {(self._sampled, units)}")
        return UnitTally(
            self._ranking(f"{number}.ranking", units, options.k),
            RunningStats.from_tensors(self._part(f"{number}.stats"), self._count, units),
            self._ranking(f"{number}.negative", units, options.k) if self._negative else None,
            self._ranking(f"{number}.per_class", units * self._classes, options.per_class) if has_classes else None,
            LayerSample(values, positions),
        )

    def _ranking(self, prefix: str, units: int, k: int) -> RunningTopK:
        return RunningTopK.from_tensors(self._part(prefix), units, k, self._options.per_source)

    def _part(self, prefix: str) -> Tensors:
        start = f"{prefix}."
        return {name.removeprefix(start): array for name, array in self._tensors.items() if name.startswith(start)}


def _array(tensors: Mapping[str, NDArray[Any]], name: str, dtype: type[Any], dimensions: int) -> NDArray[Any]:
    array = np.asarray(tensors[name])
    if array.dtype != dtype or array.ndim != dimensions:
        raise ValueError(f"{name} has {array.ndim} dimensions of {array.dtype}")
    return array


def _ranges(entry: object) -> CropRanges:
    ranges = tuple(pair(part, high=MOST**2) for part in listed(entry))
    bounds = [bound for part in ranges for bound in part]
    if any(left >= right for left, right in pairwise([-1, *bounds])):
        raise ValueError(f"{ranges[:3]} are no ranges of crops")
    return ranges


def _plain(info: LayerInfo) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(info).items()}


def _layer(entry: Mapping[str, Any]) -> LayerInfo:
    return LayerInfo(
        name=text(entry["name"]),
        alias=None if entry["alias"] is None else text(entry["alias"]),
        kind=text(entry["kind"]),
        **{name: whole(entry[name], 1) for name in ("channels", "height", "width")},
        receptive_field=None if entry["receptive_field"] is None else pair(entry["receptive_field"], 1),
        stride=None if entry["stride"] is None else pair(entry["stride"], 1),
        offset=None if entry["offset"] is None else pair(entry["offset"], -MOST),
    )


def _skipped(entry: object) -> SkippedImage:
    name, reason = listed(entry)
    return SkippedImage(text(name), text(reason))
