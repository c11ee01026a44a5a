"""What counts as a change, at the limits and on both sides of them, by hand: planted networks seldom come close."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deconvwidgets.instruments.comparison.check_limits import CheckLimits, Limit
from deconvwidgets.instruments.comparison.check_records import STATUSES, Verdict
from deconvwidgets.instruments.comparison.compute.descriptors import likeness
from deconvwidgets.instruments.comparison.compute.matching import Matching
from deconvwidgets.instruments.comparison.compute.unit_changes import MatchedUnits, overlaps, revise
from deconvwidgets.instruments.comparison.frozen_records import UnitStatistics
from tests.instruments.comparison.figures.test_check_page import result


def statistics(means: list[float], maxima: list[float] | None = None) -> UnitStatistics:
    mean = np.array(means, np.float32)
    maximum = mean * 2 if maxima is None else np.array(maxima, np.float32)
    return UnitStatistics(maximum, mean, mean / 4, (maximum > 0).astype(np.float32))


def revised(
    match: list[int], before: UnitStatistics, after: UnitStatistics, status: str = "kept", **values: Any
) -> tuple[list[str], tuple[str, ...]]:
    """Units of one status, revised; by default nothing but the means differs."""
    count, units, none = len(match), np.array(match), np.full(len(match), -1)
    limits = values.pop("limits", CheckLimits())
    statuses = np.full(count, status, "U8")
    matching = Matching(units, units, none, none, statuses, statuses)
    overlap, alike = values.get("overlap", np.ones(count)), values.get("alike", np.ones(count))
    found, reasons = revise(statuses, MatchedUnits(matching, np.ones(count)), overlap, alike, before, after, limits)
    return found.tolist(), reasons


def test_the_mean_of_the_match_may_grow_and_shrink_by_the_factor() -> None:
    before = statistics([1.0, 1.0, 1.0, 1.0, 0.0])
    after = statistics([0.25, 4.0, 0.24, 4.1, 9.0])
    assert revised([0, 1, 2, 3, 4], before, after)[0] == ["kept", "kept", "changed", "changed", "kept"]
    found, reasons = revised([2, 3, 0, 1, 4], before, after)  # it is the match that counts, not the same number
    assert found == ["changed", "changed", "kept", "kept", "kept"]
    assert reasons[:2] == ("its mean activation is 0.24 times as large", "its mean activation is 4.1 times as large")


def test_shares_at_the_limit_are_enough() -> None:
    means = statistics([1.0] * 4)
    overlap, alike = np.array([0.3, 0.29, 1.0, np.nan]), np.array([1.0, 1.0, 0.69, 0.7])
    found, reasons = revised([0, 1, 2, 3], means, means, overlap=overlap, alike=alike)
    assert found == ["kept", "changed", "changed", "kept"]
    assert reasons[1:3] == ("29% of its strongest photographs are the same", "its projections correlate with 0.69")


def test_a_constant_unit_died_if_it_is_0_now_and_more_units_are() -> None:
    before, silent = statistics([1.0, 0.0], [3.0, 0.0]), statistics([0.0, 0.0])
    assert revised([-1, -1], before, silent, "constant")[0] == ["died", "constant"]
    exchanged = statistics([0.0, 1.0], [0.0, 3.0])  # no more units are silent than before: it may have the other number now
    assert revised([-1, -1], before, exchanged, "constant")[0] == ["constant", "constant"]


def test_the_strongest_photographs_are_those_of_the_match() -> None:
    before, after = np.array([[1, 2, 3], [4, 5, -1]]), np.array([[4, 9, 5], [3, 2, 8]])
    assert overlaps(before, after, np.array([1, 0])).tolist() == pytest.approx([2 / 3, 1.0])
    assert np.isnan(overlaps(before, after, np.array([-1, -1]))).all()


def test_projections_that_have_vanished_count_as_nothing_in_common() -> None:
    shown, nothing = np.full((2, 1, 8, 8), 9, np.int8), np.zeros((1, 1, 8, 8), np.int8)
    vanished = np.concatenate([shown[:1], nothing])
    assert likeness(shown, vanished) == pytest.approx(0.5)
    assert likeness(vanished, shown) == pytest.approx(1.0)  # there was none before, so that it says nothing
    assert likeness(shown, -shown) == pytest.approx(-1.0)


def test_as_many_as_are_allowed_pass_and_one_more_fails() -> None:
    for found, passed in ((2, True), (3, False)):
        assert Verdict("died", found, Limit(count=2), 2).passed is passed
    assert [Limit.of("5%").allowed(units) for units in (19, 20, 39, 40, 1152)] == [0, 1, 1, 2, 57]


def test_every_status_is_counted_where_it_belongs() -> None:
    check = result()
    layer = check.layers[0]
    statuses = np.array(STATUSES)
    every = replace(check, layers=(replace(layer, status=statuses),))
    assert {verdict.kind: verdict.found for verdict in every.verdicts} == {"died": 1, "changed": 3, "moved": 1, "split": 1}
    assert every.units == len(STATUSES) - 2  # without the dead and the constant one
    assert (every.passed, every.exit_code) == (False, 1)
    kept = replace(check, layers=(replace(layer, status=np.array(["kept"] * 8)),))
    assert (kept.passed, kept.exit_code) == (True, 0)
