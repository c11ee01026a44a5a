"""The pass over a part of the crops in another process: a picklable description of it, and the bytes of the part's index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deconvwidgets.compute.decoded import DecodedBatch
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.index.index_pass import IndexPass
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device


@dataclass(frozen=True)
class PartPass:
    """How a part of the crops is indexed: a pure function of its crops, so that it can be done again anywhere.

    Parameters
    ----------
    bundle : ModelBundle
        The model, on the CPU. It is traced again in the process that begins the pass.
    empty : ActivationIndex
        The index of no crops, whose identity has the precision and the memory format: they are chosen once, for all processes.
    device : str
        Where the model computes.
    """

    bundle: ModelBundle
    empty: ActivationIndex
    device: str

    def begin(self) -> Callable[[DecodedBatch], bytes]:
        """Prepare the model, and return the function that makes the index of a part, as the bytes of an index file."""
        bundle = on_device(self.bundle, self.device)

        def index_of(part: DecodedBatch) -> bytes:
            index_pass = IndexPass(bundle, self.empty)
            index_pass.add(part)
            return index_pass.index().to_bytes()

        return index_of


def merged_bytes(left: bytes, right: bytes) -> bytes:
    """Return the bytes of the index of the crops of two indexes."""
    return ActivationIndex.from_bytes(left).merge(ActivationIndex.from_bytes(right)).to_bytes()
