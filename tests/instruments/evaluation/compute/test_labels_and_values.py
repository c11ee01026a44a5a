"""Multi-label models and regressions: scores of scikit-learn, labels of every form, refusals."""

import numpy as np
import pytest
import torch

import deconvwidgets as dw
from deconvwidgets.errors import EvaluationError
from deconvwidgets.images.open import open_images
from deconvwidgets.instruments.evaluation.compute import metrics

QUIET = {"progress": False, "device": "cpu"}
CLASSES = ("ant", "bee", "cow", "dog")


@pytest.fixture
def multilabel(small):
    return small(4, scale=2.0, categories=CLASSES, task="multilabel")


def random_labels(count, seed=0):
    return np.random.default_rng(seed).random((count, 4)) < 0.4


def test_multilabel_scores_of_scikit_learn(multilabel, photographs):
    sklearn = pytest.importorskip("sklearn.metrics")
    labels = random_labels(50)
    found = dw.evaluate(multilabel, photographs([tuple(row.astype(int)) for row in labels], CLASSES), threshold=0.6, **QUIET)
    shares = found.probabilities
    np.testing.assert_allclose(shares, 1 / (1 + np.exp(-found.outputs.astype(np.float64))), rtol=1e-5)
    assert np.array_equal(found.truths, labels)
    np.testing.assert_allclose(found.average_precision, sklearn.average_precision_score(labels, shares, average=None))
    assert found.mean_average_precision == pytest.approx(sklearn.average_precision_score(labels, shares, average="macro"))
    chosen = shares >= 0.6
    assert 0 < chosen.mean() < 1
    for average, names in ((None, ("precision", "recall", "f1")), ("micro", ("micro_precision", "micro_recall", "micro_f1"))):
        expected = sklearn.precision_recall_fscore_support(labels, chosen, average=average, zero_division=np.nan)
        for name, value in zip(names, expected, strict=False):
            np.testing.assert_allclose(getattr(found, name), value, err_msg=name)


def test_average_precision_with_ties_and_without_labels():
    sklearn = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 4, 60).astype(np.float32) / 4
    truths = generator.random(60) < 0.3
    assert metrics.average_precision(truths, scores) == pytest.approx(sklearn.average_precision_score(truths, scores))
    assert np.isnan(metrics.average_precision(np.zeros(5, bool), scores[:5]))


@pytest.mark.parametrize(
    "form",
    [
        lambda row: tuple(CLASSES[number] for number in np.flatnonzero(row)),
        lambda row: {CLASSES[number] for number in np.flatnonzero(row)},
        lambda row: np.flatnonzero(row).tolist(),
        lambda row: row.astype(np.int64),
        lambda row: torch.tensor(row),
        lambda row: row.astype(np.float32),
    ],
)
def test_labels_of_every_form(multilabel, photographs, form):
    labels = random_labels(12)
    found = dw.evaluate(multilabel, photographs([0] * 12), labels=[form(row) for row in labels], **QUIET)
    present = [list(CLASSES).index(name) for name in found.categories]
    assert np.array_equal(found.truths, labels[:, present])
    assert labels[:, [number for number in range(4) if number not in present]].sum() == 0


def test_a_torch_data_set_of_vectors(multilabel):
    class Vectors(list):
        classes = ("bee", "yak", "ant")

    items = [(torch.rand(3, 16, 16), torch.tensor([number % 2, 1, 0])) for number in range(6)]
    found = dw.evaluate(multilabel, open_images(Vectors(items)), **QUIET)
    assert found.categories == ("bee", "ant")
    assert found.truths.tolist() == [[bool(number % 2), False] for number in range(6)]
    assert "Labels of 1 class that the model does not have are ignored: 'yak'" in " ".join(found.notes)


def test_labels_of_a_multilabel_model_need_one_class_each(multilabel, photographs):
    images = photographs([0] * 3)
    with pytest.raises(EvaluationError, match="'insect' is mapped to 'ant', 'bee'"):
        dw.evaluate(multilabel, images, labels=[["insect"]] * 3, mapping={"insect": ["ant", "bee"]}, **QUIET)
    with pytest.raises(EvaluationError, match="0 and 1 for each of the 4 classes"):
        dw.evaluate(multilabel, images, labels=[[0.5], ["ant"], []], **QUIET)


def test_values_of_scikit_learn(small, photographs):
    sklearn = pytest.importorskip("sklearn.metrics")
    bundle = small(2, scale=1.0, categories=["width", "height"], task="regression")
    values = np.random.default_rng(1).normal(size=(30, 2))
    found = dw.evaluate(bundle, photographs([tuple(row) for row in values]), **QUIET)
    np.testing.assert_allclose(found.truths, values)
    np.testing.assert_allclose(found.predictions, found.outputs, rtol=1e-6)
    for name, score in (("mean_absolute_error", "mean_absolute_error"), ("r2", "r2_score")):
        expected = getattr(sklearn, score)(values, found.predictions, multioutput="raw_values")
        np.testing.assert_allclose(getattr(found, name), expected, err_msg=name)
    np.testing.assert_allclose(found.root_mean_squared_error, np.sqrt(((values - found.predictions) ** 2).mean(0)))


@pytest.mark.parametrize("labels", [["ant"] * 3, [(1.0, 2.0, 3.0)] * 3, [True] * 3, [np.inf] * 3])
def test_labels_that_are_no_values_are_refused(small, photographs, labels):
    bundle = small(1, task="regression")
    with pytest.raises(EvaluationError, match="every label must be one finite number"):
        dw.evaluate(bundle, photographs([0] * 3), labels=labels, **QUIET)
    with pytest.raises(EvaluationError, match="do not pass mapping"):
        dw.evaluate(bundle, photographs([0] * 3), mapping={"a": "b"}, **QUIET)


def test_photographs_without_a_value_are_left_out(small, photographs):
    found = dw.evaluate(small(1, task="regression"), photographs([1.0, None, 3.0, np.nan]), **QUIET)
    assert found.sources.tolist() == [0, 2]
    assert found.unlabelled == 2
