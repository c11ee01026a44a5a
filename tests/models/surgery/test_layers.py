"""Networks without layers, with another first layer, and with normalisation; steps that are undone and repeated."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import DeconvWidgetsError, LayerError, ModelError
from deconvwidgets.models.surgery.first_layer import resampled
from tests.models.surgery.networks import (
    assert_counts_add_up,
    batch,
    bundle_of,
    count_of,
    odd,
    outputs,
    plain,
    shared,
    shared_residual,
)  # fmt: skip


@pytest.mark.parametrize("norm", [False, True])
def test_a_removed_layer_leaves_what_it_read_to_those_that_read_it(norm):
    bundle = plain(norm, convolutions=(6, 6, 5))
    shorter = dw.surgery.remove_layers(bundle, "conv2")
    kept = [module for number, module in enumerate(bundle.model) if number not in ((4, 5, 6) if norm else (3, 4))]
    assert torch.equal(outputs(shorter), nn.Sequential(*kept)(batch()))
    assert shorter.surgery[0].new == ()
    assert shorter.surgery[0].arguments["layers"] == ["conv2"]
    assert [info.alias for info in shorter.network.feature_map_layers] == ["conv1", "conv2"]
    assert_counts_add_up(bundle, shorter)
    assert dw.surgery.undo(shorter) is bundle


def test_layers_that_read_other_numbers_of_units_get_new_weights_by_the_seed():
    bundle = shared()
    shorter, same, other = (dw.surgery.remove_layers(bundle, ["fc4", "conv2", "conv3"], seed=seed) for seed in (0, 0, 1))
    assert_counts_add_up(bundle, shorter)
    positions = bundle.model[9].weight.shape[1] // 5
    assert shorter.model[12].weight.shape == (4, 6 * positions)  # what fc4 read of conv3, which read conv2, which read conv1
    assert dict(shorter.surgery[0].new) == {"12.weight": 4 * 6 * positions, "12.bias": 4}
    assert torch.equal(outputs(shorter), outputs(same))
    assert not torch.equal(outputs(shorter), outputs(other))
    pixels = bundle.model[2](torch.relu(bundle.model[0](batch())))
    expected = nn.functional.linear(nn.functional.max_pool2d(pixels, 3, 2).flatten(1), shorter.model[12].weight)
    assert torch.allclose(outputs(shorter), expected)
    assert float(shorter.model[12].weight.detach().std()) == pytest.approx((2 / (6 * positions)) ** 0.5, rel=0.1)
    filters = dw.surgery.remove_layers(bundle, "conv2").model[5].weight.detach()
    assert float(filters.std()) == pytest.approx((2 / (6 * 9)) ** 0.5, rel=0.1)  # each unit of conv3 reads 3 x 3 positions of 6 maps


def test_dropout_goes_with_its_layer_and_a_shared_rectifier_may_remain():
    shorter = dw.surgery.remove_layers(shared(), "fc4")
    assert not any(isinstance(module, nn.Dropout) for module in shorter.model)
    assert not shorter.model[-1].training
    without = dw.surgery.remove_layers(shared_residual(), "first")
    assert without.model.second.weight.shape[1] == 6


@pytest.mark.parametrize(
    ("bundle", "layers", "message"),
    [
        (shared, "fc5", "are the answer"),
        (lambda: odd("twice"), "one", "used more than once"),
        (lambda: odd("sum"), "two", "an addition"),
        (lambda: odd("functional"), "conv1", "other sizes"),
        (lambda: odd("tanh"), "two", "function call"),
        (shared, [], "layers must be names"),
    ],
)
def test_layers_that_cannot_be_removed_are_refused_by_name(bundle, layers, message):
    with pytest.raises(LayerError, match=message):
        dw.surgery.remove_layers(bundle(), layers)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), ((5, 3), None), (None, 2), (3, (2, 4))])
def test_a_changed_first_layer_keeps_later_sizes(kernel, stride):
    bundle = plain(conv=lambda: nn.Conv2d(3, 6, 7, stride=4, padding=3), pool=lambda: nn.MaxPool2d(2, 1))
    if stride is not None:
        bundle = plain(conv=lambda: nn.Conv2d(3, 6, 7, stride=4, padding=3), pool=lambda: nn.MaxPool2d(3, 2, 1))
    changed = dw.surgery.change_first_layer(bundle, kernel, stride)
    first = changed.model[0]
    assert first.kernel_size == tuple(first.weight.shape[2:]) == {3: (3, 3), (5, 3): (5, 3), None: (7, 7)}[kernel]
    assert first.stride == {2: (2, 2), None: (4, 4), (2, 4): (2, 4)}[stride]
    for name in ("pool1", "conv2", "pool3"):
        before, after = bundle.network.layer(name), changed.network.layer(name)
        assert (before.height, before.width, before.stride) == (after.height, after.width, after.stride)
    centres = [one.network.layer("conv1").offset[0] + (one.network.layer("conv1").receptive_field[0] - 1) / 2 for one in (bundle, changed)]
    assert abs(centres[0] - centres[1]) <= 1
    if stride is not None:  # windows of which every second position is one that the 3 x 3 at half the stride pooled
        assert changed.model[2].kernel_size == {2: (5, 5), (2, 4): (5, 3)}[stride]
        assert f" pool1 has {'5 x 5 at stride 4' if stride == 2 else '5 x 3 at stride 4 x 2'} now" in changed.surgery[0].description
    size, step = (" x ".join(map(str, first.kernel_size)), {2: "2", None: "4", (2, 4): "2 x 4"}[stride])
    assert changed.surgery[0].description.startswith(f"conv1 has {size} at stride {step}, not 7 x 7 at stride 4.")
    assert_counts_add_up(bundle, changed)
    assert dw.surgery.undo(changed) is bundle


@pytest.mark.parametrize(("kernel", "padding"), [(3, (1, 1)), ((5, 9), (2, 4)), ((7, 4), (3, 1))])
def test_the_centres_of_filters_stay_where_they_are(kernel, padding):
    """So the padding changes by half of what the size does."""
    net = nn.Sequential(nn.Conv2d(3, 4, 7, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4))
    first = dw.surgery.change_first_layer(bundle_of(net.double()), kernel, 2, keep_grid=False).model[0]
    assert first.padding == padding
    assert torch.equal(first(batch()), nn.functional.conv2d(batch(), first.weight, first.bias, 2, padding))


def test_without_keeping_the_grid_later_maps_have_other_sizes():
    net = nn.Sequential(nn.Conv2d(3, 4, 5, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4))
    changed = dw.surgery.change_first_layer(bundle_of(net), 5, 1, keep_grid=False)
    assert changed.network.layer("pool1").height == 11
    with pytest.raises(ModelError, match="cannot run"):
        dw.surgery.change_first_layer(plain(conv=lambda: nn.Conv2d(3, 6, 3, stride=2)), stride=1, keep_grid=False)


def test_resampled_filters_keep_energy_and_orientation():
    rows = torch.arange(11, dtype=torch.float64) - 5
    gabor = torch.cos(0.8 * rows[None, :]) * torch.exp(-(rows[:, None] ** 2 + rows[None, :] ** 2) / 12)
    filters = torch.stack([gabor, gabor.T, torch.zeros(11, 11)])[:, None]
    small = resampled(filters, (7, 7))
    assert torch.allclose(small.flatten(1).norm(dim=1), filters.flatten(1).norm(dim=1))
    scale = (np.arange(7) + 0.5) * 11 / 7 - 0.5 - 5
    expected = np.cos(0.8 * scale[None, :]) * np.exp(-(scale[:, None] ** 2 + scale[None, :] ** 2) / 12)
    cosine = (small[0, 0].numpy() * expected).sum() / np.linalg.norm(small[0, 0].numpy()) / np.linalg.norm(expected)
    assert cosine > 0.98
    assert torch.allclose(small[0, 0], small[1, 0].T)
    fast = torch.cos(torch.pi * torch.arange(12, dtype=torch.float64))[None, None, None].expand(1, 1, 12, 12) + 1.0
    low = torch.nn.functional.interpolate(fast, size=(4, 4), mode="bicubic", antialias=True)
    assert float((resampled(fast, (4, 4)) / resampled(fast, (4, 4)).mean() - low / low.mean()).abs().max()) < 1e-9
    assert float(resampled(fast, (4, 4)).std() / resampled(fast, (4, 4)).mean()) < 0.2  # what the smaller filter cannot hold is gone


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "already"), ({"kernel_size": 3}, "already"), ({"kernel_size": 0}, "kernel_size"), ({"kernel_size": 2.5}, "kernel_size"),
        ({"stride": (1, 2, 3)}, "stride"), ({"stride": 5}, "No layer after conv1"), ({"kernel_size": 65}, "kernel_size"),
    ],
)  # fmt: skip
def test_a_first_layer_that_cannot_be_is_refused(arguments, message):
    with pytest.raises((LayerError, ModelError), match=message):
        dw.surgery.change_first_layer(shared(), **arguments)


@pytest.mark.parametrize("layers", ["conv1", ["conv2", "fc4"]])
def test_batch_norm_changes_nothing_until_it_is_trained(layers):
    bundle = shared()
    normalised = dw.surgery.insert_normalization(bundle, layers)
    assert torch.allclose(outputs(normalised), outputs(bundle), rtol=1e-9, atol=1e-9)
    assert set(count_of(bundle)) < set(count_of(normalised))
    assert_counts_add_up(bundle, normalised)
    norm = next(module for module in normalised.model.modules() if isinstance(module, nn.BatchNorm2d))
    norm.running_mean.fill_(0.3)
    assert not torch.allclose(outputs(normalised), outputs(bundle))
    with pytest.raises(LayerError, match="has a batch norm already"):
        dw.surgery.insert_normalization(normalised, layers)
    smaller = dw.surgery.resize_layer(normalised, "conv2", 3)  # and the norm with it
    assert smaller.network.layer("conv2").channels == 3


def test_response_normalisation_is_zfnets():
    bundle = shared()
    normalised = dw.surgery.insert_normalization(bundle, "pool1", "response_norm")
    maps = bundle.network.map(batch(), "pool1")
    expected = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)(maps)
    assert torch.allclose(normalised.network.map(batch(), "2"), expected)
    for layer, message in (("fc4", "no maps"), ("pool9", "no layer")):
        with pytest.raises(LayerError, match=message):
            dw.surgery.insert_normalization(bundle, layer, "response_norm")
    with pytest.raises(ModelError, match="kind"):
        dw.surgery.insert_normalization(bundle, "conv1", "layer_norm")


def all_operations(bundle):
    """One of each, each on the result of the one before."""
    grown = dw.surgery.resize_layer(bundle, "conv2", 9)
    copied = next(unit for unit in range(7) if torch.equal(grown.model[3].weight[unit], grown.model[3].weight[7]))
    merged = dw.surgery.merge_units(dw.surgery.swap_pooling(grown), "conv2", [copied, 7])
    changed = dw.surgery.change_first_layer(dw.surgery.insert_normalization(merged, "conv3"), 5)
    return dw.surgery.remove_layers(changed, ["conv2", "fc4"])


@pytest.mark.slow
def test_steps_are_data_that_repeat_what_was_done_and_nothing_is_mutated():
    bundle = plain()
    before = {name: value.clone() for name, value in bundle.model.state_dict().items()}
    done = all_operations(bundle)
    assert all(torch.equal(value, before[name]) for name, value in bundle.model.state_dict().items())
    assert (bundle.label, done.label) == ("net", "net (6 operations of surgery)")
    assert "changed by surgery" in done.weights
    assert sum(note.startswith("Surgery: ") for note in done.notes) == 6
    stored = json.loads(json.dumps([{key: asdict(step)[key] for key in ("operation", "arguments")} for step in done.surgery]))
    again = dw.surgery.apply(bundle, stored)
    assert torch.equal(outputs(again), outputs(done))
    assert again.surgery == done.surgery
    for _ in done.surgery:
        done = dw.surgery.undo(done)
    assert done is bundle


def test_undoing_nothing_and_repeating_no_steps_are_refused():
    bundle = shared()
    with pytest.raises(ModelError, match="nothing to undo"):
        dw.surgery.undo(bundle)
    for steps in ("undo", [{"operation": "undo", "arguments": {}}], [1], {"operation": "undo"}):
        with pytest.raises(ModelError, match="steps"):
            dw.surgery.apply(bundle, steps)


def test_units_that_are_switched_off_afterwards_keep_the_history():
    done = dw.surgery.swap_pooling(shared())
    scaled = done.with_units({("conv1", 0): 0.0})
    assert scaled.surgery == done.surgery
    assert dw.surgery.undo(scaled) is shared()


class Untraceable(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        y = torch.relu(self.conv(x))
        return y.mean((2, 3)) if float(x.sum()) > 0 else -y.mean((2, 3))


def test_models_that_cannot_be_traced_are_refused():
    bundle = bundle_of(Untraceable())
    for call in (
        lambda: dw.surgery.swap_pooling(bundle),
        lambda: dw.surgery.resize_layer(bundle, "conv", 2),
        lambda: dw.surgery.remove_layers(bundle, "conv"),
    ):
        with pytest.raises(ModelError, match="cannot be traced"):
            call()
    with pytest.raises(DeconvWidgetsError, match="ModelBundle"):
        dw.surgery.swap_pooling("alexnet")


def test_an_index_of_a_changed_network_says_so(tiny_images):
    changed = dw.surgery.swap_pooling(shared_residual())
    index = dw.ActivationIndex.build(changed, tiny_images, layers=["conv1"], k=2, progress=False, device="cpu")
    assert index.identity.model == "net (blurred pooling)"
