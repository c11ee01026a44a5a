"""The change between two evaluations: interval, test, photographs and classes."""

from dataclasses import replace

import numpy as np
import pytest

import deconvwidgets as dw
from deconvwidgets.compute.paired import mcnemar_exact, paired_interval
from deconvwidgets.errors import EvaluationError

QUIET = {"progress": False, "device": "cpu"}
CLASSES = ("ant", "bee", "cow", "dog")


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (3, 3), (0, 9), (12, 4), (400, 463)])
def test_the_exact_test_of_scipy(gained, lost):
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert mcnemar_exact(gained, lost) == pytest.approx(expected, rel=1e-12)


def test_the_interval_covers_the_change_in_95_percent_of_draws():
    """Draw the four cells of the table many times; plain Wald intervals cover in 88 % of these."""
    generator = np.random.default_rng(0)
    for up, down, count in ((0.06, 0.02, 60), (0.2, 0.1, 200)):
        draws = generator.multinomial(count, [up, down, 1 - up - down], size=4000)
        bounds = np.array([paired_interval(int(gained), int(lost), count) for gained, lost, _ in draws])
        covered = ((bounds[:, 0] <= up - down) & (up - down <= bounds[:, 1])).mean()
        assert 0.94 <= covered <= 0.985, (up, down, count)


def test_the_interval_is_that_of_the_table_with_halves_added():
    up, down, same, total = 12.5, 4.5, 85.0, 102.0
    assert up + down + same == total
    change = (up - down) / total
    variance = (up / total + down / total - change**2) / total
    low, high = paired_interval(12, 4, 100)
    assert (low, high) == pytest.approx((change - 1.959964 * variance**0.5, change + 1.959964 * variance**0.5), abs=1e-6)
    assert paired_interval(0, 0, 100)[1] > 0, "no change in a sample is not certainty"


@pytest.fixture
def pair(small, photographs):
    images = photographs([number % 4 for number in range(80)], CLASSES)
    return images, *(dw.evaluate(small(4, seed=seed, categories=CLASSES), images, **QUIET) for seed in (0, 1))


def test_literal_counts(pair):
    _, before, after = pair
    found = dw.compare_evaluations(before, after)
    gained = [source for source in range(80) if after.right[source] and not before.right[source]]
    lost = [source for source in range(80) if before.right[source] and not after.right[source]]
    assert gained
    assert lost
    moved = after.true_probabilities - before.true_probabilities
    assert found.now_right.tolist() == sorted(gained, key=lambda source: -moved[source])
    assert found.now_wrong.tolist() == sorted(lost, key=lambda source: moved[source])
    assert found.changed.tolist() == [source for source in range(80) if before.predictions[source] != after.predictions[source]]
    assert (found.accuracy_before, found.accuracy_after) == pytest.approx((before.accuracy, after.accuracy))
    assert found.change == pytest.approx((len(gained) - len(lost)) / 80)
    assert found.interval == paired_interval(len(gained), len(lost), 80)
    np.testing.assert_allclose(found.class_before, before.recall)
    np.testing.assert_allclose(found.class_after, after.recall)
    change = after.recall - before.recall
    assert list(found.gained) == [number for number in np.argsort(-change) if change[number] > 0]
    assert list(found.lost) == [number for number in np.argsort(change) if change[number] < 0]
    assert found.log_loss_after == pytest.approx(after.log_loss)
    assert found.calibration_before == pytest.approx(before.reliability.error)
    assert found.notes == ()


def test_classes_of_one_name_are_other_classes(pair):
    _, before, after = pair
    before, after = (replace(one, classes=("crane", "crane", "cow", "dog")) for one in (before, after))
    moved = before.predictions != after.predictions
    assert (moved & (before.predictions < 2) & (after.predictions < 2)).any() or moved.any()
    assert dw.compare_evaluations(before, after).changed.tolist() == before.sources[moved].tolist()


def test_only_common_photographs_are_compared(pair, small):
    images, before, _ = pair
    after = dw.evaluate(small(3, seed=1, categories=CLASSES[:3]), images, **QUIET)
    found = dw.compare_evaluations(before, after)
    assert found.photographs == 60
    assert found.categories == CLASSES[:3]
    assert found.accuracy_before == pytest.approx(before.right[before.truths < 3].mean())
    assert "20 photographs evaluated only before are left out. Classes only before: 'dog'" in found.notes[0]


def test_other_photographs_labels_and_tasks_are_refused(pair, small, photographs):
    images, before, after = pair
    others = dw.evaluate(small(4, categories=CLASSES), photographs([0, 1], CLASSES, seed=1), **QUIET)
    with pytest.raises(EvaluationError, match="other photographs"):
        dw.compare_evaluations(before, others)
    relabelled = dw.evaluate(small(4, categories=CLASSES), images, labels=[0] * 80, **QUIET)
    with pytest.raises(EvaluationError, match="other labels"):
        dw.compare_evaluations(before, relabelled)
    values = dw.evaluate(small(1, task="regression"), images, **QUIET)
    with pytest.raises(EvaluationError, match="before is the evaluation of a regression model"):
        dw.compare_evaluations(values, after)
    with pytest.raises(EvaluationError, match="after must be an Evaluation"):
        dw.compare_evaluations(before, replace(before).outputs)
