"""The index of the crops so far, while a pass over all of them goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from deconvwidgets.arguments import describe
from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.records.layers import LayerInfo

if TYPE_CHECKING:
    from deconvwidgets.index.activation_index import ActivationIndex


class Growing(Protocol):
    """An index that grows: a pass in this process, or the merged indexes of the parts that others finished."""

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """The layers."""
        ...

    def index(self, layers: tuple[str, ...] | None = None) -> Any:
        """Return the index of the crops so far, which no longer changes, of all layers or of those of some dotted names."""
        ...


@dataclass(frozen=True, slots=True)
class IndexSoFar:
    """A view on a pass, valid until its next batch.

    Parameters
    ----------
    index_pass : Growing
    crops : int
        The number of crops so far.
    """

    index_pass: Growing
    crops: int

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """The layers of the pass."""
        return self.index_pass.layers

    def copy(self, layers: Sequence[str]) -> ActivationIndex:
        """Return the index of the crops so far, of the layers of these dotted names. It no longer changes."""
        copied: ActivationIndex = self.index_pass.index(tuple(layers))
        return copied


OnSoFar = Callable[[IndexSoFar], None]


def checked_on_so_far(on_so_far: OnSoFar | None) -> OnSoFar | None:
    """Return the function. Raises ActivationIndexError if it cannot be called."""
    if on_so_far is not None and (not callable(on_so_far) or isinstance(on_so_far, type)):
        raise ActivationIndexError(f"on_so_far must be a function of an IndexSoFar, not {describe(on_so_far)}.")
    return on_so_far
