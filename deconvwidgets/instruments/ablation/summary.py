"""Means, deviations and paired differences of the runs of an ablation study."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from scipy.special import stdtrit

from deconvwidgets.instruments.ablation.records import AblationRow, AblationRun, Difference, Estimate, Variant

CONFIDENCE = 0.95
METHOD = "95% confidence interval of the mean difference, paired by seed, by Student's t"
_EQUAL = 1e-12  # deviations below it are rounding errors

Measure = Callable[[AblationRun], float | None]


def estimate(values: Iterable[float | None]) -> Estimate | None:
    """Return mean and sample standard deviation of the values that are not None; None if there are none.

    >>> estimate([0.25, 0.5, 0.75, None])
    Estimate(mean=0.5, std=0.25, count=3)
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Estimate(float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else None, len(known))


def paired_difference(before: Mapping[int, float], after: Mapping[int, float]) -> Difference | None:
    """Return the mean of `after - before` over the seeds of both, with its confidence interval; None if they have no seed in common.

    If all seeds differ by the same amount, their deviation of 0 says nothing of other seeds, and there is no interval.

    >>> paired_difference({0: 0.25, 1: 0.5}, {0: 0.5, 1: 1.0, 2: 0.75}).mean
    0.375
    """
    seeds = sorted(before.keys() & after.keys())
    if not seeds:
        return None
    changes = np.array([after[seed] - before[seed] for seed in seeds])
    mean, interval = float(changes.mean()), None
    if len(seeds) > 1 and (deviation := float(changes.std(ddof=1))) > _EQUAL:
        half = float(stdtrit(len(seeds) - 1, (1 + CONFIDENCE) / 2)) * deviation / math.sqrt(len(seeds))
        interval = (mean - half, mean + half)
    return Difference(mean, interval, len(seeds))


def rows_of(variants: Sequence[Variant], runs: Sequence[AblationRun], baseline: str) -> tuple[AblationRow, ...]:
    """Return a row per variant. Only complete runs are counted: one of fewer epochs would be compared to a longer one."""
    own = {variant.name: tuple(run for run in runs if run.variant == variant.name) for variant in variants}
    first = own.get(baseline, ())
    return tuple(_row(variant, own[variant.name], None if variant.name == baseline else first) for variant in variants)


def _row(variant: Variant, runs: tuple[AblationRun, ...], baseline: tuple[AblationRun, ...] | None) -> AblationRow:
    def over(measure: Measure) -> Estimate | None:
        return estimate(measure(run) for run in runs if run.complete)

    def change(measure: Measure) -> Difference | None:
        return None if baseline is None else paired_difference(_by_seed(baseline, measure), _by_seed(runs, measure))

    return AblationRow(
        variant=variant,
        runs=runs,
        train_error=over(_train),
        top1_error=over(_top1),
        top5_error=over(_top5),
        images_per_second=over(_speed),
        train_difference=change(_train),
        top1_difference=change(_top1),
        top5_difference=change(_top5),
    )


def _by_seed(runs: Iterable[AblationRun], measure: Measure) -> dict[int, float]:
    return {run.seed: value for run in runs if run.complete and (value := measure(run)) is not None}


def _train(run: AblationRun) -> float | None:
    return run.train_error


def _top1(run: AblationRun) -> float | None:
    return run.top1_error


def _top5(run: AblationRun) -> float | None:
    return run.top5_error


def _speed(run: AblationRun) -> float | None:
    return run.images_per_second
