"""Positions of the window: how many, where, and in which order."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deconvwidgets.errors import OcclusionError
from deconvwidgets.instruments.occlusion.compute.grid import WindowGrid, as_pair
from deconvwidgets.instruments.occlusion.records import MapsSettings


def grid(size, window, stride, border="inside"):
    return WindowGrid.of(size, MapsSettings(window, stride, border))


def test_windows_inside_begin_in_the_corner_and_never_pass_the_border():
    one = grid((16, 20), (5, 8), (3, 4))
    assert (one.rows, one.columns, one.count) == (4, 4, 16)
    assert one.box(0, 0) == (0, 0, 8, 5)
    assert one.box(3, 3) == (12, 9, 20, 14)


def test_the_windows_of_same_stand_in_the_middle_and_may_pass_the_border():
    one = grid((16, 20), (5, 8), (3, 4), "same")
    assert (one.rows, one.columns) == (6, 5)
    assert one.box(0, 0) == (-2, -2, 6, 3)  # 20 rows are covered, 4 more than there are
    assert one.box(5, 4) == (14, 13, 22, 18)


def test_a_window_smaller_than_its_stride_leaves_gaps_and_stays_centred():
    one = grid((10, 10), (2, 2), (4, 4), "same")
    assert [one.box(row, 0)[1::2] for row in range(3)] == [(0, 2), (4, 6), (8, 10)]
    one = grid((9, 9), (1, 1), (4, 4), "same")
    assert one.centres()[:, 0, 0].tolist() == [0.5, 4.5, 8.5]
    one = grid((9, 9), (1, 1), (5, 5), "same")
    assert one.centres()[0, :, 1].tolist() == [2.5, 7.5]  # 6 of 9 are covered: 2 before, 1 after


def test_centres_are_in_row_and_column():
    centres = grid((16, 20), (5, 8), (3, 4)).centres()
    assert centres.shape == (4, 4, 2)
    assert centres[0, 0].tolist() == [2.5, 4.0]
    assert centres[2, 1].tolist() == [8.5, 8.0]


sides = st.integers(1, 40)


@settings(max_examples=80, deadline=None)
@given(st.tuples(sides, sides), st.tuples(sides, sides), st.tuples(sides, sides), st.sampled_from(["inside", "same"]))
def test_a_grid_of_any_shape(size, window, stride, border):
    window = (min(window[0], size[0]), min(window[1], size[1]))
    one = grid(size, window, stride, border)
    order = one.coarse_to_fine()
    assert sorted(map(tuple, order.tolist())) == sorted(np.ndindex(one.rows, one.columns))
    for axis, (count, length) in enumerate(zip((one.rows, one.columns), size, strict=True)):
        places = [one.box(number, number)[1 - axis] for number in range(count)]
        assert np.all(np.diff(places) == stride[axis])
        before, after = places[0], length - places[-1] - window[axis]
        if border == "inside":
            assert before == 0
            assert 0 <= after < stride[axis]
        else:
            assert count == math.ceil(length / stride[axis])
            assert abs(before - after) <= 1
    centres = one.centres()
    left, top, right, bottom = one.box(one.rows - 1, one.columns - 1)
    assert centres[-1, -1].tolist() == [(top + bottom) / 2, (left + right) / 2]


def test_each_level_halves_the_step():
    one = grid((23, 23), (1, 1), (1, 1))
    order = one.coarse_to_fine()
    start, seen = 0, set()
    for step in (8, 4, 2, 1):
        wanted = {(row, column) for row in range(0, 23, step) for column in range(0, 23, step)} - seen
        assert list(map(tuple, order[start : start + len(wanted)].tolist())) == sorted(wanted)
        start, seen = start + len(wanted), seen | wanted
    assert start == one.count


@pytest.mark.parametrize(
    ("window", "stride", "border", "words"),
    [
        ((17, 4), (1, 1), "inside", "window of 17 x 4 .* larger than the image of 16 x 20"),
        ((4, 21), (1, 1), "same", "larger than the image"),
        ((4, 4), (0, 1), "inside", "at least"),
        ((0, 4), (1, 1), "inside", "at least"),
        ((4, 4), (1, 1), "valid", "'inside' or 'same', not 'valid'"),
        ((4, 2.5), (1, 1), "inside", "window is a whole number"),
        ((4, 4), (1, 2, 3), "inside", "stride is a whole number"),
    ],
)
def test_what_cannot_be_a_grid_is_refused_in_words(window, stride, border, words):
    with pytest.raises(OcclusionError, match=words):
        grid((16, 20), window, stride, border)


def test_a_pair_is_one_number_or_two():
    assert as_pair(4, "window") == (4, 4)
    assert as_pair(np.int64(4), "window") == (4, 4)
    assert as_pair([4, 6], "window") == (4, 6)
    with pytest.raises(OcclusionError, match="'many'"):
        as_pair("many", "stride")
