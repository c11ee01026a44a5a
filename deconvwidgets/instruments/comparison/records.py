"""The records of a comparison of two models: matched units, what became of each unit, and the similarity of layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe, one_of
from deconvwidgets.errors import ComparisonError
from deconvwidgets.instruments.comparison import summary, table
from deconvwidgets.instruments.comparison.thresholds import Thresholds as Thresholds
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.repr import compact_repr

if TYPE_CHECKING:
    import pandas as pd

Pairing = Literal["name", "CKA", "given"]
Order = Literal["correlation", "strongest", "share_active"]
STATUSES_A = ("kept", "moved", "changed", "merged", "died", "lost", "dead", "constant")
STATUSES_B = ("kept", "moved", "changed", "split", "new", "dead", "constant")


@dataclass(frozen=True, slots=True)
class UnitMatch:
    """A unit of a and the unit of b that it is matched to; or one of them alone.

    Attributes
    ----------
    unit_a, unit_b : int or None
        None if the other has no partner.
    correlation : float
        Of their activations; NaN without a partner, and if one of them is dead or constant.
    status : str
        What became of `unit_a`; of `unit_b` if there is no `unit_a`.
    status_b : str or None
        Where `unit_b` comes from. It can differ from `status`: an optimal matching also joins units that have nothing in common.
    """

    unit_a: int | None
    unit_b: int | None
    correlation: float
    status: str
    status_b: str | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class UnitSide:
    """The N units of one model's layer in a comparison with another's. Arrays have the shape (N,).

    Attributes
    ----------
    match : ndarray, int64
        The unit of the other model that each is matched to; -1 for none.
    correlation : ndarray, float64
        The correlation with it; NaN without one.
    nearest : ndarray, int64
        The unit of the other model that it correlates with most, matched to it or not; -1 for a dead or constant unit.
    nearest_correlation : ndarray, float64
        The correlation with that.
    other_correlation : ndarray, float64
        The highest correlation with another unit than the match: what the correlation with the match stands out from, or does not.
    copy_of : ndarray, int64
        Of a unit that is split or merged, the unit of the other model that it is the same as, besides that one's match; -1 for the others.
    status : ndarray of str
        Exactly one of `STATUSES_A` or `STATUSES_B` each.
    maximum, mean, share_active : ndarray, float64
        Maximum and mean of the activations, and the share of crops in which the unit is active, over all crops of the index.
    """

    match: NDArray[np.int64]
    correlation: NDArray[np.float64]
    nearest: NDArray[np.int64]
    nearest_correlation: NDArray[np.float64]
    other_correlation: NDArray[np.float64]
    copy_of: NDArray[np.int64]
    status: NDArray[np.str_]
    maximum: NDArray[np.float64]
    mean: NDArray[np.float64]
    share_active: NDArray[np.float64]

    __repr__ = compact_repr

    def with_status(self, status: str) -> tuple[int, ...]:
        """Return the units with a status, ascending. Raises ComparisonError for an unknown status."""
        one_of(status, "status", (*STATUSES_A, "split", "new"), ComparisonError)
        return tuple(np.flatnonzero(self.status == status).tolist())

    def pairs(self, status: str) -> tuple[tuple[int, int], ...]:
        """Return the units with a status, ascending, each with its match."""
        return tuple((unit, int(self.match[unit])) for unit in self.with_status(status))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LayerComparison:
    """A layer of model a compared with one of model b.

    Attributes
    ----------
    info_a, info_b : LayerInfo
    paired : {"name", "CKA", "given"}
        Why these two: they have the same name, no layer of b has a higher CKA, or the caller said so.
    cka : float
        Linear CKA of the two layers; NaN if one of them has no unit that varies.
    thresholds : Thresholds
        Those of the comparison, raised to what unrelated units reach by chance where few photographs are compared.
    a, b : UnitSide
        The units of both.
    strongest : ndarray of shape (U,), float64
        The share of the nine strongest photographs that each unit of a has in common with its match; NaN without one.
    """

    info_a: LayerInfo
    info_b: LayerInfo
    paired: Pairing
    cka: float
    thresholds: Thresholds
    a: UnitSide
    b: UnitSide
    strongest: NDArray[np.float64]

    __repr__ = compact_repr

    @property
    def short_name(self) -> str:
        """The name of the layer of a; both names if they differ."""
        first, second = self.info_a.short_name, self.info_b.short_name
        return first if first == second else f"{first} / {second}"

    @property
    def matches(self) -> tuple[UnitMatch, ...]:
        """Every unit of both layers once: those of a in order with their partners, then those of b without one."""
        first = [
            UnitMatch(unit, other if other >= 0 else None, value, status, str(self.b.status[other]) if other >= 0 else None)
            for unit, (other, value, status) in enumerate(
                zip(self.a.match.tolist(), self.a.correlation.tolist(), self.a.status.tolist(), strict=True)
            )
        ]
        alone = np.flatnonzero(self.b.match < 0).tolist()
        return (*first, *(UnitMatch(None, unit, float("nan"), str(self.b.status[unit]), str(self.b.status[unit])) for unit in alone))

    @property
    def counts(self) -> dict[str, int]:
        """The number of units with each status: those of a, then the units of b that are split or new."""
        found = {status: int((self.a.status == status).sum()) for status in STATUSES_A}
        return {**found, **{status: int((self.b.status == status).sum()) for status in ("split", "new")}}

    @property
    def median_correlation(self) -> float:
        """The median correlation of the units of a with their matches; NaN if there are none that vary."""
        return table.median(self.a.correlation)

    @property
    def median_other(self) -> float:
        """The median of the highest correlation of each unit of a with another unit than its match; NaN if there are none that vary."""
        return table.median(self.a.other_correlation)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Comparison:
    """Two models compared unit by unit, over the same images. Made by `dw.compare` and `dw.compare_indexes`, which define the statuses.

    Attributes
    ----------
    name_a, name_b : str
        The models.
    image_set : str
    images : str
        The digest of the image set.
    crops, photographs : int
        The numbers of crops, and of different photographs that they are of, that correlations and CKA are computed over.
    total : int
        The number of crops that both models saw. If it is larger than `crops`, these are a random sample without copies.
    thresholds : Thresholds
    layers : tuple of LayerComparison
        The pairs of layers.
    layers_a, layers_b : tuple of LayerInfo
        All compared layers of both: the rows and the columns of `cka`.
    cka : ndarray of shape (layers_a, layers_b), float64
        Linear CKA of each layer of a with each of b.
    notes : tuple of str
        Sentences about what limits the comparison.
    """

    name_a: str
    name_b: str
    image_set: str
    images: str
    crops: int
    photographs: int
    total: int
    thresholds: Thresholds
    layers: tuple[LayerComparison, ...]
    layers_a: tuple[LayerInfo, ...]
    layers_b: tuple[LayerInfo, ...]
    cka: NDArray[np.float64]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return summary.text(self)

    def _repr_html_(self) -> str:
        return summary.html(self)

    def layer(self, name: str) -> LayerComparison:
        """Return a pair of layers by a name or alias of a's layer, or else of b's. Raises ComparisonError for an unknown one."""
        for side in ("info_a", "info_b"):
            for pair in self.layers:
                info: LayerInfo = getattr(pair, side)
                if isinstance(name, str) and name in (info.name, info.alias):
                    return pair
        known = ", ".join(pair.short_name for pair in self.layers)
        raise ComparisonError(f"The comparison has no layer {describe(name)}. It has {known}: choose one, or compare with layers=[...].")

    def matches(self, layer: str) -> tuple[UnitMatch, ...]:
        """Return every unit of both layers once: those of a in order with their partners, then those of b without one."""
        return self.layer(layer).matches

    def kept(self, layer: str) -> tuple[int, ...]:
        """Return the units that are the same in b, under their own number."""
        return self.layer(layer).a.with_status("kept")

    def moved(self, layer: str) -> tuple[tuple[int, int], ...]:
        """Return the units that are the same in b under another number, as (unit of a, unit of b)."""
        return self.layer(layer).a.pairs("moved")

    def changed(self, layer: str) -> tuple[tuple[int, int], ...]:
        """Return the units that are related to their match, and not the same, as (unit of a, unit of b)."""
        return self.layer(layer).a.pairs("changed")

    def split(self, layer: str) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Return the units that are the same as several of b, as (unit of a, units of b): its match first, then the others ascending.

        They are in `kept` or `moved` as well.
        """
        pair = self.layer(layer)
        return table.joined(pair.a, pair.b, "split")

    def merged(self, layer: str) -> tuple[tuple[tuple[int, ...], int], ...]:
        """Return the units of b that several of a are the same as, as (units of a, unit of b): its match first."""
        pair = self.layer(layer)
        return tuple((others, unit) for unit, others in table.joined(pair.b, pair.a, "merged"))

    def died(self, layer: str) -> tuple[int, ...]:
        """Return the units of a that respond to the images, and whose match in b is dead or constant."""
        return self.layer(layer).a.with_status("died")

    def lost(self, layer: str) -> tuple[int, ...]:
        """Return the units of a that no unit of b corresponds to, and that did not die."""
        return self.layer(layer).a.with_status("lost")

    def new(self, layer: str) -> tuple[int, ...]:
        """Return the units of b that correspond to no unit of a."""
        return self.layer(layer).b.with_status("new")

    def changed_most(self, layer: str | None = None, count: int = 20, by: Order = "correlation") -> tuple[tuple[str, UnitMatch], ...]:
        """Return the matched units that changed most, as (layer of a, match), the most changed first.

        Parameters
        ----------
        layer : str, optional
            By default all layers together.
        count : int
            At most so many.
        by : {"correlation", "strongest", "share_active"}
            By the lowest correlation, by the fewest of the nine strongest photographs in common, or by the largest difference of the share
            of crops in which the two are active.

        Raises ComparisonError for an unknown layer or order, or a count that is no integer of at least 1.
        """
        one_of(by, "order", get_args(Order), ComparisonError)
        pairs = self.layers if layer is None else (self.layer(layer),)
        return table.changed_most(pairs, count, by)

    def to_dataframe(self, layer: str | None = None) -> pd.DataFrame:
        """Return a row per unit match, of one layer or of all, as a pandas DataFrame. Raises ComparisonError without pandas."""
        return table.to_dataframe(self, self.layers if layer is None else (self.layer(layer),))

    def to_csv(self, layer: str | None = None) -> bytes:
        """Return the table of `to_dataframe` as the bytes of a CSV file; it does not need pandas."""
        return table.to_csv(self.layers if layer is None else (self.layer(layer),))
