"""The number of separate peaks of a histogram.

Two peaks are separate if between them lies a valley that is lower than each of them by a third, and by more than the noise of counting.
The counts are smoothed first by binomial weights over 9 bins. The square root of a Poisson count has the standard deviation 1/2 whatever
the count (Bartlett 1936), so that of a smoothed count has 1/2 times the norm of the weights, and the difference of two of them the square
root of 2 times that. A valley must be lower by 4 standard deviations of the difference.
"""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

SMOOTHING = np.array([comb(8, i) for i in range(9)]) / 2**8
VALLEY = 2 / 3  # of the height of the lower peak, at most
NOISE = 4 * np.sqrt(2) * 0.5 * float(np.linalg.norm(SMOOTHING))  # difference of two square roots of smoothed counts


def count_peaks(histograms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of separate peaks of each histogram (units,): the largest number of bins with valleys between them.

    Parameters
    ----------
    histograms : ndarray of shape (units, bins), int64
        Counts. A histogram without any has no peak.

    Examples
    --------
    >>> from deconvwidgets.index.queries.peaks import count_peaks
    >>> two = np.array([10, 90, 200, 90, 10, 2, 0, 0, 0, 0, 1, 20, 60, 110, 60, 20, 1])
    >>> count_peaks(np.array([two, np.sort(two)]))
    array([2, 1])
    """
    smooth = smoothed(histograms)
    counted = histograms.sum(axis=1) > 0
    if not smooth.shape[1]:
        return np.zeros(len(smooth), np.int64)
    # From left to right, `level` is the highest point since the last valley, or the lowest since the last peak.
    peaks, level, descending = counted.astype(np.int64), smooth[:, 0].copy(), np.zeros(len(smooth), np.bool_)
    for height in smooth.T:
        turned = np.where(descending, is_valley(height, level), is_valley(level, height))
        peaks += turned & descending
        level = np.where(turned, height, np.where(descending, np.minimum(level, height), np.maximum(level, height)))
        descending ^= turned
    return np.asarray(peaks, np.int64)


def smoothed(histograms: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the counts (units, bins), averaged over 9 bins; they are mirrored at both ends."""
    bins, half = histograms.shape[1], len(SMOOTHING) // 2
    if not bins:
        return histograms.astype(np.float64)
    padded = np.pad(histograms.astype(np.float64), ((0, 0), (half, half)), mode="symmetric")
    return np.asarray(sum(weight * padded[:, i : i + bins] for i, weight in enumerate(SMOOTHING)), np.float64)


def is_valley(peak: NDArray[np.float64], low: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether a bin of height `low` separates a peak from another one."""
    return np.asarray((low <= VALLEY * peak) & (np.sqrt(peak) - np.sqrt(low) >= NOISE))
