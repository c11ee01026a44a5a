"""A pass over crops: they go through the model once, in blocks, and what the index keeps of them is added to one tally of all units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.decoded import DecodedBatch, joined_batches
from deconvwidgets.compute.devices import upload
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.engine.example import reference_tensor
from deconvwidgets.engine.forward_pass import ForwardPass
from deconvwidgets.errors import ModelError
from deconvwidgets.index.blocks import block_parts, block_size, in_rows, is_full
from deconvwidgets.index.crop_ranges import CropRanges, ranges_of_numbers
from deconvwidgets.index.crop_ranges import joined as joined_ranges
from deconvwidgets.index.memory_format import input_in_format
from deconvwidgets.index.precision import check_precision, in_precision
from deconvwidgets.index.readable import ReadableIndex
from deconvwidgets.index.reduction import BlockReduction, Reduced, Thresholds
from deconvwidgets.index.sample import LayerSample, SampleTable, sample_hashes
from deconvwidgets.index.tally import UnitTally
from deconvwidgets.index.top_k import Entries, RunningTopK
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.records.images import sorted_by_name
from deconvwidgets.records.layers import LayerInfo

IndexT = TypeVar("IndexT", bound=ReadableIndex)


@dataclass(frozen=True, slots=True)
class BlockMaps:
    """The maxima of the maps of a block, and the minima of what their rectifiers read, if these are wanted."""

    maxima: Reduced
    minima: Reduced | None


class IndexPass(Generic[IndexT]):
    """A pass over the crops that an index lacks. Add decoded batches in any order, then ask for the index.

    Parameters
    ----------
    bundle : ModelBundle
        The model, on its device.
    start : ActivationIndex
        The index to go on from, `ActivationIndex.empty` at first.
    job : JobContext, optional
        Its device lease is taken for each operation of the model.
    """

    def __init__(self, bundle: ModelBundle, start: IndexT, job: JobContext | None = None) -> None:
        self._start, self._job, self._transform = start, as_job(job), bundle.transform
        self._options = start.identity.options
        reference = reference_tensor(bundle.model)
        self._device, self._dtype = reference.device, reference.dtype
        check_precision(self._options.precision, self._device)
        parts = [start.tallies[info.name] for info in start.layers]
        ends = accumulate((info.channels for info in start.layers), initial=0)
        self._slices = {info.name: pair for info, pair in zip(start.layers, pairwise(ends), strict=True)}
        self._widths = np.repeat([info.width for info in start.layers], [info.channels for info in start.layers])
        # Integers of 64 bits and scattered additions are not to be had on every device.
        self._tally = UnitTally.joined(parts, self._device if self._device.type == "cuda" else "cpu")
        self._sample = SampleTable(self._options.samples, self._options.seed, start.sample, self._tally.sample)
        self._tally.sample = LayerSample.empty(self._tally.units)  # the table has it
        self._forward = ForwardPass(
            bundle.network,
            self._slices,
            channels_last=self._options.memory_format == "channels_last",
            before_rectifiers=self._tally.negative is not None,
        )
        self._ranges, self._contents, self._skipped = start.crop_ranges, start.contents.copy(), list(start.skipped)
        self._labels = np.full(len(start.contents), -1, np.int64)
        for source, label in start.source_labels.items():
            self._labels[source] = label
        self._size = block_size(bundle.network)
        self._refresh_thresholds()

    @property
    def block_size(self) -> int:
        """The number of crops that the model takes at once. Parts of an image set that are cut at multiples of it need no padding."""
        return self._size

    @property
    def crop_ranges(self) -> CropRanges:
        """The crops so far, those that were skipped included."""
        return self._ranges

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """The layers of the index."""
        return self._start.layers

    def add(self, batch: DecodedBatch) -> None:
        """Add the crops of a batch, in this thread; most efficient if it ends at a multiple of `block_size`.

        Raises
        ------
        ModelError
            If a feature map contains NaN or infinity.
        """
        for block in self.blocks([batch]):
            self.take(block, self.work(block))

    def blocks(self, batches: Iterable[DecodedBatch]) -> Iterator[DecodedBatch]:
        """Iterate over the blocks of batches, in their order. What was skipped is recorded."""
        waiting: list[DecodedBatch] = []  # crops of one block, which is not full
        for batch in batches:
            self._skip(batch)
            parts = list(block_parts(joined_batches([*waiting, batch]), self._size))
            waiting = [] if not parts or is_full(parts[-1], self._size) else [parts.pop()]
            yield from parts
        yield from waiting

    def work(self, block: DecodedBatch) -> BlockMaps:
        """Return the reduced maps of the crops of one block. Safe to call in several threads."""
        rows = block.crops % self._size
        may_enter = sample_hashes(self._options.seed, block.contents, block.numbers) <= self._sample.limit
        with torch.no_grad(), in_precision(self._options.precision, self._device):
            pixels = input_in_format(upload(in_rows(block.pixels, rows, self._size), self._device), self._options.memory_format)
            inputs = self._transform.normalise(pixels) if isinstance(self._transform, Preprocess) else pixels
            reduction = BlockReduction(
                self._slices,
                self._thresholds,
                torch.from_numpy(rows).to(self._device),
                torch.from_numpy(rows[may_enter]).to(self._device),
                self._classes(block, rows),
                all_positions=self._device.type != "cpu",
            )
            before = None if self._tally.negative is None else reduction.visit_before
            self._forward.run(inputs.to(self._dtype), reduction.visit, before, self._job.device_lease)
            return BlockMaps(reduction.maxima_of(self._slices), None if before is None else reduction.minima_of(self._slices))

    def take(self, block: DecodedBatch, maps: BlockMaps) -> None:
        """Add the crops of a block, whose reduced maps `work` returned. Raises ModelError as `add`."""
        maxima = maps.maxima
        self._require_finite(maxima.values, block)
        self._tally.stats.update(maxima.values.to(self._tally.stats.sums.device))
        self._contents[block.sources], self._labels[block.sources] = block.contents, block.labels
        entered = self._sample.enter(block.crops, block.sources, block.numbers, block.contents)
        if len(entered):
            rows = torch.from_numpy(entered).to(self._device)
            self._sample.fill(maxima.values[rows].cpu().numpy(), maxima.positions[rows].cpu().numpy())
        self._rank(block, maxima, maps.minima)
        self._ranges = joined_ranges(self._ranges, ranges_of_numbers(block.crops))

    def index(self, layers: tuple[str, ...] | None = None) -> IndexT:
        """Return the index of the crops so far, which no longer changes, of all layers or of those of some dotted names."""
        infos = tuple(info for info in self._start.layers if layers is None or info.name in layers)
        tallies = {info.name: self._tally_of(*self._slices[info.name]) for info in infos}
        sources = np.unique(np.concatenate([self._sample.sample.sources, *(tally.sources() for tally in tallies.values())]))
        labels = self._labels[sources]
        digests = dict(self._start.identity.layers)
        return replace(
            self._start,
            identity=replace(self._start.identity, layers=tuple((info.name, digests[info.name]) for info in infos)),
            layers=infos,
            tallies=tallies,
            crop_ranges=self._ranges,
            contents=self._contents.copy(),
            sample=self._sample.sample,
            source_labels=dict(zip(sources[labels >= 0].tolist(), labels[labels >= 0].tolist(), strict=True)),
            skipped=tuple(self._skipped),
        )

    def _tally_of(self, start: int, stop: int) -> UnitTally:
        return replace(self._tally.take(start, stop), sample=self._sample.found(start, stop))

    def _classes(self, block: DecodedBatch, rows: NDArray[np.int64]) -> Tensor | None:
        """Return the class of each row of a block, -1 for none; None if activations per class are not wanted."""
        if self._tally.per_class is None:
            return None
        classes = np.where(block.labels < len(self._start.categories), block.labels, -1)
        table = np.full(self._size, -1, np.int64)
        table[rows] = classes
        return torch.from_numpy(table).to(self._device)

    def _skip(self, batch: DecodedBatch) -> None:
        if batch.skipped:
            self._skipped = list(sorted_by_name((*self._skipped, *(image for _, image in batch.skipped))))
            self._ranges = joined_ranges(self._ranges, ranges_of_numbers(np.unique([crop for crop, _ in batch.skipped])))

    def _rank(self, batch: DecodedBatch, maxima: Reduced, minima: Reduced | None) -> None:
        found, rows = self._entries(batch, maxima, 1)
        changed = self._tally.ranking.offer(found)
        if self._tally.per_class is not None:
            classes = len(self._start.categories)
            labels = batch.labels[rows]
            labelled = (labels >= 0) & (labels < classes)
            of_class = found._replace(unit=found.unit * classes + labels).take(labelled)
            changed |= self._tally.per_class.offer(of_class)
        if self._tally.negative is not None and minima is not None:
            self._require_finite(minima.values, batch)
            changed |= self._tally.negative.offer(self._entries(batch, minima, -1)[0])
        if changed:
            self._refresh_thresholds()

    def _entries(self, batch: DecodedBatch, reduced: Reduced, sign: int) -> tuple[Entries, NDArray[np.int64]]:
        """Return the candidates as activations, with their values times `sign`, and the rows of the batch that they are of."""
        at = torch.nonzero(reduced.candidates, as_tuple=True)
        rows, unit = (part.cpu().numpy() for part in at)
        positions = reduced.positions[at].cpu().numpy().astype(np.int64)
        row, column = np.divmod(positions, self._widths[unit])
        ids = (batch.sources[rows], batch.crops[rows], row, column, batch.numbers[rows], batch.contents.view(np.int64)[rows])
        return Entries(unit, sign * reduced.values[at].cpu().numpy(), *ids), rows

    def _require_finite(self, values: Tensor, batch: DecodedBatch) -> None:
        finite = torch.isfinite(values)
        if bool(finite.all()):
            return
        unit = int(torch.nonzero(~finite.all(dim=0))[0])
        layer = next(name for name, (start, stop) in self._slices.items() if start <= unit < stop)
        rows = (~finite[:, slice(*self._slices[layer])]).any(dim=1)
        crop = int(batch.crops[int(torch.nonzero(rows)[0])])
        raise ModelError(f"Layer {layer} contains NaN or infinity for crop {crop}: check the weights and the input transform")

    def _refresh_thresholds(self) -> None:
        def on_device(ranking: RunningTopK | None) -> Tensor | None:
            return None if ranking is None else torch.from_numpy(ranking.thresholds.copy()).to(self._device)

        strongest, per_class = on_device(self._tally.ranking), on_device(self._tally.per_class)
        assert strongest is not None
        per_class = None if per_class is None else per_class.view(len(strongest), -1)
        self._thresholds = Thresholds(strongest, on_device(self._tally.negative), per_class)
