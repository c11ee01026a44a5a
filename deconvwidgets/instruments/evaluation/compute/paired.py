"""Statistics of two classifiers on the same photographs."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

METHOD = "paired interval of Agresti & Min 2005 (Wald with 1/2 added to each of the four counts), exact McNemar test"
CONFIDENCE = 0.95


def paired_interval(gained: int, lost: int, total: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the confidence interval of the difference of two paired shares.

    Source: Agresti & Min 2005, "Simple improved confidence intervals for comparing matched proportions", Statistics in Medicine 24: the
    Wald interval with 1/2 added to each cell of the 2 x 2 table. It keeps its coverage where few photographs change.

    Parameters
    ----------
    gained, lost : int
        The numbers of photographs that became right, and that became wrong.
    total : int
        The number of photographs.
    confidence : float
        Its level.

    Returns
    -------
    (float, float)
        Bounds of the change of accuracy, within [-1, 1].
    """
    count, up, down = total + 2, gained + 0.5, lost + 0.5
    change = (up - down) / count
    spread = NormalDist().inv_cdf((1 + confidence) / 2) * sqrt(up + down - (up - down) ** 2 / count) / count
    return max(-1.0, change - spread), min(1.0, change + spread)


def mcnemar_exact(gained: int, lost: int) -> float:
    """Return the two-sided p-value of McNemar's exact test: of the binomial distribution of `gained` in `gained + lost`, share 1/2.

    It is computed in integers, so that it is exact to the last digit for any numbers.
    """
    changed, fewer = gained + lost, min(gained, lost)
    term = total = 1  # binomial coefficients
    for number in range(fewer):
        term = term * (changed - number) // (number + 1)
        total += term
    probability: float = total / 2**changed
    return min(1.0, 2 * probability)
