"""The pass over a part of the crops, in whatever process: a picklable description of it, and the bytes of the part's index."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass

import torch

from deconvwidgets.compute.decoded import DecodedBatch
from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.compute.job import JobContext
from deconvwidgets.compute.stream import PreparedCrop
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.index.builder import IndexPass
from deconvwidgets.index.crop_ranges import joined
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from dataclasses import replace


# TEMPORARY seam
@dataclass(frozen=True)
class PartPass:
    bundle: ModelBundle
    index: ActivationIndex  # empty
    decoder: CropDecoder
    device: str

    def begin(self) -> Callable[[DecodedBatch], bytes]:
        bundle = on_device(self.bundle, self.device)
        network = bundle.network

        def index_of(batch: DecodedBatch) -> bytes:
            tallies = {n: t.copy() for n, t in self.index.tallies.items()}
            pas = IndexPass(network, tallies)
            pixels = self.decoder.to_inputs(torch.from_numpy(batch.pixels))
            items = [PreparedCrop(int(c), int(s), p) for c, s, p in zip(batch.crops, batch.sources, pixels, strict=True)]
            pas.run(items, len(items), JobContext())
            ranges = ()
            for c in batch.finished:
                ranges = joined(ranges, ((int(c), int(c) + 1),))
            return pickle.dumps(replace(self.index, tallies=tallies, crop_ranges=ranges))

        return index_of


def merged_bytes(left: bytes, right: bytes) -> bytes:
    return pickle.dumps(pickle.loads(left).merge(pickle.loads(right)))
