"""The methods of `ActivationIndex` that answer questions; each calls a function of an index in another module of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from deconvwidgets.index.queries import columns, correlation, dataframes, places, unit_map, unit_range
from deconvwidgets.index.queries.correlation import Profiles
from deconvwidgets.index.queries.sampled import required_sample
from deconvwidgets.index.queries.unit_map import MapMethod
from deconvwidgets.records.unit_relations import SAME_UNIT

if TYPE_CHECKING:
    import pandas as pd

    from deconvwidgets.images.image_set import ImageSet
    from deconvwidgets.index.activation_index import ActivationIndex
    from deconvwidgets.records.activations import Activation
    from deconvwidgets.records.unit_columns import UnitColumns
    from deconvwidgets.records.unit_range import UnitRange
    from deconvwidgets.records.unit_relations import NearCopies, UnitMap


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

    def most_negative(self, layer: str, unit: int, k: int | None = None) -> list[Activation]:
        """Return where a unit is most negative before its rectifier, at most k places, the most negative first.

        What drives a unit most negative is the opposite of what it detects. After the rectifier it cannot be seen. The same holds for other
        activation functions, such as GELU: the values are those that they read.

        Raises
        ------
        LayerError
            For an unknown layer or unit.
        ActivationIndexError
            If the index does not keep them (`negative=False`, or a model that is run by hooks), and if k is larger than the index's k.
        """
        return places.most_negative(_index(self), layer, unit, k)

    def top_of_class(self, layer: str, unit: int, label: str | int, k: int | None = None) -> list[Activation]:
        """Return a unit's strongest activations in photographs of one class, at most k, strongest first.

        Parameters
        ----------
        layer : str
        unit : int
        label : str or int
            The name of the class, or its number.
        k : int, optional
            By default as many as the index keeps: its `per_class`.

        Raises
        ------
        LayerError
            For an unknown layer or unit.
        ActivationIndexError
            If the index was built without `per_class`, for an unknown class, and if k is larger than `per_class`.
        """
        return places.top_of_class(_index(self), layer, unit, label, k)

    def unit_columns(self, layer: str) -> UnitColumns:
        """Return the columns of the table of a layer's units, as arrays: those of `to_dataframe`, without pandas.

        Raises
        ------
        LayerError
            For an unknown layer.
        """
        return columns.unit_columns(_index(self), layer)

    def units(self, layer: str, where: str = "", *, sort: str | None = None, descending: bool = True) -> list[int]:
        """Return the units of a layer for which a condition on the columns of `to_dataframe` holds.

        Parameters
        ----------
        layer : str
        where : str
            Comparisons of columns, numbers and texts (`==`, `!=`, `<`, `<=`, `>`, `>=`, `in`), joined by `and`, `or`, `not`, such as
            "selectivity > 5 and not dead", "max > 2 * mean", "top_class in ('cat', 'dog')", "'terrier' in top_class". A comparison with a
            missing value does not hold. By default all units.
        sort : str, optional
            A column to sort by; of equal values the smaller unit is first, and missing ones are last. By default the units ascend.
        descending : bool
            Whether the largest value of `sort` is first.

        Raises
        ------
        LayerError
            For an unknown layer.
        ActivationIndexError
            For a condition that cannot be read, with the place in it, and for an unknown column.
        """
        return columns.units(_index(self), layer, where, sort, descending)

    def dead_units(self, layer: str) -> list[int]:
        """Return the units that are 0 in every crop, ascending. Raises LayerError for an unknown layer."""
        return columns.dead_units(_index(self), layer)

    def to_dataframe(self, layer: str | None = None) -> pd.DataFrame:
        """Return a row per unit, of one layer or of all, as a pandas DataFrame.

        The columns:

        - layer, alias, unit: the layer's dotted name and alias, and the unit's number.
        - max, mean, std: of the unit's activation, the maximum of its feature map, over all crops.
        - selectivity: (max - mean) / std.
        - share_active: the share of the crops in which the activation is above zero; dead: whether it is 0 in all.
        - peaks: separate peaks of the histogram of the activations above zero (`index.queries.peaks`).
        - top_class, class_count, class_purity: the most frequent class of the 9 strongest activations (or fewer), how many are of it, and
          their share of those that have a label.
        - nearest_unit, nearest_correlation: the unit of the layer whose activations correlate most, over the sampled crops, and Pearson's
          correlation; `attrs["samples"]` is the number of these crops.
        - most_negative: the most negative value before the rectifier.

        What is not known is missing. `attrs` also names the model, the image set and the number of crops.

        Raises
        ------
        LayerError
            For an unknown layer.
        ActivationIndexError
            If pandas is not installed.
        """
        return dataframes.to_dataframe(_index(self), layer)

    def top_dataframe(self, layer: str | None = None, k: int | None = None, images: ImageSet | None = None) -> pd.DataFrame:
        """Return a row per strongest activation, of the units of one layer or of all, as a pandas DataFrame.

        The columns: layer, alias, unit, rank (0 is the strongest), crop and source (the numbers of crop and photograph in the image set),
        file (the photograph's name, only if `images` is given), label (its class), value, row and column (in the feature map), left, top,
        right and bottom (the receptive field in input pixels; it may reach over the border).

        Parameters
        ----------
        layer : str, optional
        k : int, optional
            The number of activations per unit; by default all that the index keeps.
        images : ImageSet, optional
            The image set that the index was built from, for the names of the photographs.

        Raises
        ------
        LayerError
            For an unknown layer.
        ActivationIndexError
            If pandas is not installed, if k is larger than the index's k, and for other images.
        """
        return dataframes.top_dataframe(_index(self), layer, k, images)

    def whole_range(self, layer: str, unit: int, bins: int = 5, per_bin: int = 4, seed: int = 0) -> UnitRange:
        """Return examples of a unit's activations over its whole range, from quantile bins of the sampled crops, strongest first.

        Parameters
        ----------
        layer : str
        unit : int
        bins : int
            The number of quantile bins: each has as many crops, if no activations are equal. Equal ones, such as the zeros of a rectified
            unit, stay together, so that there may be fewer bins.
        per_bin : int
            The number of examples from each bin, drawn at random without replacement.
        seed : int
            The seed of the choice.

        Raises
        ------
        LayerError
            For an unknown layer or unit.
        ActivationIndexError
            If the index keeps no sample, and for an invalid number.
        """
        sampled = required_sample(_index(self), layer)
        return unit_range.whole_range(sampled, places.checked_unit(sampled.info, unit), bins, per_bin, seed)

    def near_copies(self, layer: str, at_least: float = SAME_UNIT) -> list[NearCopies]:
        """Return the pairs of units whose activations correlate with at least `at_least` over the sampled crops, most correlated first.

        Raises
        ------
        LayerError
            For an unknown layer.
        ActivationIndexError
            If the index keeps no sample, and for a correlation that is not above 0 and up to 1.
        """
        return correlation.near_copies(Profiles.from_values(required_sample(_index(self), layer).values), at_least)

    def unit_map(self, layer: str, method: MapMethod = "auto", seed: int = 0) -> UnitMap:
        """Return the units of a layer as points in two dimensions, from the correlation of their activations over the sampled crops.

        Parameters
        ----------
        layer : str
        method : {"auto", "pca", "tsne", "umap"}
            Principal components; t-SNE, which needs scikit-learn; UMAP, which needs umap-learn. "auto" is t-SNE if scikit-learn is
            installed and the layer has enough units, else principal components.
        seed : int
            The seed of t-SNE and UMAP: on one machine, the same seed gives the same map.

        Raises
        ------
        LayerError
            For an unknown layer.
        ActivationIndexError
            If the index keeps no sample, and if the method is unknown, not installed, or needs more units.
        """
        sampled = required_sample(_index(self), layer)
        return unit_map.unit_map(Profiles.from_values(sampled.values), sampled.info.short_name, len(sampled.crops), method, seed)


def _index(queries: IndexQueries) -> ActivationIndex:
    return cast("ActivationIndex", queries)  # the only class that inherits the methods
