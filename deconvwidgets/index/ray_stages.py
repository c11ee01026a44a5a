"""The stages of a pass on a Ray cluster: decoding in tasks, the model in actors, merging in tasks. None of them needs Ray to be tested."""

from __future__ import annotations

import pickle
import platform
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray

import deconvwidgets
from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.errors import ActivationIndexError, DeconvWidgetsError
from deconvwidgets.index.crop_ranges import CropRanges
from deconvwidgets.index.part_pass import PartPass, merged_bytes
from deconvwidgets.index.ray_rows import Rows, from_rows, to_rows
from deconvwidgets.records.images import SkippedImage

Fetch = Callable[[Any], Any]  # ray.get, which shares arrays between the processes of a node


class FailedRead(NamedTuple):
    """A crop that a machine of the cluster could not read."""

    crop: int
    image: SkippedImage
    host: str


class PartOutcome(NamedTuple):
    """The bytes of the index of a part of the crops, their number, and those of them that could not be read; or the error that it met.

    An error is returned, not raised: Ray Data raises one of its own, whose cause does not cross processes.
    """

    data: bytes
    crops: int
    failed: tuple[FailedRead, ...]
    error: DeconvWidgetsError | None = None

    def merge(self, other: PartOutcome) -> PartOutcome:
        """Return the outcome of both parts."""
        if self.error is not None or other.error is not None:
            return self if self.error is not None else other
        return PartOutcome(merged_bytes(self.data, other.data), self.crops + other.crops, self.failed + other.failed)

    def row(self) -> dict[str, list[bytes]]:
        """Return the outcome as a row of a Ray dataset: a single column, whose type is the same whatever is in it."""
        return {"outcome": [pickle.dumps(self)]}

    @classmethod
    def of(cls, rows: Mapping[str, NDArray[Any]]) -> list[PartOutcome]:
        """Return the outcomes in rows."""
        return [pickle.loads(data) for data in rows["outcome"]]


@dataclass(frozen=True, slots=True)
class Chunks:
    """Ranges of crops, cut into chunks of consecutive crops at the multiples of `size`."""

    ranges: CropRanges
    size: int

    def __len__(self) -> int:
        return sum(self._count(start, stop) for start, stop in self.ranges)

    def crops(self, chunk: int) -> range:
        """Return the crops of a chunk."""
        for start, stop in self.ranges:
            count = self._count(start, stop)
            if chunk < count:
                first = (start // self.size + chunk) * self.size
                return range(max(first, start), min(first + self.size, stop))
            chunk -= count
        raise IndexError(f"There is no chunk {chunk}")

    def _count(self, start: int, stop: int) -> int:
        return -(-stop // self.size) - start // self.size


def decode_rows(rows: Mapping[str, NDArray[Any]], *, decoder: Any, chunks: Chunks, fetch: Fetch) -> Iterator[Rows]:
    """Decode chunks of crops, given by their numbers in `id`. `decoder` refers to a CropDecoder."""
    found: CropDecoder = fetch(decoder)
    for chunk in rows["id"]:
        yield to_rows(found.decode(chunks.crops(int(chunk))), socket.gethostname())


class Versions(NamedTuple):
    """What must be the same on all machines, because the last bits of activations depend on it."""

    deconvwidgets: str
    torch: str
    python: str

    @classmethod
    def here(cls) -> Versions:
        """Return the versions of this process."""
        return cls(deconvwidgets.__version__, torch.__version__, ".".join(platform.python_version_tuple()[:2]))

    def require(self) -> None:
        """Raise ActivationIndexError if this process has other versions."""
        found = Versions.here()
        if found != self:
            different = ", ".join(
                f"{name} {there} instead of {here}" for name, here, there in zip(self._fields, self, found, strict=True) if here != there
            )
            raise ActivationIndexError(f"The node {socket.gethostname()} has {different}: install the same versions on every node")


class IndexStage:
    """An actor that holds the model: it makes the index of each part of the crops.

    Parameters
    ----------
    part_pass : object
        Refers to a PartPass.
    versions : Versions
        Those of the process that started the pass.
    fetch : callable
        Returns what a reference refers to.
    """

    def __init__(self, part_pass: Any, versions: Versions, fetch: Fetch) -> None:
        self._reference, self._versions, self._fetch = part_pass, versions, fetch
        self._index_of: Callable[[Any], bytes] | None = None

    def __call__(self, rows: Mapping[str, NDArray[Any]]) -> dict[str, list[bytes]]:
        """Return one row: the outcome of the part whose crops are in `rows`."""
        try:
            return self._outcome(rows).row()
        except DeconvWidgetsError as error:
            return PartOutcome(b"", 0, (), error).row()

    def _outcome(self, rows: Mapping[str, NDArray[Any]]) -> PartOutcome:
        if self._index_of is None:  # not in __init__: Ray Data would try an actor again that cannot be made
            self._versions.require()
            torch.set_num_threads(1)
            part_pass: PartPass = self._fetch(self._reference)
            self._index_of = part_pass.begin()
        batch, hosts = from_rows(rows)
        failed = tuple(FailedRead(crop, image, host) for (crop, image), host in zip(batch.skipped, hosts, strict=True))
        return PartOutcome(self._index_of(batch), len(batch) + len(failed), failed)


def merge_rows(rows: Mapping[str, NDArray[Any]]) -> dict[str, list[bytes]]:
    """Return one row for several, with the merged index."""
    return reduce(PartOutcome.merge, PartOutcome.of(rows)).row()
