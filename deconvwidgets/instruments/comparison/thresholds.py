"""From which correlations on units are the same, and related."""

from __future__ import annotations

from dataclasses import dataclass

from deconvwidgets.arguments import describe, finite_number
from deconvwidgets.errors import ComparisonError
from deconvwidgets.records.unit_relations import RELATED_UNIT, SAME_UNIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What decides about the statuses of units, in `dw.compare` and in `dw.check`.

    Attributes
    ----------
    same : float
        Units whose activations correlate with at least this are the same.
    related : float
        Units that correlate with each other by at least this, less than `same`, and not more with any other, are the same unit changed.

    Raises
    ------
    ComparisonError
        Unless 0 < related <= same <= 1.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> dw.Thresholds(same=0.99)
    Thresholds(same=0.99, related=0.5)
    """

    same: float = SAME_UNIT
    related: float = RELATED_UNIT

    def __post_init__(self) -> None:
        same, related = finite_number(self.same), finite_number(self.related)
        if same is None or related is None or not 0 < related <= same <= 1:
            raise ComparisonError(
                "thresholds must be correlations with 0 < related <= same <= 1, not "
                f"same={describe(self.same)} and related={describe(self.related)}."
            )
        object.__setattr__(self, "same", same)
        object.__setattr__(self, "related", related)
