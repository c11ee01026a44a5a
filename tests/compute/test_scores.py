"""Scores of outputs are those of the task, by formulas written out here."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from deconvwidgets.compute.scores import require_outputs, scores_of
from deconvwidgets.errors import ModelError
from deconvwidgets.records.quantity import Quantity

OUTPUTS = torch.tensor([[0.2, -1.5, 3.0], [0.0, 0.0, 0.0]])


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def softmax(row):
    total = sum(math.exp(value) for value in row)
    return [math.exp(value) / total for value in row]


@pytest.mark.parametrize(
    ("quantity", "outputs", "expected"),
    [
        (Quantity(), OUTPUTS, [softmax(row) for row in OUTPUTS.tolist()]),
        (Quantity("probabilities", "none"), torch.tensor([[0.452, 0.3, 0.248]]), [[0.452, 0.3, 0.248]]),
        (Quantity("multilabel", "sigmoid"), OUTPUTS, [[sigmoid(value) for value in row] for row in OUTPUTS.tolist()]),
        (Quantity("multilabel", "none"), torch.tensor([[0.9, 0.8]]), [[0.9, 0.8]]),
        (Quantity("binary", "sigmoid"), torch.tensor([[2.0], [-1.0]]), [[1 - sigmoid(2), sigmoid(2)], [1 - sigmoid(-1), sigmoid(-1)]]),
        (Quantity("binary", "none"), torch.tensor([[0.25]]), [[0.75, 0.25]]),
        (Quantity("regression", "none", "m"), OUTPUTS, OUTPUTS.tolist()),
        (Quantity(), torch.tensor([[1000.0, 0.0]]), [[1.0, 0.0]]),
    ],
)
def test_scores_are_those_of_the_task(quantity, outputs, expected):
    scores = scores_of(outputs, quantity, "mine")
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-7)


def test_rounding_of_probabilities_is_clipped():
    assert scores_of(torch.tensor([[1.0000001, -1e-8]]), Quantity("probabilities", "none"), "mine").tolist() == [[1.0, 0.0]]
    half = torch.full((1, 1000), 0.001).half()
    assert scores_of(half, Quantity("probabilities", "none"), "mine").shape == (1, 1000)


@pytest.mark.parametrize(
    ("quantity", "outputs", "message"),
    [
        (Quantity("probabilities", "none"), OUTPUTS, "returned -1.5 to 3 for this image.*task='softmax'"),
        (Quantity("multilabel", "none"), OUTPUTS, "returned -1.5 to 3.*task='multilabel'"),
        (Quantity("probabilities", "none"), torch.tensor([[0.9, 0.8]]), "do not sum to 1.*task='multilabel'"),
    ],
)
def test_outputs_that_are_no_probabilities_are_refused(quantity, outputs, message):
    with pytest.raises(ModelError, match=message):
        scores_of(outputs, quantity, "mine")


def test_outputs_must_be_as_many_as_the_names(tiny_bundle):
    assert require_outputs(OUTPUTS, tiny_bundle) is OUTPUTS
    binary = replace(tiny_bundle, quantity=Quantity("binary", "sigmoid"), categories=("no", "yes"))
    assert require_outputs(OUTPUTS[:, :1], binary).shape == (2, 1)
    for outputs, bundle in ((OUTPUTS[:, :2], tiny_bundle), (OUTPUTS[:, :2], binary), (OUTPUTS[0], tiny_bundle), ((OUTPUTS,), tiny_bundle)):
        with pytest.raises(ModelError, match=bundle.name):
            require_outputs(outputs, bundle)
