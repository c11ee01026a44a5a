"""Separate peaks: a search of all choices of bins, known distributions, and how often noise is taken for a peak."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deconvwidgets.index.queries.peaks import SMOOTHING, count_peaks, is_valley, smoothed


def literal_smoothed(counts):
    """Binomial weights over 9 bins, mirrored at the ends, bin by bin."""
    n = len(counts)
    mirrored = lambda i: counts[-1 - i] if i < 0 else counts[2 * n - 1 - i] if i >= n else counts[i]  # noqa: E731
    weights = [1, 8, 28, 56, 70, 56, 28, 8, 1]
    return [sum(weights[j + 4] * mirrored(i + j) for j in range(-4, 5)) / 256 for i in range(n)]


def literal_peaks(counts):
    """The largest number of bins such that between two neighbours lies a valley for both."""
    heights = literal_smoothed(counts)

    def separate(left, right):
        return any(is_valley(heights[left], low) and is_valley(heights[right], low) for low in heights[left : right + 1])

    best = int(sum(counts) > 0)
    for size in range(2, (len(counts) + 1) // 2 + 1):
        chosen = combinations(range(len(counts)), size)
        if not any(all(separate(*pair) for pair in pairwise(bins)) for bins in chosen):
            break
        best = size
    return best


@given(st.lists(st.one_of(st.integers(0, 3), st.integers(0, 4000)), min_size=9, max_size=14))
def test_the_number_of_peaks_equals_a_search_of_all_choices(counts):
    assert count_peaks(np.array([counts])).tolist() == [literal_peaks(counts)]
    assert count_peaks(np.array([counts[::-1]])).tolist() == [literal_peaks(counts)]
    np.testing.assert_allclose(smoothed(np.array([counts]))[0], literal_smoothed(counts), rtol=1e-12)


def test_the_noise_of_a_smoothed_count_is_as_stated():
    counts = np.random.default_rng(0).poisson(40, (4000, 64))
    deviation = np.sqrt(smoothed(counts)).std()
    assert deviation == pytest.approx(np.linalg.norm(SMOOTHING) / 2, rel=0.05)


def test_a_valley_is_a_third_lower_and_not_noise():
    peaks, lows = np.array([300.0, 300.0, 4.0, 9.0]), np.array([200.0, 201.0, 1.0, 3.0])
    assert is_valley(peaks, lows).tolist() == [True, False, False, True]


def test_a_dent_in_a_million_crops_is_no_valley():
    bins = np.arange(64)
    dented = np.array([20_000 * (1 - depth * np.exp(-(((bins - 32) / 6) ** 2))) for depth in (0.2, 0.5)]).astype(np.int64)
    assert count_peaks(dented).tolist() == [1, 2]


def histograms(values):
    """As an index has it: 64 bins from 0 to the smallest power of two above the largest value."""
    scales = np.ldexp(1.0, np.frexp(values.max(axis=1))[1])
    return np.array([np.histogram(row, 64, (0, scale))[0] for row, scale in zip(values, scales, strict=True)])


def test_empty_histograms_have_no_peak():
    assert count_peaks(np.array([[0] * 64, [1] + [0] * 63, [0] * 63 + [9]])).tolist() == [0, 1, 1]
    assert count_peaks(np.zeros((3, 0), np.int64)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("crops", [60, 252, 2000])
def test_noise_is_no_peak(crops):
    generator = np.random.default_rng(1)
    one_peak = [
        generator.exponential(size=(500, crops)),
        np.abs(generator.normal(size=(500, crops))),
        generator.gamma(3, size=(500, crops)),
    ]
    assert [(count_peaks(histograms(values)) > 1).mean() < 0.005 for values in one_peak] == [True] * 3


def test_two_and_three_separate_peaks_are_found():
    generator = np.random.default_rng(2)
    for peaks, needed in ((2, 0.99), (3, 0.95)):
        values = generator.normal(size=(300, 500)) + 6 * generator.integers(0, peaks, (300, 500)) + 4
        assert (count_peaks(histograms(np.abs(values))) == peaks).mean() > needed
