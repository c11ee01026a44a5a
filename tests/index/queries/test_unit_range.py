"""Quantile bins of a unit's activations, compared with a literal count."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.queries.sampled import SampledLayer
from deconvwidgets.index.queries.unit_range import quantile_bins, whole_range
from deconvwidgets.records.layers import LayerInfo

INFO = LayerInfo("0", "conv1", "conv", 2, 5, 7, (3, 5), (2, 3), (-1, -4))


def sampled(values):
    """Crop 100 + n has the position n, modulo the map."""
    values = np.asarray(values, np.float32)
    positions = (np.arange(len(values)) % 35)[:, None] + np.zeros((1, 2), np.int64)
    return SampledLayer(INFO, (3, 11, 15), 100 + np.arange(len(values)), np.stack([np.zeros_like(values), values], 1), positions)


@given(st.lists(st.integers(-3, 6), min_size=1, max_size=40), st.integers(1, 6), st.integers(1, 4), st.integers(0, 9))
def test_bins_share_the_crops_and_keep_equal_activations_together(values, bins, per_bin, seed):
    found = whole_range(sampled(values), 1, bins, per_bin, seed)
    literal = {}
    for value in values:  # the share of smaller activations decides
        literal.setdefault(sum(other < value for other in values) * bins // len(values), []).append(value)
    expected = [literal[number] for number in sorted(literal, reverse=True)]
    assert [(part.low, part.high, part.crops) for part in found.bins] == [(min(part), max(part), len(part)) for part in expected]
    assert sum(part.share for part in found.bins) == pytest.approx(1)
    assert all(stronger.low > weaker.high for stronger, weaker in pairwise(found.bins))
    for part in found.bins:
        assert len(part.examples) == min(per_bin, part.crops)
        assert len({example.image for example in part.examples}) == len(part.examples)
        assert [example.value for example in part.examples] == sorted((example.value for example in part.examples), reverse=True)
        for example in part.examples:
            assert example.value == values[example.image - 100]
            assert part.low <= example.value <= part.high
            assert (example.row, example.column) == divmod((example.image - 100) % 35, 7)
            left, top = 3 * example.column - 4, 2 * example.row - 1
            assert example.box == (left, top, left + 5, top + 3)
    assert whole_range(sampled(values), 1, bins, per_bin, seed) == found


def test_quantile_bins_are_equally_large_without_ties():
    values = np.random.default_rng(0).permutation(100).astype(np.float32)
    assert np.bincount(quantile_bins(values, 5)).tolist() == [20] * 5
    inactive = np.where(values < 60, 0, values).astype(np.float32)
    assert np.bincount(quantile_bins(inactive, 5)).tolist() == [60, 0, 0, 20, 20]


def test_examples_depend_on_the_seed_and_every_crop_can_be_drawn():
    values = np.arange(20)
    drawn = [
        {example.image for part in whole_range(sampled(values), 1, 2, 3, seed).bins for example in part.examples} for seed in range(60)
    ]
    assert len(set(map(frozenset, drawn))) > 50
    assert set.union(*drawn) == set(range(100, 120))


@pytest.mark.parametrize(
    ("changed", "message"), [({"bins": 0}, "bins"), ({"bins": 1.5}, "bins"), ({"per_bin": 0}, "per_bin"), ({"seed": -1}, "seed")]
)
def test_invalid_numbers_are_refused(changed, message):
    with pytest.raises(ActivationIndexError, match=f"{message} must be an integer"):
        whole_range(sampled([1, 2]), 1, **({"bins": 2, "per_bin": 2, "seed": 0} | changed))
