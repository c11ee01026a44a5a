"""The optimal matching against all permutations, its ties, and the statuses that follow from correlations."""

from itertools import permutations

import numpy as np
import pytest

from deconvwidgets.instruments.comparison.compute.matching import assignment, chance_correlation, match_units, nearest
from deconvwidgets.instruments.comparison.records import Thresholds


def alive(units):
    return np.full(units, "", "U8")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("units_a", "units_b"), [(5, 5), (4, 6), (6, 3), (1, 1)])
def test_the_matching_is_the_best_of_all(units_a, units_b, seed):
    matrix = np.random.default_rng(seed).uniform(-1, 1, (units_a, units_b))
    matrix[0, 0] = np.nan
    match_a, match_b = assignment(matrix)
    gain = np.where(np.isnan(matrix), 0, np.maximum(matrix, 0))
    short, wide = (gain, units_b) if units_a <= units_b else (gain.T, units_a)
    best = max(sum(short[row, column] for row, column in enumerate(order)) for order in permutations(range(wide), len(short)))
    assert sum(gain[unit, other] for unit, other in enumerate(match_a) if other >= 0) == pytest.approx(best, abs=1e-12)
    assert [match_a[unit] for unit in match_b if unit >= 0] == [other for other, unit in enumerate(match_b) if unit >= 0]
    assert (match_a >= 0).sum() == (match_b >= 0).sum() == min(units_a, units_b)


def test_equal_units_are_matched_by_number():
    for seed in range(20):  # there are many matchings with a sum of 7
        matrix = np.random.default_rng(seed).integers(0, 3, (8, 8)) / 2
        np.fill_diagonal(matrix, 1)
        matrix[:, 3] = np.nan  # a dead unit
        assert assignment(matrix)[0].tolist() == list(range(8))
    match_a, _ = assignment(np.ones((6, 6)))
    assert match_a.tolist() == list(range(6))
    assert assignment(np.full((3, 3), np.nan))[0].tolist() == [0, 1, 2]
    assert assignment(-np.ones((3, 2)))[0].tolist() == [0, 1, -1]


def test_statuses_of_a_matrix_with_every_case():
    #                 b:  0     1     2     3     4     5
    matrix = np.array(
        [
            [0.99, 0.10, 0.10, 0.97, 0.10, 0.10],  # a 0: kept, and split
            [0.10, 0.20, 0.96, 0.10, 0.10, 0.10],  # a 1: moved to 2
            [0.10, 0.70, 0.10, 0.10, 0.10, 0.10],  # a 2: changed, matched to 1
            [0.10, 0.10, 0.10, 0.60, 0.10, 0.55],  # a 3: its match 3 is a copy of unit 0
            [0.10, 0.10, 0.10, 0.10, 0.10, np.nan],
        ]
    )  # a 4: matched to 4, with which it has nothing in common
    silent_b = alive(6)
    silent_b[5] = "dead"
    found = match_units(matrix, alive(5), silent_b, Thresholds())
    assert found.match_a.tolist() == [0, 2, 1, 3, 4]
    assert found.status_a.tolist() == ["kept", "moved", "changed", "lost", "lost"]
    assert found.status_b.tolist() == ["kept", "changed", "moved", "split", "new", "dead"]
    assert found.copy_of_b.tolist() == [-1, -1, -1, 0, -1, -1]
    turned = match_units(matrix.T, silent_b, alive(5), Thresholds())
    assert turned.status_a.tolist() == ["kept", "changed", "moved", "merged", "lost", "dead"]
    assert turned.copy_of_a.tolist() == [-1, -1, -1, 0, -1, -1]


def test_a_related_match_must_be_the_nearest_of_both():
    matrix = np.array([[0.80, 0.75], [0.79, 0.70]])  # 0-1 and 1-0 have the largest sum; 0-0 are each other's nearest
    found = match_units(matrix, alive(2), alive(2), Thresholds())
    assert found.match_a.tolist() == [1, 0]
    assert found.status_a.tolist() == ["lost", "lost"]
    assert match_units(np.array([[0.8, 0.1], [0.2, 0.7]]), alive(2), alive(2), Thresholds()).status_a.tolist() == ["changed", "changed"]


def test_no_units_and_no_correlations():
    unit, value = nearest(np.array([[np.nan, np.nan], [0.3, 0.3]]))
    assert unit.tolist() == [-1, 0]
    assert np.array_equal(value, [np.nan, 0.3], equal_nan=True)
    assert nearest(np.zeros((2, 0)))[0].tolist() == [-1, -1]


def test_unrelated_units_reach_the_chance_correlation_in_1_percent_of_draws():
    generator, crops, units, draws = np.random.default_rng(0), 30, 12, 2000
    limit, above = chance_correlation(crops, units * units), 0
    for _ in range(draws):
        first, second = generator.normal(size=(2, units, crops))
        above += bool((np.corrcoef(first, second)[:units, units:] >= limit).any())
    assert 0.002 <= above / draws <= 0.015
    assert chance_correlation(3, 10) == 1
