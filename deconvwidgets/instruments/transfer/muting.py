"""The record of a head that was trained without some units, beside one with all units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import HeadError
from deconvwidgets.instruments.transfer.records import HeadReport


@dataclass(frozen=True, slots=True, eq=False)
class MuteReport:
    """Heads with all units and heads without some, trained and tested on the same photographs, fold by fold.

    Attributes
    ----------
    units : tuple of (str, int)
        The (layer, unit) that are left out.
    before, after : HeadReport
        The results with all units and without these. `after.head` has weights of zero for them.
    now_right, now_wrong : ndarray int64
        The numbers (in the image set) of the photographs that are classified correctly in more folds than before, and in fewer.
    p_value : float
        The probability of so unequal numbers of such photographs, or more unequal ones, if both were equally likely (exact sign test,
        two-sided; for one fold it is McNemar's test); 1 if none changed.
    class_changes : ndarray (classes,) float64
        The change of the accuracy of each class over all folds; NaN for a class without tests.
    """

    units: tuple[tuple[str, int], ...]
    before: HeadReport
    after: HeadReport
    now_right: NDArray[np.int64]
    now_wrong: NDArray[np.int64]
    p_value: float
    class_changes: NDArray[np.float64]

    @property
    def changes(self) -> tuple[float, ...]:
        """The change of the accuracy in each fold that both have (while a head is trained, the later ones are missing), a share."""
        return tuple(after - before for before, after in zip(self.before.per_fold, self.after.per_fold, strict=False))

    @property
    def change(self) -> float:
        """The mean change of the accuracy over folds, a share."""
        return float(np.mean(self.changes))

    @property
    def worst_class(self) -> tuple[str, float]:
        """The class whose accuracy fell most, or rose least, and its change."""
        number = int(np.nanargmin(self.class_changes))
        return self.before.categories[number], float(self.class_changes[number])

    def describe(self) -> str:
        """Return the change of the accuracy, the photographs that changed, and the worst class as a sentence."""
        name, change = self.worst_class
        loss = f"largest loss: {name} {100 * change:+.1f} points" if change < 0 else "no class lost"
        return (
            f"{100 * self.change:+.1f} points without {name_units(self.units)}: {len(self.now_right):,} photographs now right, "
            f"{len(self.now_wrong):,} now wrong (p = {self.p_value:.2g}); {loss}"
        )

    def __repr__(self) -> str:
        return f"MuteReport({self.describe()})"


def parse_units(text: str) -> tuple[tuple[str, int], ...]:
    """Return the units of a text as `name_units` writes it. Raises HeadError for any other.

    >>> parse_units("conv5 133, 254, conv4 7")
    (('conv5', 133), ('conv5', 254), ('conv4', 7))
    """
    layer, units = "", []
    for word in text.replace(",", " ").replace(";", " ").split():
        if not word.isdecimal():
            layer = word
        elif layer:
            units.append((layer, int(word)))
        else:
            raise HeadError(f"Name the layer of unit {word} first, such as 'conv5 133, 254'.")
    if not units:
        raise HeadError("Name the units to leave out, such as 'conv5 133, 254'.")
    return tuple(units)


def name_units(units: Iterable[tuple[str, int]]) -> str:
    """Return units as text, layer by layer.

    >>> name_units([("conv5", 133), ("conv5", 254), ("conv4", 7)])
    'conv5 133, 254, conv4 7'
    """
    grouped = groupby(units, key=lambda unit: unit[0])
    return ", ".join(f"{layer} {', '.join(str(number) for _, number in members)}" for layer, members in grouped)
