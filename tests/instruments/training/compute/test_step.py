"""One step of training, against one computed by hand in NumPy: cross entropy, weight decay, momentum, and the limit of the filters."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import deconvwidgets as dw
from deconvwidgets.checkpoints.checkpoint_file import checkpoint_path, read_checkpoint_file
from deconvwidgets.instruments.training.compute.annealing import Plateau, annealed
from deconvwidgets.instruments.training.compute.filters import FilterLimit


class OneConvolution(nn.Module):
    """Logits are the maps of a 1 x 1 convolution, averaged over space: a linear model of the mean colour."""

    def __init__(self, classes=3):
        super().__init__()
        self.conv = nn.Conv2d(3, classes, 1)

    def forward(self, x):
        return self.conv(x).mean((2, 3))


def by_hand(weight, bias, batches, decay, momentum, rate, limit):
    """Train with NumPy, in float64. `batches` are (mean colours (n, 3), labels (n,))."""
    velocity_w, velocity_b = np.zeros_like(weight), np.zeros_like(bias)
    for colours, labels in batches:
        logits = colours @ weight.T + bias
        exponentials = np.exp(logits - logits.max(1, keepdims=True))
        error = exponentials / exponentials.sum(1, keepdims=True)
        error[np.arange(len(labels)), labels] -= 1
        error /= len(labels)
        velocity_w = momentum * velocity_w + error.T @ colours + decay * weight
        velocity_b = momentum * velocity_b + error.sum(0) + decay * bias
        weight, bias = weight - rate * velocity_w, bias - rate * velocity_b
        rms = np.sqrt((weight**2).mean(1, keepdims=True))
        weight = np.where(rms > limit, weight * limit / rms, weight)
    return weight, bias


def test_two_steps_with_renormalisation_are_those_by_hand(coloured, tmp_path):
    torch.manual_seed(0)
    net = OneConvolution()
    with torch.no_grad():
        net.conv.weight.mul_(2)
    trained = dw.train(
        net, coloured, out=tmp_path, input_size=16, epochs=2, batch_size=63, crops=None, flips=False, max_filter_rms=0.4, momentum=0.5,
        learning_rate=1.0, weight_decay=0.02, validation_share=0, device="cpu", progress=False, save_epochs=[0],
    )  # fmt: skip
    colours = np.stack([trained.bundle.prepare(coloured.open_source(n)).double().mean((1, 2)).numpy() for n in range(63)])
    labels = np.array([coloured.label(n) for n in range(63)])
    first = read_checkpoint_file(checkpoint_path(tmp_path, 0)).state
    start = first["conv.weight"].double().flatten(1).numpy(), first["conv.bias"].double().numpy()
    rms = np.sqrt((start[0] ** 2).mean(1))
    assert rms.max() < 0.4 + 1e-6  # the initial weights are limited too
    weight, bias = by_hand(*start, [(colours, labels)] * 2, 0.02, 0.5, 1.0, 0.4)
    assert np.sqrt((weight**2).mean(1)).max() > 0.4 - 1e-9  # the limit is reached, so that it is tested
    assert np.allclose(trained.bundle.model.conv.weight.flatten(1).numpy(), weight, atol=2e-6)
    assert np.allclose(trained.bundle.model.conv.bias.numpy(), bias, atol=2e-6)


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 10), st.floats(0.01, 1))
def test_no_filter_exceeds_the_limit_and_smaller_ones_are_unchanged(seed, scale, limit):
    generator = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ConvTranspose2d(5, 4, 2), nn.Conv2d(4, 4, 3, groups=4))
    spread = torch.rand(1, generator=generator) * scale
    with torch.no_grad():
        for layer in net:
            layer.weight.normal_(0, 1, generator=generator).mul_(torch.rand((*layer.weight.shape[:2], 1, 1), generator=generator) * spread)
    before = [layer.weight.detach().clone() for layer in net]
    FilterLimit(net, limit).apply()
    for layer, old, axis in zip(net, before, (0, 1, 0), strict=True):
        new, old = layer.weight.detach().transpose(0, axis).flatten(1), old.transpose(0, axis).flatten(1)
        rms, old_rms = new.double().square().mean(1).sqrt(), old.double().square().mean(1).sqrt()
        assert (rms <= limit * (1 + 1e-5)).all()
        small = old_rms < limit * (1 - 1e-5)
        assert torch.equal(new[small], old[small])
        direction = torch.nn.functional.cosine_similarity(new.double(), old.double(), dim=1)
        assert (direction[old_rms > 0] > 1 - 1e-6).all()


@given(st.lists(st.tuples(st.floats(0, 9), st.integers(0, 10)), min_size=1, max_size=40), st.integers(1, 6))
def test_annealing_follows_from_the_epochs_since_the_last_best_one(epochs, patience):
    """Against a plain search through the whole past."""
    plateau, since_annealed, annealed, expected = Plateau(), 0, [], []
    for number, (loss, errors) in enumerate(epochs):
        plateau = plateau.after(loss, errors / 10)
        anneal, plateau = plateau.anneal(patience)
        annealed.append(anneal)
        past = epochs[:number]
        improved = not past or loss < min(entry[0] for entry in past) or errors < min(entry[1] for entry in past)
        since_annealed = 0 if improved else since_annealed + 1
        expected.append(since_annealed == patience)
        since_annealed = 0 if since_annealed == patience else since_annealed
    assert annealed == expected


def test_annealing_ends_at_a_millionth_of_the_first_learning_rate():
    rates = [1e-2]
    for _ in range(20):
        rates.append(annealed(rates[-1], 0.1, rates[0]))
    assert rates[:7] == pytest.approx([10.0**-power for power in range(2, 9)])
    assert rates[6:] == pytest.approx([1e-8] * 15)
