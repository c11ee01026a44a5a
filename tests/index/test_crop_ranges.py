"""Ranges of crops compared with sets of crop numbers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.crop_ranges import checked_crops, crop_count, joined, overlap, ranges_of


def crops_in(ranges):
    return {crop for start, stop in ranges for crop in range(start, stop)}


@st.composite
def disjoint_ranges(draw):
    bounds = sorted(draw(st.sets(st.integers(0, 12), max_size=8)))
    return tuple(zip(bounds[::2], bounds[1::2], strict=False))


@given(disjoint_ranges(), disjoint_ranges())
def test_ranges_behave_like_sets(left, right):
    common = crops_in(left) & crops_in(right)
    found = overlap(left, right)
    assert (found is not None) == bool(common)
    assert found is None or (found in left and crops_in([found]) & common)
    if not common:
        union = joined(left, right)
        assert crops_in(union) == crops_in(left) | crops_in(right)
        assert crop_count(union) == crop_count(left) + crop_count(right)
        assert all(stop < start for (_, stop), (start, _) in pairwise(union))


def test_a_python_range_is_one_range_or_none():
    assert ranges_of(range(3, 9)) == ((3, 9),)
    assert ranges_of(range(3, 3)) == ()
    with pytest.raises(ActivationIndexError, match="consecutive"):
        ranges_of(range(0, 9, 2))


@pytest.mark.parametrize("crops", [range(0, 9, 2), range(8, -1, -1), range(-1, 3), range(3, 10)])
def test_crops_that_are_not_consecutive_or_not_there_are_refused(crops):
    with pytest.raises(ActivationIndexError, match=r"consecutive|from 0 to 8"):
        checked_crops(crops, 9)
