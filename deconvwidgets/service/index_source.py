"""Obtaining indexes: from the cache, or else in one pass over the images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

from deconvwidgets.compute.devices import device_name
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.activation_index import ActivationIndex, stored_index
from deconvwidgets.index.cached import EXPLORER_OPTIONS, index_path
from deconvwidgets.index.crop_ranges import ranges_of
from deconvwidgets.index.identity import IndexIdentity
from deconvwidgets.index.layer_sets import only_layers
from deconvwidgets.index.options import IndexOptions
from deconvwidgets.index.so_far import OnSoFar
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.service.snapshot import Snapshot

K = 9  # shown of each unit: "top 9" (Zeiler & Fergus 2014, figure 2)


def obtain(
    snapshot: Snapshot, groups: Sequence[Sequence[LayerInfo]], job: JobContext, on_so_far: OnSoFar
) -> tuple[list[ActivationIndex], list[str]]:
    """Return the index of each group of layers, and notes for the user. Groups that are not in the cache are built in one pass.

    They are of the model with every unit on, and have the settings and the crops of the snapshot's index, if there is one. Indexes of all
    crops are saved, one for each group.
    """
    found, notes, missing = list[ActivationIndex](), list[str](), list[Sequence[LayerInfo]]()
    for infos in groups:
        stored = _stored(snapshot, infos)
        if stored is None:
            missing.append(infos)
        else:
            found.append(stored)
    if not missing:
        return found, notes
    if len(missing) == 1 and _covers_all(snapshot):
        index, reason = _built_in_cache(snapshot, missing[0], job, on_so_far)
        return [*found, index], [reason] if reason else []
    built = _build(snapshot, [info for infos in missing for info in infos], job, on_so_far)
    for infos in missing:
        index = only_layers(built, infos)
        found.append(index)
        try:
            if _covers_all(snapshot):
                index.save(_path(snapshot, infos))
        except ActivationIndexError as error:  # the index is used in this session all the same
            notes.append(f"{error}; it will be built again next time.")
    return found, notes


def _built_in_cache(snapshot: Snapshot, infos: Sequence[LayerInfo], job: JobContext, on_so_far: OnSoFar) -> tuple[ActivationIndex, str]:
    """Return the index of some layers, which is committed on the way: a pass that was cancelled goes on from its last commit.

    If the cache cannot be written to, the index is built without it, and a note for the user is returned.
    """
    try:
        return _build(snapshot, infos, job, on_so_far, _path(snapshot, infos)), ""
    except ActivationIndexError as error:  # the index is used in this session all the same
        return _build(snapshot, infos, job, on_so_far), f"{error}; it will be built again next time."


def _build(
    snapshot: Snapshot, infos: Sequence[LayerInfo], job: JobContext, on_so_far: OnSoFar, path: Path | None = None
) -> ActivationIndex:
    every = ranges_of(range(len(snapshot.images)))
    ranges = every if snapshot.index is None else snapshot.index.crop_ranges
    parts = [
        ActivationIndex.build(
            snapshot.unchanged,
            snapshot.images,
            [info.name for info in infos],
            _options(snapshot),
            path=path,
            progress=False,
            device=device_name(snapshot.bundle),
            crops=range(start, stop),
            job=job,
            on_so_far=on_so_far if len(ranges) == 1 else None,
        )
        for start, stop in ranges or [(0, 0)]
    ]
    return reduce(ActivationIndex.merge, parts)


def _stored(snapshot: Snapshot, infos: Sequence[LayerInfo]) -> ActivationIndex | None:
    """Return the index of some layers from the cache: their own, or a part of that of the layers which are listed by default."""
    if not _covers_all(snapshot):
        return None
    default = snapshot.network.feature_map_layers
    names = {info.name for info in default}
    for listed in [infos, *([default] if all(info.name in names for info in infos) else [])]:
        path = _path(snapshot, listed)
        stored = stored_index(path, _identity(snapshot, listed), range(len(snapshot.images)))
        if stored is not None:
            return only_layers(stored, infos)
    return None


def _path(snapshot: Snapshot, infos: Sequence[LayerInfo]) -> Path:
    return index_path(_identity(snapshot, infos))


def _identity(snapshot: Snapshot, infos: Sequence[LayerInfo]) -> IndexIdentity:
    return IndexIdentity.of(snapshot.unchanged, snapshot.images, infos, _options(snapshot))


def _options(snapshot: Snapshot) -> IndexOptions:
    return EXPLORER_OPTIONS if snapshot.index is None else snapshot.index.identity.options


def _covers_all(snapshot: Snapshot) -> bool:
    return snapshot.index is None or snapshot.index.crop_ranges == ranges_of(range(len(snapshot.images)))
