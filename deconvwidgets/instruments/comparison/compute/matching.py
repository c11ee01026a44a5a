"""The units of two layers matched one to one, and what became of each; see `deconvwidgets.compare` for the definitions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import stdtrit

from deconvwidgets.index.similarity import varies
from deconvwidgets.instruments.comparison.records import Thresholds

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Names = NDArray[np.str_]

_TIE = 1e-9  # what the same number adds to a correlation: it decides between units that are equally alike
_CHANCE = 0.01  # the probability that a layer of unrelated units has a pair above `chance_correlation`


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """A one-to-one matching of U units of a with V units of b, and the status of each.

    Attributes
    ----------
    match_a, match_b : ndarrays of shapes (U,) and (V,), int64
        The partners; -1 for none.
    copy_of_a, copy_of_b : ndarrays of shapes (U,) and (V,), int64
        Of merged units of a and split units of b the unit of the other side that they are the same as; -1 for the others.
    status_a, status_b : ndarrays of shapes (U,) and (V,) of str
    """

    match_a: Integers
    match_b: Integers
    copy_of_a: Integers
    copy_of_b: Integers
    status_a: Names
    status_b: Names


def match_units(correlations: Floats, silent_a: Names, silent_b: Names, thresholds: Thresholds, tie: float = _TIE) -> Matching:
    """Match the units of two layers, and say what became of each.

    Parameters
    ----------
    correlations : ndarray of shape (U, V), float64
        NaN for units that do not vary.
    silent_a, silent_b : ndarrays of shapes (U,) and (V,) of str
        "dead" or "constant" for units that do not respond to the images; "" for the others.
    thresholds : Thresholds
        Their `related` should not be below `chance_correlation`.
    tie : float
        As for `assignment`.
    """
    known = np.where((silent_a == "")[:, None] & (silent_b == "")[None, :], correlations, np.nan)
    match_a, match_b = assignment(known, tie)
    own_a, own_b = partner_values(known, match_a), partner_values(known.T, match_b)
    is_same_a, is_same_b = own_a >= thresholds.same, own_b >= thresholds.same  # NaN is not
    is_mutual_a = own_a >= np.fmax(nearest(known)[1], np.append(nearest(known.T)[1], np.nan)[match_a])
    is_mutual_b = (match_b >= 0) & np.append(is_mutual_a, False)[match_b]
    copy_of_b = _copies(known, is_same_a, ~is_same_b & (silent_b == ""), thresholds.same)
    copy_of_a = _copies(known.T, is_same_b, ~is_same_a & (silent_a == ""), thresholds.same)
    partner_silent = (match_a >= 0) & (np.append(silent_b, "")[match_a] != "")
    same = np.where(match_a == np.arange(len(match_a)), "kept", "moved")
    status_a = np.select(
        [silent_a != "", is_same_a, partner_silent, copy_of_a >= 0, is_mutual_a & (own_a >= thresholds.related)],
        [silent_a, same, np.full_like(same, "died", "U8"), np.full_like(same, "merged", "U8"), np.full_like(same, "changed", "U8")],
        "lost",
    )
    same = np.where(match_b == np.arange(len(match_b)), "kept", "moved")
    status_b = np.select(
        [silent_b != "", is_same_b, copy_of_b >= 0, is_mutual_b & (own_b >= thresholds.related)],
        [silent_b, same, np.full_like(same, "split", "U8"), np.full_like(same, "changed", "U8")],
        "new",
    )
    return Matching(match_a, match_b, copy_of_a, copy_of_b, status_a, status_b)


def silent_units(dead: NDArray[np.bool_], values: Floats) -> Names:
    """Return for each unit (U,) "dead" if it is 0 in every crop, "constant" if it has only one activation in `values` (S, U), else ""."""
    return np.where(dead, "dead", np.where(varies(values), "", "constant")).astype("U8")


def assignment(correlations: Floats, tie: float = _TIE) -> tuple[Integers, Integers]:
    """Return the one-to-one matching with the largest sum of correlations, as the partners of both sides; -1 for none.

    Negative and missing correlations count as 0. Of equally good matchings one with more units under their own number is taken.

    Parameters
    ----------
    correlations : ndarray of shape (U, V), float64
    tie : float
        What the same number adds to a correlation.
    """
    units_a, units_b = correlations.shape
    gain = np.fmax(correlations, 0)  # fmax: 0 for NaN
    diagonal = np.arange(min(units_a, units_b))
    gain[diagonal, diagonal] += tie
    rows, columns = linear_sum_assignment(gain, maximize=True)
    match_a, match_b = np.full(units_a, -1, np.int64), np.full(units_b, -1, np.int64)
    match_a[rows], match_b[columns] = columns, rows
    return match_a, match_b


def partner_values(correlations: Floats, match: Integers) -> Floats:
    """Return the correlation (U,) of each unit with its partner; NaN without one."""
    padded = np.append(correlations, np.full((len(correlations), 1), np.nan), axis=1)
    return np.asarray(padded[np.arange(len(match)), match], np.float64)


def nearest(correlations: Floats) -> tuple[Integers, Floats]:
    """Return the unit (U,) that each correlates with most, of equal ones the first, and the correlation (U,); -1 and NaN without any."""
    value = np.where(np.isnan(correlations), -np.inf, correlations)
    if not value.shape[1]:
        return np.full(len(value), -1, np.int64), np.full(len(value), np.nan)
    unit, highest = value.argmax(axis=1), value.max(axis=1)
    found = np.isfinite(highest)
    return np.where(found, unit, -1), np.where(found, highest, np.nan)


def chance_correlation(crops: int, pairs: int) -> float:
    """Return the correlation that none of some pairs of independent units reaches over some crops, with a probability of 99%.

    By Student's t distribution, with Bonferroni's correction for the number of pairs. It assumes activations without extreme outliers.

    Examples
    --------
    >>> round(chance_correlation(500, 256 * 256), 2)
    0.23
    >>> round(chance_correlation(20, 256 * 256), 2)
    0.88
    """
    if crops < 4:
        return 1.0
    quantile = float(stdtrit(crops - 2, 1 - _CHANCE / max(pairs, 1)))
    return quantile / math.sqrt(crops - 2 + quantile**2)


def _copies(correlations: Floats, is_same: NDArray[np.bool_], candidates: NDArray[np.bool_], threshold: float) -> Integers:
    """Return for each of V units the one of U that it is a copy of: of those with a match, the one that it correlates with most.

    Parameters
    ----------
    correlations : ndarray of shape (U, V), float64
    is_same : ndarray of shape (U,), bool
        The units that are the same as their match.
    candidates : ndarray of shape (V,), bool
        The units that may be copies.
    threshold : float
        The correlation of a copy, at least.
    """
    unit, value = nearest(np.where(is_same[:, None], correlations, np.nan).T)
    return np.where(candidates & (value >= threshold), unit, -1)
