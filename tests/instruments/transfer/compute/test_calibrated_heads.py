"""The weight decay and the temperature of a head, chosen by the log loss of held-out images."""

import math
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deconvwidgets.compute.calibration import calibration
from deconvwidgets.errors import HeadError
from deconvwidgets.instruments.transfer.compute.folds import WEIGHT_DECAYS, FoldImages, SoftmaxTrainer
from deconvwidgets.instruments.transfer.compute.held_out import Candidate, Search, held_out_parts
from deconvwidgets.instruments.transfer.compute.temperature import MAX_TEMPERATURE, MIN_TEMPERATURE, fit_temperature, log_loss


def noisy_images(classes=4, per_class=30, features=12, noise=1.0, seed=0):
    """Return images of normal clusters, and a function that draws test images of them."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(0, 1, (classes, features))

    def draw(count):
        labels = np.repeat(np.arange(classes), count)
        values = centres[labels] + noise * generator.normal(0, 1, (len(labels), features))
        return torch.from_numpy(values).float(), labels

    values, labels = draw(per_class)
    return FoldImages(0, seed, values, labels, classes), draw


def held_out_losses(images, decays):
    """Return the log loss of each weight decay: every held-out part is predicted by a head that is trained without it, from zero."""
    losses = {}
    for decay in decays:
        logits, labels = [], []
        for part in held_out_parts(images.labels, images.seed):
            rows = (images.features - images.features.mean(0)) * 1.0
            rows = rows / rows.square().sum(1).mean().sqrt()
            subset = FoldImages(0, 0, rows[part.train], images.labels[part.train], images.classes)
            # the scaling of all images is a constant factor of the penalty: train on scaled rows whose scale and mean are undone
            scale = (subset.features - subset.features.mean(0)).square().sum(1).mean()
            head = SoftmaxTrainer((decay / float(scale),), temperature=1.0).train(subset, nullcontext)
            logits.append(rows[part.test] @ head.weight.T + head.bias)
            labels.append(torch.as_tensor(images.labels[part.test]))
        losses[decay] = min(log_loss(torch.cat(logits) * scale, torch.cat(labels)) for scale in np.geomspace(0.02, 50, 200))
    return losses


logit_arrays = st.integers(0, 10_000).map(np.random.default_rng)


@settings(max_examples=25, deadline=None)
@given(generator=logit_arrays, images=st.integers(1, 40), classes=st.integers(2, 6), scale=st.floats(0.01, 30))
def test_a_temperature_never_makes_the_held_out_log_loss_worse(generator, images, classes, scale):
    labels = torch.from_numpy(generator.integers(0, classes, images))
    logits = torch.from_numpy(scale * generator.normal(0, 1, (images, classes)))
    logits[torch.arange(images), labels] += scale * float(generator.uniform(0, 3))
    temperature = fit_temperature(logits, labels)
    assert log_loss(logits / temperature, labels) <= log_loss(logits, labels) + 1e-9
    if 1 < temperature < MAX_TEMPERATURE / 1.1:  # then it is the minimum
        for other in (0.98, 1.02):
            assert log_loss(logits / temperature, labels) <= log_loss(logits / (temperature * other), labels) + 1e-9


def test_the_temperature_is_that_the_logits_were_multiplied_by():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20_000, 5, generator=generator, dtype=torch.float64)
    labels = torch.multinomial(torch.softmax(logits, 1), 1, generator=generator)[:, 0]
    for factor in (0.5, 1.0, 3.0):
        assert fit_temperature(factor * logits, labels) == pytest.approx(factor, rel=0.03)


def test_a_few_images_that_are_all_right_are_not_answered_with_certainty():
    logits, labels = torch.eye(3).repeat(4, 1), torch.arange(3).repeat(4)
    temperature = fit_temperature(logits, labels)
    assert MIN_TEMPERATURE < temperature < 1
    assert torch.softmax(logits / temperature, 1).max() == pytest.approx(1 - 0.5 / 13, abs=1e-6)  # half a mistake more than none in 12


@pytest.mark.parametrize("seed", [0, 1])
def test_a_temperature_changes_no_prediction(seed):
    images, draw = noisy_images(seed=seed)
    tests, _ = draw(50)
    fitted = SoftmaxTrainer.of(None).train(images, nullcontext)
    plain = SoftmaxTrainer.of(fitted.weight_decay).train(images, nullcontext)
    assert (plain.temperature, fitted.temperature) == (1, pytest.approx(1, abs=0.99))
    assert fitted.temperature != 1
    logits = [tests @ head.weight.T + head.bias for head in (plain, fitted)]
    assert (logits[0].argmax(1) == logits[1].argmax(1)).double().mean() > 0.99  # one training starts at zero, the other does not


@pytest.mark.parametrize(("noise", "per_class"), [(1.3, 30), (2.5, 30), (1.5, 8)])
def test_the_weight_decay_has_the_smallest_held_out_log_loss(noise, per_class):
    images, _ = noisy_images(noise=noise, per_class=per_class)
    trained = SoftmaxTrainer.of((1e-1, 1e-2, 1e-3, 1e-4)).train(images, nullcontext)
    losses = held_out_losses(images, (1e-1, 1e-2, 1e-3, 1e-4))
    assert losses[trained.weight_decay] <= min(losses.values()) * 1.02  # the training of the reference starts elsewhere


def test_of_equal_losses_the_best_accuracy_wins_then_the_strongest_weight_decay():
    features = torch.zeros(20, 3)  # nothing to learn from: all weight decays give the same logits
    trained = SoftmaxTrainer.of((1e-2, 1e-1, 1e-3)).train(FoldImages(0, 0, features, np.tile([0, 1], 10), 2), nullcontext)
    assert trained.weight_decay == 1e-1


class Grid(Search):
    """A search whose candidates have the log losses of a function of the weight decay."""

    def __init__(self, loss):
        self.loss, self.tried, self._parts = loss, [], [None]

    def try_out(self, weight_decay):
        self.tried.append(weight_decay)
        logits = torch.tensor([[0.0, -math.log(math.expm1(self.loss(weight_decay)))]], dtype=torch.float64)
        return Candidate(weight_decay, 1.0, logits, torch.tensor([1]), logits)


@pytest.mark.parametrize(
    ("best", "tried"),
    [
        (1e-4, []),
        (1e-5, []),
        (1e-1, []),
        (1e-6, [1e-7]),
        (1e-9, [1e-7]),  # the limit
        (30.0, []),  # the limit
    ],
)
def test_the_grid_is_widened_where_its_end_is_the_best(best, tried):
    grid = Grid(lambda decay: 1 + abs(math.log10(decay / best)))
    found = grid.run(WEIGHT_DECAYS, widen=True)
    assert grid.tried == [*WEIGHT_DECAYS, *tried]
    assert found.weight_decay == min(grid.tried, key=lambda decay: abs(math.log10(decay / best)))
    given = Grid(grid.loss)
    given.run(WEIGHT_DECAYS, widen=False)
    assert given.tried == list(WEIGHT_DECAYS)


class FewImages(Search):
    """A search whose candidates have given logits of the true class, and several held-out parts."""

    def __init__(self, logits, parts):
        self.logits, self._parts = logits, [None] * parts

    def try_out(self, weight_decay):
        logits = torch.zeros(len(self.logits[weight_decay]), 2, dtype=torch.float64)
        logits[:, 0] = torch.tensor(self.logits[weight_decay])
        return Candidate(weight_decay, 1.0, logits, torch.zeros(len(logits), dtype=torch.int64), logits)


def test_with_few_images_the_strongest_weight_decay_within_half_a_standard_error_is_used():
    # compared with 1e-3, the losses of 1e-2 differ much and in both directions, those of 1e-1 little and in one
    logits = {1e-1: [0.9, 0.9, 1.9, 1.9], 1e-2: [0.2, 3.0, 0.5, 4.0], 1e-3: [1.0, 1.0, 2.0, 2.0], 1e-4: [1.0, 1.0, 2.0, 1.9]}
    assert FewImages(logits, 5).run(list(logits), widen=False).weight_decay == 1e-2
    assert FewImages(logits, 1).run(list(logits), widen=False).weight_decay == 1e-3


def test_strong_weight_decays_are_compared_at_their_temperatures():
    """Their logits are a thousand times smaller, which is no reason to prefer weak ones."""
    generator = np.random.default_rng(0)
    labels = torch.from_numpy(np.repeat(np.arange(20), 5))
    logits = torch.nn.functional.one_hot(labels).double() + torch.from_numpy(0.3 * generator.normal(size=(100, 20)))
    small = logits / 1000
    assert fit_temperature(small, labels) == pytest.approx(fit_temperature(logits, labels) / 1000, rel=0.1)
    assert log_loss(small / fit_temperature(small, labels), labels) == pytest.approx(
        log_loss(logits / fit_temperature(logits, labels), labels), rel=0.01
    )


def test_one_weight_decay_is_used_as_it_is():
    images, _ = noisy_images()
    steps = []
    trained = SoftmaxTrainer.of(1e-3, on_step=steps.append).train(images, nullcontext)
    assert (trained.weight_decay, trained.temperature) == (1e-3, 1.0)
    assert all(step.validation_loss is None for step in steps)
    half = SoftmaxTrainer.of(1e-3, 2.0).train(images, nullcontext)
    torch.testing.assert_close(half.weight, trained.weight / 2)
    with pytest.raises(HeadError, match="temperature must be a finite number greater than 0"):
        SoftmaxTrainer.of(None, 0)


def test_few_images_are_held_out_in_turn():
    labels = np.tile(np.arange(7), 10)
    parts = held_out_parts(labels, 3)
    assert np.sort(np.concatenate([part.test for part in parts])).tolist() == list(range(70))
    for part in parts:
        assert np.bincount(labels[part.test]).tolist() == [2] * 7
        assert sorted([*part.train, *part.test]) == list(range(70))
    assert len(held_out_parts(np.tile(np.arange(101), 30), 0)) == 1
    assert not held_out_parts(np.arange(5), 0)
    uneven = held_out_parts(np.array([0, 1, 1, 1, 2, 2]), 0)
    assert all(set(np.array([0, 1, 1, 1, 2, 2])[part.train]) == {0, 1, 2} for part in uneven)  # every class keeps an image


@pytest.mark.parametrize("per_class", [8, 40])
def test_trained_heads_are_calibrated(per_class):
    """Half of the weight decays of the grid would answer with less than half of the confidence."""
    errors = []
    for seed in range(5):
        images, draw = noisy_images(seed=seed, per_class=per_class, classes=7, features=60)
        tests, labels = draw(200)
        head = SoftmaxTrainer.of(None).train(images, nullcontext)
        confidences, predictions = torch.softmax(tests @ head.weight.T + head.bias, 1).max(1)
        errors.append(calibration(confidences.numpy(), predictions.numpy() == labels).error)
    assert np.mean(errors) < 0.05
