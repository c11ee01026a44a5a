"""Means, deviations and paired intervals against SciPy, and which runs they count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from deconvwidgets.instruments.ablation.notes import notes_of
from deconvwidgets.instruments.ablation.records import AblationRun, Variant
from deconvwidgets.instruments.ablation.summary import estimate, paired_difference, rows_of

SEEDED = settings(max_examples=60, derandomize=True, deadline=None, database=None)
SHARES = st.floats(0, 1).map(lambda value: round(value, 4))


def run(variant: str, seed: int, top1: float | None, phase: str = "complete", **changes: object) -> AblationRun:
    made = AblationRun(variant=variant, seed=seed, folder="", phase=phase, epoch=9, epochs=9, top1_error=top1)  # type: ignore[arg-type]
    return replace(made, **changes)


@SEEDED
@given(st.dictionaries(st.integers(0, 9), st.tuples(SHARES, SHARES), min_size=2, max_size=8))
def test_the_interval_is_that_of_scipys_paired_t_test(values: dict[int, tuple[float, float]]) -> None:
    before, after = ({seed: pair[side] for seed, pair in values.items()} for side in (0, 1))
    found = paired_difference(before, after)
    first, second = (np.array(list(side.values())) for side in (before, after))
    assert found is not None
    assert found.mean == pytest.approx((second - first).mean(), abs=1e-12)
    assert found.count == len(values)
    if np.ptp(second - first) < 1e-9:
        assert found.interval is None
    else:
        assert found.interval == pytest.approx(tuple(stats.ttest_rel(second, first).confidence_interval(0.95)), abs=1e-9)


@SEEDED
@given(st.lists(SHARES, min_size=1, max_size=8))
def test_deviations_are_those_of_a_sample(values: list[float]) -> None:
    found = estimate([*values, None])
    assert found is not None
    assert (found.mean, found.count) == (pytest.approx(np.mean(values)), len(values))
    assert found.std == (None if len(values) == 1 else pytest.approx(np.std(values, ddof=1)))


def test_only_seeds_of_both_are_paired() -> None:
    found = paired_difference({0: 0.5, 1: 0.9, 2: 0.1}, {1: 0.8, 2: 0.3, 7: 0.0})
    assert found is not None
    assert (found.count, found.mean) == (2, pytest.approx(0.05))
    assert paired_difference({0: 0.5}, {1: 0.5}) is None
    alone = paired_difference({0: 0.5}, {0: 0.25})
    assert alone is not None
    assert (alone.mean, alone.interval) == (-0.25, None)


def test_runs_that_are_not_complete_are_not_counted() -> None:
    variants = [Variant(name="a"), Variant(name="b")]
    runs = [run("a", 0, 0.5), run("a", 1, 0.7), run("b", 0, 0.4), run("b", 1, 0.0, "running"), run("b", 2, 0.0, "finished")]
    first, second = rows_of(variants, runs, "a")
    assert (first.top1_difference, first.complete) == (None, 2)
    assert second.top1_error == estimate([0.4])
    assert second.top1_difference is not None
    assert (second.top1_difference.count, second.top1_difference.mean) == (1, pytest.approx(-0.1))
    assert second.train_error is None
    assert second.top5_difference is None


def test_what_to_know_is_noted() -> None:
    mixed = [Variant(name="a"), Variant(name="b", origin="given weights")]
    runs = [run("a", 0, 0.5), run("b", 0, 0.4, "failed")]
    found = " ".join(notes_of(mixed, [0], runs, ("mine",), own_validation=False))
    for part in ("1 of 2 runs are begun and not complete", "Failed: b, seed 0", "One seed", "given weights in b", "held out", "mine"):
        assert part in found
    assert notes_of([Variant(name="a")], [0, 1], [run("a", 0, 0.5)], (), own_validation=True) == ()
