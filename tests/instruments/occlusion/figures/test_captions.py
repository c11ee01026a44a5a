"""Numbers and colour ranges in the figures of the occlusion experiment."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from deconvwidgets.instruments.occlusion.figures.sheet import OcclusionSheet
from deconvwidgets.instruments.occlusion.records import OcclusionMaps, Unoccluded
from deconvwidgets.records.quantity import format_percent


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0%"),
        (0.0001, "<0.1%"),
        (0.0731, "7.3%"),
        (0.64, "64%"),
        (0.99, "99%"),
        (0.9962, "99.6%"),
        (0.9996, ">99.9%"),
        (1, "100%"),
    ],
)
def test_probabilities_are_formatted_as_percentages(share, text):
    assert format_percent(share) == text


def maps_of(probabilities, unoccluded):
    array = np.asarray([probabilities], np.float32)
    baseline = Unoccluded(activity=4.0, probability=unoccluded, label=0, label_probability=0.9)
    return OcclusionMaps(
        array, None, None, array * 10, np.zeros((1, len(probabilities), 2)), 0, baseline, "conv1", 0, (4, 4), (2, 2), "gray", "inside",
        "full", True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("probabilities", "unoccluded", "colour_range"),
    [
        ([0.2, np.nan, 0.7], 0.9, (0.2, 0.9)),
        ([0.5, 0.501], 0.5, (0.4755, 0.5255)),
        ([0.999, 0.997], 0.999, (0.95, 1.0)),
        ([0.004, 0.016], 0.004, (0.002, 0.018)),
        ([0.0, 0.0], 0.0, (0.0, 0.05)),
        ([np.nan], None, (0.0, 1.0)),
    ],
)
def test_colour_range_of_probabilities(probabilities, unoccluded, colour_range):
    assert maps_of(probabilities, unoccluded).colour_range("probability") == pytest.approx(colour_range, abs=1e-6)


def test_colour_range_of_activities():
    maps = maps_of([0.1, 0.7], 0.5)
    assert maps.colour_range("activity") == pytest.approx((1, 7))
    assert replace(maps, activity=np.full((1, 2), np.nan, np.float32)).colour_range("activity") == (4, 4)


@pytest.mark.parametrize(("lowest", "colour_range"), [(0.5, (0, 2)), (-0.6, (-0.6, 2))])
def test_colour_range_of_the_feature_map_includes_negative_values(lowest, colour_range):
    scene = SimpleNamespace(map=np.array([[lowest, 2.0]], np.float32))
    assert OcclusionSheet(None, scene, (), None, None, {}, ()).map_colour_range() == pytest.approx(colour_range)
