"""The protocol's splits: how many of each class, without overlap, and the same again from the seed."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deconvwidgets.errors import HeadError
from deconvwidgets.instruments.transfer.compute.splits import draw_fold, hold_out

SIZES = (3, 31, 80, 90, 200)
LABELS = np.random.default_rng(5).permutation(np.repeat(np.arange(len(SIZES)), SIZES))


def counts(labels, positions):
    return np.bincount(np.asarray(labels)[positions], minlength=len(SIZES)).tolist()


def test_n_a_class_train_and_at_most_fifty_of_the_rest_test():
    fold = draw_fold(LABELS, 2, seed=0, fold=0)
    assert counts(LABELS, fold.train) == [2] * 5
    assert counts(LABELS, fold.test) == [1, 29, 50, 50, 50]
    assert not set(fold.train) & set(fold.test)
    for part in (fold.train, fold.test):
        assert part.dtype == np.int64
        assert np.array_equal(part, np.unique(part))


def test_tests_can_be_more_or_all_and_the_training_images_stay():
    few, usual, every = (draw_fold(LABELS, 2, 0, 0, most) for most in (7, 50, None))
    assert counts(LABELS, few.test) == [1, 7, 7, 7, 7]
    assert counts(LABELS, every.test) == [1, 29, 78, 88, 198]
    assert np.array_equal(few.train, usual.train)
    assert np.array_equal(every.train, usual.train)
    assert set(few.test) <= set(usual.test) <= set(every.test)


def test_seed_and_fold_decide_and_nothing_else():
    first = draw_fold(LABELS, 2, 3, 1)
    np.random.seed(9)
    again = draw_fold(LABELS.tolist(), 2, 3, 1)
    assert np.array_equal(first.train, again.train)
    assert np.array_equal(first.test, again.test)
    others = [draw_fold(LABELS, 2, 3, 0), draw_fold(LABELS, 2, 1, 3), draw_fold(LABELS, 2, 4, 1)]
    assert all(not np.array_equal(first.train, other.train) for other in others)


def test_another_process_draws_the_same():
    here = draw_fold([0] * 20 + [1] * 30, 3, 1, 2)
    script = (
        "from deconvwidgets.instruments.transfer.compute.splits import draw_fold; print(*draw_fold([0] * 20 + [1] * 30, 3, 1, 2).train)"
    )
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert there.split() == [str(number) for number in here.train]


def test_every_image_of_a_class_is_drawn_as_often():
    drawn = np.zeros(10)
    for fold in range(400):
        drawn[draw_fold([0] * 10, 5, 0, fold).train] += 1
    assert drawn.min() > 150
    assert drawn.max() < 250


def test_images_without_a_class_are_left_out():
    labels = [-1, 0, 0, 0, -1, 1, 1, 1]
    fold = draw_fold(labels, 1, 0, 0)
    assert not {0, 4} & {*fold.train.tolist(), *fold.test.tolist()}
    assert len(fold.train) == 2


def test_a_class_too_small_is_named():
    with pytest.raises(HeadError, match=r"1 of 5 classes: 0 \(3\)"):
        draw_fold(LABELS, 3, 0, 0)


@pytest.mark.parametrize("numbers", [(0, 0, 0, 50), (2, -1, 0, 50), (2, 0, -1, 50), (2, 0, 0, 0)])
def test_numbers_out_of_range_are_refused(numbers):
    with pytest.raises(HeadError, match="make no split"):
        draw_fold(LABELS, *numbers)


@pytest.mark.parametrize("labels", [[], [-1, -1], [[0, 0], [1, 1]]])
def test_labels_that_name_no_class_are_refused(labels):
    with pytest.raises(HeadError, match="name no class"):
        draw_fold(labels, 1, 0, 0)


@given(st.lists(st.integers(0, 3), min_size=8, max_size=60), st.floats(0.05, 0.95), st.integers(0, 9))
def test_held_out_images_are_a_share_of_every_class(labels, share, seed):
    labels = [*labels, 0, 0]
    held = hold_out(labels, share, seed)
    assert np.array_equal(np.sort(np.concatenate([held.train, held.test])), np.arange(len(labels)))
    sizes, out = (np.bincount(part, minlength=4) for part in (labels, np.asarray(labels)[held.test]))
    assert np.all(out[sizes > 1] >= 1)
    assert np.all(out[sizes > 0] < sizes[sizes > 0])
    assert np.all(np.abs(out - share * sizes) <= 1)
    assert np.array_equal(held.test, hold_out(labels, share, seed).test)


def test_nothing_to_hold_out_is_said():
    with pytest.raises(HeadError, match="at least 2 a class"):
        hold_out([0, 1, 2], 0.2, 0)
    with pytest.raises(HeadError, match="between 0 and 1"):
        hold_out([0, 0], 1.0, 0)
