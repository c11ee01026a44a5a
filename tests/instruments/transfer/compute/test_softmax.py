"""The softmax classifier compared with a literal Newton method in float64, with scikit-learn, and between both designs."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deconvwidgets.errors import JobCancelledError
from deconvwidgets.instruments.transfer.compute.gram import GramDesign, PrimalDesign, Scaling, blocked_matmul, gram_matrix, make_design
from deconvwidgets.instruments.transfer.compute.softmax import fit_softmax
from deconvwidgets.instruments.transfer.compute.svm import fit_svm

DOUBLE = torch.float64


def problem(rows, features, classes, seed=0, dtype=DOUBLE):
    """Return features and labels of noisy classes of unequal sizes; the mean of the features is not zero."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (rows,), generator=generator) * torch.randint(0, 2, (rows,), generator=generator)
    labels[:classes] = torch.arange(classes)
    centres = torch.randn(classes, features, generator=generator, dtype=dtype)
    values = centres[labels] + 1.5 * torch.randn(rows, features, generator=generator, dtype=dtype) + 3
    return values, labels


def literal_newton(features, labels, classes, decay, steps=60):
    """Return weights (features, classes) and bias by Newton's method with the full Hessian; steps that increase the loss are halved."""
    rows, count = features.shape
    wide = np.concatenate([features, np.ones((rows, 1))], 1)
    truth = np.eye(classes)[labels]
    penalty = np.concatenate([np.full(count, decay), [0.0]])

    def loss(theta):
        logits = wide @ theta
        top = logits.max(1)
        entropy = np.log(np.exp(logits - top[:, None]).sum(1)) + top - (logits * truth).sum(1)
        return entropy.mean() + 0.5 * (penalty[:, None] * theta**2).sum()

    theta = np.zeros((count + 1, classes))
    for _ in range(steps):
        logits = wide @ theta
        probabilities = np.exp(logits - logits.max(1, keepdims=True))
        probabilities /= probabilities.sum(1, keepdims=True)
        gradient = wide.T @ (probabilities - truth) / rows + penalty[:, None] * theta
        hessian = np.zeros((classes, count + 1, classes, count + 1))
        for row in range(classes):
            for column in range(classes):
                curvature = probabilities[:, row] * ((row == column) - probabilities[:, column])
                hessian[row, :, column] = (wide * curvature[:, None]).T @ wide / rows + (row == column) * np.diag(penalty)
        square = hessian.reshape(classes * (count + 1), -1)
        step = -np.linalg.lstsq(square, gradient.T.ravel(), rcond=1e-12)[0].reshape(classes, count + 1).T
        length = 1.0
        while loss(theta + length * step) > loss(theta) and length > 1e-8:
            length /= 2
        theta = theta + length * step
    return theta[:-1], theta[-1] - theta[-1].mean()


def solution(design, labels, classes, decay, **settings):
    fit = fit_softmax(design, labels, classes, decay, **settings)
    bias = fit.parameters[-1]
    return design.weights(fit.parameters), bias - bias.mean(), fit


@pytest.mark.parametrize("decay", [1e-1, 1e-3])
@pytest.mark.parametrize(("rows", "features"), [(30, 7), (12, 40)])
def test_the_solution_equals_newtons_method(rows, features, decay):
    values, labels = problem(rows, features, 4)
    scaled = Scaling.of(values).apply(values)
    weights, bias = literal_newton(scaled.numpy(), labels.numpy(), 4, decay)
    for design in (GramDesign.of(scaled), PrimalDesign(scaled)):
        fit_weights, fit_bias, fit = solution(design, labels, 4, decay, tolerance=1e-10, max_steps=3000)
        assert fit.converged
        np.testing.assert_allclose(fit_weights, weights, atol=1e-6 * np.abs(weights).max())
        np.testing.assert_allclose(fit_bias, bias, atol=1e-6 * max(1.0, np.abs(bias).max()))


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(2, 24), features=st.integers(1, 30), classes=st.integers(2, 5), decay=st.floats(1e-3, 1.0), seed=st.integers(0, 99))
def test_both_designs_have_the_same_solution(rows, features, classes, decay, seed):
    classes = min(classes, rows)  # the optimal bias of a class without images is minus infinity
    values, labels = problem(rows, features, classes, seed)
    scaled = Scaling.of(values).apply(values)
    options = {"tolerance": 1e-9, "max_steps": 2000}
    gram_weights, gram_bias, gram_fit = solution(GramDesign.of(scaled), labels, classes, decay, **options)
    primal_weights, primal_bias, primal_fit = solution(PrimalDesign(scaled), labels, classes, decay, **options)
    assert gram_fit.loss == pytest.approx(primal_fit.loss, rel=1e-9)
    torch.testing.assert_close(gram_weights, primal_weights, atol=1e-5 * float(primal_weights.abs().max() + 1e-3), rtol=0)
    torch.testing.assert_close(gram_bias, primal_bias, atol=1e-5 * float(primal_bias.abs().max() + 1), rtol=0)


@pytest.mark.parametrize(("rows", "features"), [(80, 200), (200, 30)])
def test_the_solution_equals_scikit_learns(rows, features):
    linear_model = pytest.importorskip("sklearn.linear_model")
    values, labels = problem(rows, features, 5)
    scaled = Scaling.of(values).apply(values)
    weights, _, _ = solution(make_design(scaled), labels, 5, 1e-3, tolerance=1e-9, max_steps=3000)
    expected = linear_model.LogisticRegression(C=1 / (1e-3 * rows), tol=1e-10, max_iter=20_000).fit(scaled.numpy(), labels.numpy())
    np.testing.assert_allclose(weights.T, expected.coef_, atol=1e-5 * np.abs(expected.coef_).max())


def test_a_start_at_the_solution_of_a_stronger_weight_decay_leads_to_the_same_solution():
    values, labels = problem(60, 200, 5, dtype=torch.float32)
    design = make_design(Scaling.of(values).apply(values))
    start = None
    for decay in (1e-2, 1e-3, 1e-4):
        fit, expected = (fit_softmax(design, labels, 5, decay, initial) for initial in (start, None))
        start = fit.parameters
        assert fit.converged
        assert expected.converged
        assert fit.loss == pytest.approx(expected.loss, rel=1e-2, abs=1e-4)


def test_every_step_reduces_the_loss_and_may_stop_the_training():
    values, labels = problem(60, 200, 5, dtype=torch.float32)
    design, losses = make_design(Scaling.of(values).apply(values)), []
    fit = fit_softmax(design, labels, 5, 1e-4, on_step=lambda fit: losses.append(fit.loss))
    assert len(losses) == fit.steps + 1
    assert losses[0] == pytest.approx(np.log(5), rel=1e-6)
    assert all(after <= before + 1e-6 for before, after in pairwise(losses))

    def stop(fit):
        if fit.steps == 3:
            raise JobCancelledError("enough")

    with pytest.raises(JobCancelledError):
        fit_softmax(design, labels, 5, 1e-4, on_step=stop)
    assert fit_softmax(design, labels, 5, 1e-4, max_steps=3).steps == 3


def test_unscaling_gives_the_same_logits_for_unscaled_features():
    values, _ = problem(20, 50, 3)
    scaling = Scaling.of(values)
    scaled = scaling.apply(values)
    assert float(scaled.mean(0).abs().max()) < 1e-12
    assert float(scaled.square().sum(1).mean()) == pytest.approx(1.0)
    weights, bias = torch.randn(50, 3, dtype=DOUBLE), torch.randn(3, dtype=DOUBLE)
    weight, unscaled_bias = scaling.unscale(weights, bias)
    torch.testing.assert_close(values @ weight.T + unscaled_bias, scaled @ weights + bias)


def test_constant_features_give_the_class_frequencies():
    design = make_design(Scaling.of(torch.ones(6, 10)).apply(torch.ones(6, 10)))
    fit = fit_softmax(design, torch.tensor([0, 0, 0, 1, 1, 2]), 3, 1e-3, tolerance=1e-4)
    probabilities = torch.softmax(fit.logits, 1)[0]
    torch.testing.assert_close(probabilities, torch.tensor([3, 2, 1]) / 6, atol=1e-3, rtol=0)


def test_a_subset_of_a_design_is_the_design_of_the_subset():
    values, labels = problem(30, 80, 4)
    scaled, rows = Scaling.of(values).apply(values), torch.tensor([1, 4, 5, 9, 12, 20, 29])
    others = torch.tensor([0, 2, 28])
    for make in (GramDesign.of, PrimalDesign):
        whole, subset = make(scaled), make(scaled).subset(rows)
        fit = fit_softmax(subset, labels[rows], 4, 1e-2)
        weights, bias = subset.weights(fit.parameters), fit.parameters[-1]
        embedded = whole.embed(fit.parameters, rows)
        torch.testing.assert_close(whole.weights(embedded), weights)
        torch.testing.assert_close(embedded[-1], bias)
        torch.testing.assert_close(whole.predict(fit.parameters, rows, others), scaled[others] @ weights + bias)


def test_blocked_products_are_equal_and_have_one_lease_per_block(monkeypatch):
    monkeypatch.setattr("deconvwidgets.instruments.transfer.compute.gram._GRAM_BLOCK", 7)
    monkeypatch.setattr("deconvwidgets.instruments.transfer.compute.gram._BLOCK_OPERATIONS", 500)
    values = torch.randn(20, 6, dtype=DOUBLE)
    leases = []

    class Lease:
        def __enter__(self):
            leases.append("enter")

        def __exit__(self, *failure):
            leases.append("exit")

    torch.testing.assert_close(gram_matrix(values, Lease), values @ values.T)
    assert leases == ["enter", "exit"] * 6
    leases.clear()
    torch.testing.assert_close(blocked_matmul(values, values.T[:, :9], Lease), values @ values.T[:, :9])
    assert len(leases) == 2 * 5  # four rows at a time


def test_the_svm_equals_scikit_learns():
    svm = pytest.importorskip("sklearn.svm")
    multiclass = pytest.importorskip("sklearn.multiclass")
    values, labels = problem(80, 100, 4)
    scaled = Scaling.of(values).apply(values)
    design = GramDesign.of(scaled)
    parameters = fit_svm(design.gram, labels, 4, cost=3.0)
    expected = multiclass.OneVsRestClassifier(svm.SVC(kernel="linear", C=3.0)).fit(scaled.numpy(), labels.numpy())
    new = torch.randn(50, 100, dtype=DOUBLE) / 10
    scores = new @ design.weights(parameters) + parameters[-1]
    np.testing.assert_allclose(scores, expected.decision_function(new.numpy()), atol=2e-3)
    assert fit_svm(design.gram, labels.clamp(max=1), 3)[-1, 2] == -torch.inf
