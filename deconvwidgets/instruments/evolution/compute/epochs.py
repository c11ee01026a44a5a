"""The activation indexes of the checkpoints so far, and what follows from them. Immutable: one more checkpoint makes a new object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from deconvwidgets.errors import CheckpointError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.evolution.compute.choose_units import choose_units
from deconvwidgets.instruments.evolution.compute.convergence import measure_convergence
from deconvwidgets.instruments.evolution.compute.epoch_index import check_same_architecture
from deconvwidgets.instruments.evolution.compute.strongest import strongest_activations
from deconvwidgets.instruments.evolution.records import LayerConvergence, StrongestActivations
from deconvwidgets.records.layers import LayerInfo


class IndexedEpochs:
    """The indexes of some checkpoints of one training.

    Parameters
    ----------
    indexes : mapping of int to ActivationIndex
        By epoch, in any order.
    """

    def __init__(self, indexes: Mapping[int, ActivationIndex] | None = None) -> None:
        self.indexes: Mapping[int, ActivationIndex] = dict(sorted((indexes or {}).items()))
        # What was computed so far. Two threads may compute the same at a time; both results are equal.
        self._strongest: dict[str, StrongestActivations] = {}
        self._convergence: dict[str, LayerConvergence] = {}

    def __len__(self) -> int:
        return len(self.indexes)

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epochs, ascending."""
        return tuple(self.indexes)

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """The layers; none without an index."""
        return next(iter(self.indexes.values())).layers if self.indexes else ()

    @property
    def last(self) -> ActivationIndex:
        """The index of the last epoch. Raises CheckpointError if there is none."""
        if not self.indexes:
            raise CheckpointError("No checkpoint has an activation index yet: wait until the first one is built.")
        return self.indexes[self.epochs[-1]]

    def with_index(self, epoch: int, index: ActivationIndex) -> IndexedEpochs:
        """Return the indexes with one more. Raises ActivationIndexError if it is of another architecture."""
        check_same_architecture(index, self.layers)
        return IndexedEpochs({**self.indexes, epoch: index})

    def layer(self, name: str) -> LayerInfo:
        """Return a layer by any of its names. Raises LayerError if there is none."""
        return self.last.layer(name)

    def strongest(self, layer: str) -> StrongestActivations:
        """Return the strongest activation of each unit of a layer at each epoch. Raises LayerError for an unknown layer."""
        name = self.layer(layer).name
        if name not in self._strongest:
            self._strongest[name] = strongest_activations(self.indexes, name)
        return self._strongest[name]

    def convergence(self, layer: str) -> LayerConvergence:
        """Return how far a layer has converged at each epoch, against the last one. Raises LayerError for an unknown layer."""
        name = self.layer(layer).name
        if name not in self._convergence:
            self._convergence[name] = measure_convergence(self.indexes, self.strongest(name))
        return self._convergence[name]

    def units(
        self, layer: str, choose: Literal["random", "changed"] | Sequence[int] = "random", count: int = 4, seed: int = 0
    ) -> tuple[int, ...]:
        """Return units of a layer; see `choose_units`."""
        return choose_units(self.strongest(layer), choose, count, seed)
