"""The expected calibration error and the log loss, by sums written out here."""

import math

import numpy as np
import pytest

from deconvwidgets.compute.calibration import calibration


def expected_error(confidences, correct, bins):
    """Guo et al. 2017, equation 3: sum over bins ((m - 1) / M, m / M] of |B| / n |accuracy - confidence|."""
    total = 0.0
    for number in range(1, bins + 1):
        members = [i for i, value in enumerate(confidences) if (number - 1) / bins < value <= number / bins]
        if members:
            accuracy = sum(correct[i] for i in members) / len(members)
            confidence = sum(confidences[i] for i in members) / len(members)
            total += len(members) / len(confidences) * abs(accuracy - confidence)
    return total


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_error_is_that_of_the_equation(bins):
    generator = np.random.default_rng(3)
    confidences = generator.uniform(0.05, 1, 500)
    correct = generator.uniform(size=500) < confidences**2
    found = calibration(confidences, correct, bins=bins)
    assert found.error == pytest.approx(expected_error(confidences.tolist(), correct.tolist(), bins), abs=1e-12)
    assert (found.tests, found.confidence, found.accuracy) == (500, pytest.approx(confidences.mean()), pytest.approx(correct.mean()))
    assert found.log_loss is None


def test_edges_belong_to_the_bin_below():
    found = calibration([0.0, 0.5, 1.0, 0.500001], [True, False, True, True], bins=2)
    assert found.counts.tolist() == [2, 2]
    assert found.accuracies.tolist() == [0.5, 1.0]


def test_an_empty_bin_has_no_accuracy_and_adds_no_error():
    found = calibration(np.float32([0.9, 0.9]), [True, True], bins=10)
    assert math.isnan(found.accuracies[0])
    assert found.error == pytest.approx(0.1, abs=1e-6)


def test_the_log_loss_is_that_of_the_true_class():
    found = calibration([0.7, 0.6], [True, False], [0.7, 0.3])
    assert found.log_loss == pytest.approx(-(math.log(0.7) + math.log(0.3)) / 2)
    assert math.isfinite(calibration([1.0], [False], [0.0]).log_loss)


@pytest.mark.parametrize(
    ("confidences", "correct", "message"),
    [
        ([], [], "at least one"),
        ([0.5, 1.2], [True, True], "contains 1.2, which is not a probability"),
        ([0.5, math.nan], [True, True], "contains nan"),
        ([0.5], [True, False], "one value for each prediction"),
    ],
)
def test_what_is_no_probability_is_refused(confidences, correct, message):
    with pytest.raises(ValueError, match=message):
        calibration(confidences, correct)
