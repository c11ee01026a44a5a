"""RunningStats and GrowingHistogram: constant memory and exact merging."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from deconvwidgets.index.statistics import HALF_BINS, GrowingHistogram, RunningStats

numbers = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.0, 1024.0, -3.0, 1e-12]),
    st.floats(-50, 50, allow_subnormal=False),
    st.floats(0, 1e6, width=32),
)
values = st.integers(1, 12).flatmap(lambda count: hnp.arrays(np.float64, (count, 2), elements=numbers))


def state(stats):
    return {name: array for name, array in stats.tensors().items() if name not in ("mean", "squares")}


def stats_of(parts):
    stats = RunningStats(2)
    for part in parts:
        stats.update(part)
    return stats


@settings(max_examples=150, deadline=None)
@given(values, values, values)
def test_order_and_grouping_do_not_matter(a, b, c):
    everything = np.concatenate([a, b, c])
    whole = stats_of([everything])
    for stats in (stats_of([c, a, b]), stats_of([b]).merge(stats_of([c, a])), stats_of([a]).merge(stats_of([b]).merge(stats_of([c])))):
        for name, array in state(stats).items():
            assert np.array_equal(array, state(whole)[name]), name
        scale = max(1.0, np.abs(everything).max())
        np.testing.assert_allclose(stats.mean, everything.mean(axis=0), rtol=1e-9, atol=1e-9 * scale)
        np.testing.assert_allclose(np.sqrt(stats.squares / stats.count), everything.std(axis=0), rtol=1e-6, atol=1e-7 * scale)


@settings(max_examples=100, deadline=None)
@given(values)
def test_the_histogram_equals_numpys(observed):
    histogram = GrowingHistogram(2)
    for row in observed:  # one at a time, so that the range grows
        histogram.update(row[None])
    for unit in range(2):
        expected, _ = np.histogram(observed[:, unit], bins=histogram.edges()[unit])
        assert np.array_equal(histogram.counts[unit], expected)


def test_histogram_range_is_the_smallest_power_of_two():
    histogram = GrowingHistogram(1)
    histogram.update(np.array([[3.9], [0.1]]))
    assert histogram.edges()[0][[0, -1]].tolist() == [-4.0, 4.0]
    histogram.update(np.array([[4.0]]))  # the upper edge is open
    assert histogram.edges()[0][-1] == 8.0


def test_summary_of_a_small_example():
    observed = np.array([[0.0, -1.0], [2.0, -2.0], [4.0, -3.0], [0.0, -2.0]])
    summary = stats_of([observed[:1], observed[1:]]).summary()
    np.testing.assert_allclose(summary.maximum, [4, -1])
    np.testing.assert_allclose(summary.mean, [1.5, -2])
    np.testing.assert_allclose(summary.std, observed.std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(summary.activation_rate, [0.5, 0])
    np.testing.assert_allclose(summary.selectivity, (observed.max(0) - observed.mean(0)) / observed.std(0), rtol=1e-6)
    assert summary.dead.tolist() == [False, True]
    assert summary.histogram.sum(axis=1).tolist() == [4, 4]
    assert summary.histogram.shape == (2, 2 * HALF_BINS)
    assert summary.edges.shape == (2, 2 * HALF_BINS + 1)


def test_rectified_layers_have_no_negative_bins():
    summary = stats_of([np.array([[0.0, 1.0]])]).summary()
    assert summary.histogram.shape == (2, HALF_BINS)
    assert summary.edges[:, 0].tolist() == [0.0, 0.0]
    assert summary.histogram.sum(axis=1).tolist() == [1, 1]


def test_a_constant_unit_has_selectivity_0_and_without_crops_everything_is_0():
    assert stats_of([np.full((5, 2), 3.0)]).summary().selectivity.tolist() == [0.0, 0.0]
    empty = RunningStats(2).summary()
    assert empty.maximum.tolist() == empty.std.tolist() == [0.0, 0.0]
    assert not np.isnan(empty.selectivity).any()


def test_tensors_restore_the_state():
    stats = stats_of([np.array([[1.0, -7.0], [0.25, 3.0]])])
    restored = RunningStats.from_tensors(stats.tensors())
    for name, array in stats.tensors().items():
        assert np.array_equal(array, restored.tensors()[name])
    with pytest.raises(KeyError):
        RunningStats.from_tensors({"mean": np.zeros(2)})
