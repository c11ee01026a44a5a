"""The default window and stride."""

import pytest

from deconvwidgets.instruments.occlusion.defaults import default_grid


@pytest.mark.parametrize(
    ("size", "window", "stride"),
    [
        ((224, 224), (48, 48), (8, 8)),
        ((300, 1000), (48, 48), (8, 8)),  # not larger for larger inputs
        ((32, 32), (7, 7), (1, 1)),
        ((28, 112), (6, 6), (1, 1)),  # a square, in proportion to the shorter side
        ((223, 600), (48, 48), (8, 8)),
        ((1, 2), (1, 1), (1, 1)),
    ],
)
def test_defaults_are_proportional_for_small_inputs(size, window, stride):
    assert default_grid(size) == (window, stride)
