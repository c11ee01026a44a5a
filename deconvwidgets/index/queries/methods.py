"""The methods of `ActivationIndex` that answer questions; each calls a function of an index in another module of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from deconvwidgets.index.queries import places

if TYPE_CHECKING:
    import pandas as pd

    from deconvwidgets.images.image_set import ImageSet
    from deconvwidgets.index.activation_index import ActivationIndex
    from deconvwidgets.records.activations import Activation
    from deconvwidgets.records.unit_columns import UnitColumns
    from deconvwidgets.records.unit_range import UnitRange
    from deconvwidgets.records.unit_relations import NearCopies, UnitMap

MapMethod = Literal["auto", "pca", "tsne", "umap"]


class IndexQueries:
    """Questions to an activation index. `ActivationIndex` inherits them."""

    def top(self, layer: str, unit: int, k: int | None = None) -> list[Activation]:
        """Return a unit's strongest activations, at most k, strongest first; by default all that the index keeps.

        Raises
        ------
        LayerError
            For an unknown layer or unit.
        ActivationIndexError
            If k is larger than the index's k.
        """
        return places.top(_index(self), layer, unit, k)

    def unit_columns(self, layer: str) -> UnitColumns:
        """Return the columns that `units` filters and sorts by, and that `to_dataframe` returns, as arrays.

        Raises
        ------
        LayerError
            For an unknown layer.
        """
        raise NotImplementedError

    def to_dataframe(self, layer: str | None = None) -> pd.DataFrame:
        """Return a row per unit, of one layer or of all, as a pandas DataFrame."""
        raise NotImplementedError

    def top_dataframe(self, layer: str | None = None, k: int | None = None, images: ImageSet | None = None) -> pd.DataFrame:
        """Return a row per strongest activation, of one layer or of all, as a pandas DataFrame."""
        raise NotImplementedError

    def units(self, layer: str, where: str = "", *, sort: str | None = None, descending: bool = True) -> list[int]:
        """Return the units of a layer that satisfy a condition."""
        raise NotImplementedError

    def dead_units(self, layer: str) -> list[int]:
        """Return the units that are active in no crop, ascending."""
        raise NotImplementedError

    def most_negative(self, layer: str, unit: int, k: int | None = None) -> list[Activation]:
        """Return the places where a unit is most negative before its rectifier, at most k, the most negative first."""
        raise NotImplementedError

    def top_of_class(self, layer: str, unit: int, label: str | int, k: int | None = None) -> list[Activation]:
        """Return a unit's strongest activations in photographs of one class, at most k, strongest first."""
        raise NotImplementedError

    def whole_range(self, layer: str, unit: int, bins: int = 5, per_bin: int = 4, seed: int = 0) -> UnitRange:
        """Return examples of a unit's activations from quantile bins of its distribution over the sampled crops."""
        raise NotImplementedError

    def near_copies(self, layer: str, at_least: float = 0.95) -> list[NearCopies]:
        """Return the pairs of units whose activations correlate with at least `at_least`, most correlated first."""
        raise NotImplementedError

    def unit_map(self, layer: str, method: MapMethod = "auto", seed: int = 0) -> UnitMap:
        """Return the units as points in two dimensions, from the correlation of their activations."""
        raise NotImplementedError


def _index(queries: IndexQueries) -> ActivationIndex:
    return cast("ActivationIndex", queries)  # the only class that inherits the methods
