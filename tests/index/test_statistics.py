"""RunningStats and GrowingHistogram: constant memory, exact sums and exact merging."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from deconvwidgets.index import statistics
from deconvwidgets.index.exact_sums import integers_of
from deconvwidgets.index.statistics import HALF_BINS, GrowingHistogram, RunningStats

LARGEST, SMALLEST = float(np.finfo(np.float32).max), float(np.float32(1e-45))
numbers = st.one_of(
    st.sampled_from(
        [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1024.0, -3.0, 2.0**-40, LARGEST, -LARGEST, SMALLEST, -SMALLEST, 1.1754943508222875e-38]
    ),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.floats(0, 1e6, width=32),
)
values = st.integers(1, 12).flatmap(lambda count: hnp.arrays(np.float32, (count, 2), elements=numbers))


def state(stats):
    return {"count": stats.count, **{name: array.tobytes() for name, array in stats.tensors().items()}}


def stats_of(parts):
    stats = RunningStats.empty(2)
    for part in parts:
        stats.update(torch.from_numpy(np.asarray(part, np.float32)))
    return stats


@settings(max_examples=150, deadline=None)
@given(values, values, values)
def test_order_and_grouping_do_not_change_a_bit(a, b, c):
    whole = state(stats_of([np.concatenate([a, b, c])]))
    for stats in (
        stats_of([c, a, b]),
        stats_of(row[None] for row in np.concatenate([b, c, a])),
        stats_of([b]).merge(stats_of([c, a])),
        stats_of([a]).merge(stats_of([b]).merge(stats_of([c]))),
        stats_of([]).merge(stats_of([c]).merge(stats_of([a, b]))),
    ):
        assert state(stats) == whole


@settings(max_examples=150, deadline=None)
@given(values)
def test_sums_are_those_of_fractions_and_moments_are_correctly_rounded(observed):
    stats = stats_of([observed])
    mean, std = stats.moments()
    for unit in range(2):
        exact = [Fraction(float(value)) for value in observed[:, unit]]
        total, squares, count = sum(exact), sum(value * value for value in exact), len(exact)
        assert integers_of(stats.take(0, 2).sums)[unit] == total * 2**149
        assert integers_of(stats.take(0, 2).squares)[unit] == squares * 2**298
        assert mean[unit] == float(total / count)
        variance = squares / count - (total / count) ** 2
        below, above = (Fraction(np.nextafter(std[unit], side)) for side in (-np.inf, np.inf))
        assert std[unit] >= 0
        if variance:  # the root is nearer to std than to its neighbours
            nearest = Fraction(std[unit])
            assert ((below + nearest) / 2) ** 2 <= variance <= ((nearest + above) / 2) ** 2
        else:
            assert std[unit] == 0


def test_sums_are_carried_before_they_overflow(monkeypatch):
    monkeypatch.setattr(statistics, "MAX_ADDITIONS", 4)
    observed = np.full((50, 2), [LARGEST, -LARGEST], np.float32)
    stats = stats_of(observed.reshape(-1, 1, 2))
    limits = [int(part.abs().max()) for part in (stats.sums[:, :-1], stats.squares[:, :-1])]
    assert max(limits) < 2**44
    assert integers_of(stats.take(0, 2).sums) == [int(sum(map(Fraction, column))) * 2**149 for column in observed.T.tolist()]


@settings(max_examples=100, deadline=None)
@given(values)
def test_the_histogram_equals_numpys(observed):
    histogram = GrowingHistogram.empty(2)
    for row in observed:  # one at a time, so that the range grows
        histogram.update(torch.from_numpy(row[None]))
    for unit in range(2):
        expected, _ = np.histogram(observed[:, unit].astype(np.float64), bins=histogram.edges()[unit])
        assert np.array_equal(histogram.counts[unit], expected)


def test_histogram_range_is_the_smallest_power_of_two():
    histogram = GrowingHistogram.empty(1)
    histogram.update(torch.tensor([[3.9], [0.1]]))
    assert histogram.edges()[0][[0, -1]].tolist() == [-4.0, 4.0]
    histogram.update(torch.tensor([[4.0]]))  # the upper edge is open
    assert histogram.edges()[0][-1] == 8.0


def test_summary_of_a_small_example():
    observed = np.array([[0.0, -1.0], [2.0, -2.0], [4.0, -3.0], [0.0, -2.0]])
    summary = stats_of([observed[:1], observed[1:]]).summary()
    np.testing.assert_allclose(summary.maximum, [4, -1])
    np.testing.assert_allclose(summary.mean, [1.5, -2])
    np.testing.assert_allclose(summary.std, observed.std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(summary.activation_rate, [0.5, 0])
    np.testing.assert_allclose(summary.selectivity, (observed.max(0) - observed.mean(0)) / observed.std(0), rtol=1e-6)
    assert summary.dead.tolist() == [False, False]
    assert summary.histogram.sum(axis=1).tolist() == [4, 4]
    assert summary.histogram.shape == (2, 2 * HALF_BINS)
    assert summary.edges.shape == (2, 2 * HALF_BINS + 1)


def test_the_summary_follows_updates():
    stats = stats_of([[[1.0, 0.0]]])
    assert stats.summary() is stats.summary()
    stats.update(torch.tensor([[3.0, 0.0]]))
    assert stats.summary().mean.tolist() == [2.0, 0.0]


def test_rectified_layers_have_no_negative_bins():
    summary = stats_of([np.array([[0.0, 1.0]])]).summary()
    assert summary.histogram.shape == (2, HALF_BINS)
    assert summary.edges[:, 0].tolist() == [0.0, 0.0]
    assert summary.histogram.sum(axis=1).tolist() == [1, 1]


def test_a_constant_unit_has_selectivity_0_and_without_crops_everything_is_0():
    assert stats_of([np.full((5, 2), 3.0)]).summary().selectivity.tolist() == [0.0, 0.0]
    empty = RunningStats.empty(2).summary()
    assert empty.maximum.tolist() == empty.std.tolist() == [0.0, 0.0]
    assert not np.isnan(empty.selectivity).any()


def test_tensors_restore_the_state():
    stats = stats_of([np.array([[1.0, -7.0], [0.25, 3.0]])])
    restored = RunningStats.from_tensors(stats.tensors(), stats.count, 2)
    assert state(restored) == state(stats)
    with pytest.raises(KeyError):
        RunningStats.from_tensors({}, 0, 2)
    with pytest.raises(ValueError, match="fired"):
        RunningStats.from_tensors({**stats.tensors(), "fired": np.zeros(3, np.int64)}, 2, 2)


def test_parts_of_the_units_and_parts_joined():
    stats = stats_of([np.array([[1.0, -7.0], [0.25, 3.0]])])
    assert state(RunningStats.joined([stats.take(0, 1), stats.take(1, 2)])) == state(stats)
