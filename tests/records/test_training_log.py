"""The steps of the learning rate in a log: one definition for every chart."""

import math

import pytest

from deconvwidgets.records.training_log import EpochLog, TrainingLog, learning_rate_steps


def steps(rates):
    log = TrainingLog(epochs=tuple(EpochLog(epoch=epoch, learning_rate=rate) for epoch, rate in enumerate(rates)))
    return [(step.epoch, pytest.approx(step.factor)) for step in learning_rate_steps(log)]


def test_a_step_is_a_clear_change_down_or_up():
    assert steps([None, 0.1, 0.1, 0.02, 0.04]) == [(3, 0.2), (4, 2)]
    assert steps([0.1, 0.095, 0.09, 0.086]) == []  # a smooth schedule
    assert steps([0.1, 0.0801]) == []
    assert steps([0.1, 0.0799]) == [(1, 0.799)]
    assert steps([0.1, 0.1249]) == []
    assert steps([0.1, 0.1251]) == [(1, 1.251)]


def test_a_schedule_that_steps_at_many_epochs_has_no_steps():
    assert len(steps([0.5**epoch for epoch in range(13)])) == 12
    assert steps([0.5**epoch for epoch in range(14)]) == []


def test_rates_that_are_no_positive_numbers_are_left_out():
    assert steps([0.1, None, math.nan, 0.0, math.inf, 0.01]) == [(5, 0.1)]
    assert steps([]) == steps([0.0, 0.0]) == []
