"""WindowGrid: the number, the position and the order of the windows."""

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


def test_inside_windows_start_in_the_corner_and_stay_inside():
    windows = grid((16, 20), (5, 8), (3, 4))
    assert (windows.rows, windows.columns, windows.count) == (4, 4, 16)
    assert windows.box(0, 0) == (0, 0, 8, 5)
    assert windows.box(3, 3) == (12, 9, 20, 14)


def test_same_windows_are_centred_and_may_extend_beyond_the_border():
    windows = grid((16, 20), (5, 8), (3, 4), "same")
    assert (windows.rows, windows.columns) == (6, 5)
    assert windows.box(0, 0) == (-2, -2, 6, 3)  # 20 rows are covered, 4 more than the image has
    assert windows.box(5, 4) == (14, 13, 22, 18)


def test_windows_smaller_than_the_stride_are_centred():
    windows = grid((10, 10), (2, 2), (4, 4), "same")
    assert [windows.box(row, 0)[1::2] for row in range(3)] == [(0, 2), (4, 6), (8, 10)]
    windows = grid((9, 9), (1, 1), (4, 4), "same")
    assert windows.centres()[:, 0, 0].tolist() == [0.5, 4.5, 8.5]
    windows = grid((9, 9), (1, 1), (5, 5), "same")
    assert windows.centres()[0, :, 1].tolist() == [2.5, 7.5]  # 6 of 9 are covered: 2 before, 1 after


def test_centres_are_row_and_column():
    centres = grid((16, 20), (5, 8), (3, 4)).centres()
    assert centres.shape == (4, 4, 2)
    assert centres[0, 0].tolist() == [2.5, 4.0]
    assert centres[2, 1].tolist() == [8.5, 8.0]


sides = st.integers(1, 40)


@settings(max_examples=80, deadline=None)
@given(st.tuples(sides, sides), st.tuples(sides, sides), st.tuples(sides, sides), st.sampled_from(["inside", "same"]))
def test_a_grid_of_any_shape(size, window, stride, border):
    window = (min(window[0], size[0]), min(window[1], size[1]))
    windows = grid(size, window, stride, border)
    order = windows.coarse_to_fine()
    assert sorted(map(tuple, order.tolist())) == sorted(np.ndindex(windows.rows, windows.columns))
    for axis, (count, length) in enumerate(zip((windows.rows, windows.columns), size, strict=True)):
        starts = [windows.box(number, number)[1 - axis] for number in range(count)]
        assert np.all(np.diff(starts) == stride[axis])
        before, after = starts[0], length - starts[-1] - window[axis]
        if border == "inside":
            assert before == 0
            assert 0 <= after < stride[axis]
        else:
            assert count == math.ceil(length / stride[axis])
            assert abs(before - after) <= 1
    centres = windows.centres()
    left, top, right, bottom = windows.box(windows.rows - 1, windows.columns - 1)
    assert centres[-1, -1].tolist() == [(top + bottom) / 2, (left + right) / 2]


def test_each_level_halves_the_step():
    windows = grid((23, 23), (1, 1), (1, 1))
    order = windows.coarse_to_fine()
    start, previous = 0, set()
    for step in (8, 4, 2, 1):
        level = {(row, column) for row in range(0, 23, step) for column in range(0, 23, step)} - previous
        assert list(map(tuple, order[start : start + len(level)].tolist())) == sorted(level)
        start, previous = start + len(level), previous | level
    assert start == windows.count


@pytest.mark.parametrize(
    ("window", "stride", "border", "message"),
    [
        ((17, 4), (1, 1), "inside", "window of 17 x 4 .* larger than the image of 16 x 20"),
        ((4, 21), (1, 1), "same", "larger than the image"),
        ((4, 4), (0, 1), "inside", "at least"),
        ((0, 4), (1, 1), "inside", "at least"),
        ((4, 4), (1, 1), "valid", "'inside' or 'same', not 'valid'"),
        ((4, 2.5), (1, 1), "inside", "window must be an integer"),
        ((4, 4), (1, 2, 3), "inside", "stride must be an integer"),
    ],
)
def test_invalid_settings_raise_errors(window, stride, border, message):
    with pytest.raises(OcclusionError, match=message):
        grid((16, 20), window, stride, border)


def test_as_pair_accepts_one_integer_or_two():
    assert as_pair(4, "window") == (4, 4)
    assert as_pair(np.int64(4), "window") == (4, 4)
    assert as_pair([4, 6], "window") == (4, 6)
    with pytest.raises(OcclusionError, match="'many'"):
        as_pair("many", "stride")
