"""Resizing layers, against networks whose weights are changed by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import LayerError, ModelError
from tests.models.surgery.networks import (
    assert_counts_add_up,
    batch,
    bundle_of,
    count_of,
    odd,
    outputs,
    plain,
    residual,
    shared,
    shared_residual,
    strongest,
)  # fmt: skip


@pytest.mark.parametrize("norm", [False, True])
def test_fewer_units_are_the_strongest_and_the_network_is_that_without_the_others(norm):
    bundle = shared(norm)
    smaller = dw.surgery.resize_layer(bundle, "conv1", 4)
    reader = 4 if norm else 3
    kept = strongest(bundle, 0, [(bundle.model[reader].weight, 9)], 4, 1 if norm else None)
    net = nn.Sequential(*bundle.model)
    removed = [unit for unit in range(6) if unit not in kept]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    state[f"{reader}.weight"][:, removed] = 0
    expected = plain(norm)
    expected.model.load_state_dict(state)
    assert torch.allclose(outputs(smaller), outputs(expected), atol=1e-12)
    assert torch.equal(smaller.model[0].weight, bundle.model[0].weight[kept])
    assert_counts_add_up(bundle, smaller)
    assert dw.surgery.undo(smaller) is bundle
    assert bundle.model[0].weight.shape[0] == 6


def test_a_flattened_map_keeps_the_weights_of_its_units():
    bundle = shared()
    smaller = dw.surgery.resize_layer(bundle, "conv3", 2)
    positions = bundle.model[9].weight.shape[1] // 5
    by_unit = bundle.model[9].weight.reshape(8, 5, positions)
    kept = strongest(bundle, 5, [(bundle.model[9].weight, positions)], 2)
    assert torch.equal(smaller.model[9].weight, by_unit[:, kept].reshape(8, -1))
    assert torch.equal(smaller.model[5].bias, bundle.model[5].bias[kept])


def test_a_unit_of_which_batch_norm_takes_the_negative_is_as_strong():
    bundle = plain(True)
    with torch.no_grad():
        bundle.model[1].weight[2] *= -50
    assert torch.equal(dw.surgery.resize_layer(bundle, "conv1", 1).model[0].weight, bundle.model[0].weight[[2]])


@pytest.mark.parametrize(
    ("norm", "layer", "more", "seed"), [(False, "conv1", 1, 0), (True, "conv2", 9, 1), (True, "conv3", 2, 2), (False, "fc4", 13, 3)]
)
def test_more_units_compute_the_same_and_fewer_again_add_up(norm, layer, more, seed):
    """One more, fewer than there are, and more than twice as many; before convolutions, a flattened map and a linear layer."""
    bundle = shared(norm)
    units = bundle.network.layer(layer).channels
    grown = dw.surgery.resize_layer(bundle, layer, units + more, seed=seed)
    assert torch.allclose(outputs(grown), outputs(bundle), rtol=1e-9, atol=1e-9)
    assert grown.network.layer(layer).channels == units + more
    assert grown.surgery[0].description.startswith(f"{layer} has {units + more} units: its {units}, and {more} copies")
    assert_counts_add_up(bundle, grown)
    again = dw.surgery.resize_layer(grown, layer, units)
    assert again.network.layer(layer).channels == units
    assert_counts_add_up(grown, again)
    assert dw.surgery.undo(dw.surgery.undo(again)) is bundle


def test_copies_have_other_outgoing_weights_and_the_seed_decides_them():
    bundle = shared()
    grown, same, other = (dw.surgery.resize_layer(bundle, "conv2", 14, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(grown.model[5].weight, same.model[5].weight)
    assert not torch.equal(grown.model[5].weight, other.model[5].weight)
    weight = grown.model[3].weight
    copies = [next(old for old in range(7) if torch.equal(weight[old], weight[new])) for new in range(7, 14)]
    assert sorted(copies) == list(range(7))
    assert not torch.allclose(grown.model[5].weight[:, copies], grown.model[5].weight[:, 7:])


def test_a_rescaled_unit_is_as_strong_as_before():
    bundle, other = plain(), plain()
    with torch.no_grad():
        for name in ("weight", "bias"):
            getattr(other.model[0], name)[:3] *= 8
        other.model[3].weight[:, :3] /= 8
    kept = [dw.surgery.resize_layer(one, "conv1", 3).model[3].weight for one in (bundle, other)]
    scales = (kept[0] / kept[1]).mean((0, 2, 3)).detach()
    assert all(min(abs(float(scale) - 1), abs(float(scale) - 8)) < 1e-9 for scale in scales)


def test_units_before_a_sum_are_resized_if_only_convolutions_read_them():
    bundle = residual()
    grown = dw.surgery.resize_layer(bundle, "first", 9)
    assert torch.allclose(outputs(grown), outputs(bundle), atol=1e-9)
    assert grown.model.second.weight.shape[1] == 9


def test_a_head_reads_the_new_units(make_head):
    bundle = shared()
    for pool in (None, (2, 2)):
        headed = bundle.with_head(make_head(bundle, "pool3", pool=pool))
        grown = dw.surgery.resize_layer(headed, "conv3", 8)
        assert torch.allclose(outputs(grown), outputs(headed), rtol=1e-6, atol=1e-6)
        assert torch.allclose(outputs(grown.headless), outputs(bundle), atol=1e-9)
        assert grown.head.layer == headed.head.layer
        assert "trained before the surgery" in grown.classifier
        assert "84.6%" not in grown.classifier
        assert dw.surgery.undo(grown) is headed
        assert dw.surgery.undo(grown.headless) is headed.headless
        assert sum(grown.surgery[0].counts[::2]) == sum(count_of(grown.headless).values()) + grown.head.weight.size + grown.head.bias.size
        assert grown.with_head(None).surgery == grown.surgery


def test_a_head_decides_too_which_units_are_the_strongest(make_head):
    bundle = shared()
    head = make_head(bundle, "pool3", pool=(2, 3))
    head = replace(head, weight=(100 * head.weight).astype(np.float16))
    smaller = dw.surgery.resize_layer(bundle.with_head(head), "conv3", 2)
    positions = bundle.model[9].weight.shape[1] // 5
    weight = torch.from_numpy(head.weight.astype(np.float32))
    kept = strongest(bundle, 5, [(bundle.model[9].weight, positions), (weight, 6)], 2)
    assert kept != strongest(bundle, 5, [(bundle.model[9].weight, positions)], 2)
    assert torch.equal(smaller.headless.model[5].weight, bundle.model[5].weight[kept])
    np.testing.assert_array_equal(smaller.head.weight, head.weight.reshape(4, 5, 6)[:, kept].reshape(4, 12))
    step = smaller.surgery[0]
    assert [dict(counts)["head.weight"] for counts in (step.kept, step.cut)] == [4 * 2 * 6, 4 * 3 * 6]
    assert "head.weight" not in dict(step.new)
    assert smaller.head.digest == smaller.headless.network.digest("pool3") != head.digest


REFUSED = [
    (lambda: odd("sum"), "one", "an addition"),
    (lambda: odd("sum"), "two", "an addition"),
    (lambda: odd("cat"), "two", "a concatenation"),
    (lambda: odd("gate"), "two", "a product"),
    (lambda: odd("groups"), "one", "a grouped convolution"),
    (lambda: odd("groups"), "two", "a grouped convolution"),
    (lambda: odd("tied"), "two", "used more than once"),
    (lambda: odd("twice"), "two", "used more than once"),
    (lambda: odd("softmax"), "two", "softmax"),
    (lambda: odd("permute"), "two", "permute"),
    (shared_residual, "stem", "an addition"),
    (shared, "fc5", "are the answer"),
    (shared, "pool1", "not the map of a convolution"),
    (shared, "conv7", "no layer"),
]


@pytest.mark.parametrize(("bundle", "layer", "message"), REFUSED)
def test_units_that_are_tied_to_others_are_refused_by_name(bundle, layer, message):
    with pytest.raises(LayerError, match=message):
        dw.surgery.resize_layer(bundle(), layer, 5)


def test_response_normalisation_allows_fewer_units_only():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.LocalResponseNorm(5), nn.Conv2d(8, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    bundle = bundle_of(net)
    assert dw.surgery.resize_layer(bundle, "conv1", 5).network.layer("conv1").channels == 5
    with pytest.raises(LayerError, match="normalised by those beside them"):
        dw.surgery.resize_layer(bundle, "conv1", 9)


class Fixed(nn.Module):
    """A network whose code has the number of its features."""

    def __init__(self, rows):
        super().__init__()
        self.conv, self.relu, self.fc, self.rows = nn.Conv2d(3, 4, 3, 8), nn.ReLU(), nn.Linear(4 * 12, 4), rows

    def forward(self, x):
        return self.fc(self.relu(self.conv(x)).view(self.rows, 4 * 12))


def test_code_that_depends_on_the_number_of_units_is_refused():
    bundle = bundle_of(Fixed(-1).double())
    for units in (2, 8):
        with pytest.raises(ModelError, match=r"cannot run|outputs of shape"):
            dw.surgery.resize_layer(bundle, "conv1", units)
    assert outputs(bundle, batch(2)).shape == (2, 4)


def test_hooks_are_not_lost():
    bundle = plain()
    bundle.model[0].register_forward_hook(lambda module, args, output: None)
    with pytest.raises(ModelError, match="has hooks"):
        dw.surgery.resize_layer(bundle, "conv1", 3)


def test_a_change_of_function_is_noticed(monkeypatch):
    from deconvwidgets.models.surgery import units

    monkeypatch.setattr(units.NewUnits, "read", lambda self, weight, positions: weight[:, [0] * (len(self.sources) * positions)])
    with pytest.raises(ModelError, match="would change what net computes"):
        dw.surgery.resize_layer(shared(), "conv2", 9)


def test_a_rectifier_with_values_of_its_own_is_refused_by_name():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.PReLU(8), nn.Conv2d(8, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(LayerError, match=r"reach prelu in '1', which may have a value of its own for each: their number cannot be changed"):
        dw.surgery.resize_layer(bundle_of(net), "conv1", 4)
