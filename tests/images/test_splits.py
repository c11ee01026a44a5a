"""The splits of the protocol: their sizes, and that they are disjoint and reproducible."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deconvwidgets.errors import HeadError
from deconvwidgets.images.splits import draw_fold, hold_out

SIZES = (3, 31, 80, 90, 200)
LABELS = np.random.default_rng(5).permutation(np.repeat(np.arange(len(SIZES)), SIZES))


def counts(labels, positions):
    return np.bincount(np.asarray(labels)[positions], minlength=len(SIZES)).tolist()


def test_n_training_images_and_at_most_50_test_images_per_class():
    fold = draw_fold(LABELS, 2, seed=0, fold=0)
    assert counts(LABELS, fold.train) == [2] * 5
    assert counts(LABELS, fold.test) == [1, 29, 50, 50, 50]
    assert not set(fold.train) & set(fold.test)
    for part in (fold.train, fold.test):
        assert part.dtype == np.int64
        assert np.array_equal(part, np.unique(part))


def test_the_number_of_test_images_does_not_change_the_training_images():
    few, default, unlimited = (draw_fold(LABELS, 2, 0, 0, max_tests) for max_tests in (7, 50, None))
    assert counts(LABELS, few.test) == [1, 7, 7, 7, 7]
    assert counts(LABELS, unlimited.test) == [1, 29, 78, 88, 198]
    assert np.array_equal(few.train, default.train)
    assert np.array_equal(unlimited.train, default.train)
    assert set(few.test) <= set(default.test) <= set(unlimited.test)


def test_the_split_depends_on_seed_and_fold_only():
    first = draw_fold(LABELS, 2, 3, 1)
    np.random.seed(9)
    repeated = draw_fold(LABELS.tolist(), 2, 3, 1)
    assert np.array_equal(first.train, repeated.train)
    assert np.array_equal(first.test, repeated.test)
    others = [draw_fold(LABELS, 2, 3, 0), draw_fold(LABELS, 2, 1, 3), draw_fold(LABELS, 2, 4, 1)]
    assert all(not np.array_equal(first.train, other.train) for other in others)


def test_another_process_draws_the_same_split():
    fold = draw_fold([0] * 20 + [1] * 30, 3, 1, 2)
    script = "from deconvwidgets.images.splits import draw_fold; print(*draw_fold([0] * 20 + [1] * 30, 3, 1, 2).train)"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.split() == [str(number) for number in fold.train]


def test_the_images_of_a_class_are_drawn_equally_often():
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


def test_an_error_names_the_classes_that_are_too_small():
    with pytest.raises(HeadError, match=r"1 of 5 classes: 0 \(3\)"):
        draw_fold(LABELS, 3, 0, 0)


@pytest.mark.parametrize("numbers", [(0, 0, 0, 50), (2, -1, 0, 50), (2, 0, -1, 50), (2, 0, 0, 0)])
def test_invalid_numbers_raise_an_error(numbers):
    with pytest.raises(HeadError, match="define no split"):
        draw_fold(LABELS, *numbers)


@pytest.mark.parametrize("labels", [[], [-1, -1], [[0, 0], [1, 1]]])
def test_labels_without_a_class_raise_an_error(labels):
    with pytest.raises(HeadError, match="contain no class"):
        draw_fold(labels, 1, 0, 0)


@given(st.lists(st.integers(0, 3), min_size=8, max_size=60), st.floats(0.05, 0.95), st.integers(0, 9))
def test_held_out_images_are_a_share_of_every_class(labels, share, seed):
    labels = [*labels, 0, 0]
    split = hold_out(labels, share, seed)
    assert np.array_equal(np.sort(np.concatenate([split.train, split.test])), np.arange(len(labels)))
    sizes, held_out = (np.bincount(part, minlength=4) for part in (labels, np.asarray(labels)[split.test]))
    assert np.all(held_out[sizes > 1] >= 1)
    assert np.all(held_out[sizes > 0] < sizes[sizes > 0])
    assert np.all(np.abs(held_out - share * sizes) <= 1)
    assert np.array_equal(split.test, hold_out(labels, share, seed).test)


def test_hold_out_needs_two_images_of_a_class_and_a_valid_share():
    with pytest.raises(HeadError, match="at least 2 per class"):
        hold_out([0, 1, 2], 0.2, 0)
    with pytest.raises(HeadError, match="between 0 and 1"):
        hold_out([0, 0], 1.0, 0)
