"""Resizing layers and merging units, against networks whose weights are changed by hand."""

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
)  # fmt: skip


def strength_order(bundle, conv, readers, norm=None):
    """The units with the largest product of norms, by loops. `readers`: the weights that read them, and the positions of a unit in each."""
    module, found = bundle.model[conv], []
    for unit in range(len(module.weight)):
        incoming = float((module.weight[unit].detach().double() ** 2).sum()) ** 0.5
        if norm is not None:
            layer = bundle.model[norm]
            incoming *= abs(float(layer.weight[unit].detach())) / float(layer.running_var[unit] + layer.eps) ** 0.5
        outgoing = sum(float((weight.detach().reshape(-1, len(module.weight), width)[:, unit] ** 2).sum()) for weight, width in readers)
        found.append(incoming * outgoing**0.5)
    return np.argsort(found)[::-1].tolist()


def strongest(bundle, conv, readers, count, norm=None):
    return sorted(strength_order(bundle, conv, readers, norm)[:count])


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


def test_merging_exact_copies_changes_nothing_and_a_scaled_copy_counts_by_its_scale():
    bundle = plain()
    with torch.no_grad():
        for name in ("weight", "bias"):
            getattr(bundle.model[3], name)[5] = getattr(bundle.model[3], name)[1]
            getattr(bundle.model[3], name)[6] = 0.5 * getattr(bundle.model[3], name)[1]
    merged = dw.surgery.merge_units(bundle, "conv2", [5, 1, 6])
    assert torch.allclose(outputs(merged), outputs(bundle), rtol=1e-9, atol=1e-9)
    assert len(merged.model[3].weight) == 5
    assert "1.000 or more" in merged.surgery[0].description
    assert_counts_add_up(bundle, merged)


@pytest.mark.parametrize("layer", ["conv1", "conv3"])
def test_merging_the_copies_of_a_grown_layer_gives_the_function_back(layer):
    bundle = shared(True)
    units = bundle.network.layer(layer).channels
    grown = dw.surgery.resize_layer(bundle, layer, units + 1)
    weight = dict(grown.model.named_parameters())[grown.surgery[0].new[0][0]]
    copied = next(unit for unit in range(units) if torch.equal(weight[unit], weight[units]))
    merged = dw.surgery.merge_units(grown, layer, [units, copied])
    assert torch.allclose(outputs(merged), outputs(bundle), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("units", [[1, 4], [4, 6, 1]])
def test_near_copies_are_merged_along_the_one_that_stays(norm, units):
    """Each is replaced by its projection on the strongest: incoming weights, bias and batch norm as one vector."""
    bundle, (conv, reader) = plain(norm), (4, 7) if norm else (3, 5)
    layer = bundle.model[conv]
    with torch.no_grad():
        for unit, factor in ((4, 0.5), (6, 1.5)):
            layer.weight[unit] = factor * layer.weight[1] + 0.05 * layer.weight[unit]
            layer.bias[unit] = factor * layer.bias[1] + 0.3
        if norm:
            bundle.model[5].running_mean[:] = torch.linspace(-0.4, 0.4, 7)
    vectors = {}
    for unit in units:
        weight, bias = layer.weight[unit].detach().flatten(), layer.bias[unit].detach().reshape(1)
        if norm:
            after = bundle.model[conv + 1]
            scale = after.weight[unit].detach() / (after.running_var[unit] + after.eps).sqrt()
            weight, bias = weight * scale, (bias - after.running_mean[unit]) * scale + after.bias[unit].detach()
        vectors[unit] = torch.cat([weight, bias])
    outgoing = bundle.model[reader].weight.detach()
    stays = next(unit for unit in strength_order(bundle, conv, [(outgoing, 9)], conv + 1 if norm else None) if unit in units)
    merged = dw.surgery.merge_units(bundle, "conv2", units)
    remaining = [unit for unit in range(7) if unit == stays or unit not in units]
    along = {unit: float(vector @ vectors[stays] / vectors[stays].square().sum()) for unit, vector in vectors.items()}
    expected = sum(outgoing[:, unit] * factor for unit, factor in along.items())
    assert torch.equal(merged.model[conv].weight, layer.weight[remaining])
    assert torch.allclose(merged.model[reader].weight[:, remaining.index(stays)], expected)
    cosine = min(float(torch.cosine_similarity(vector, vectors[stays], dim=0)) for vector in vectors.values())
    assert 0.5 < cosine < 0.9995
    assert f"merged into unit {stays} (cosine between their incoming weights: {cosine:.3f} or more)" in merged.surgery[0].description
    assert_counts_add_up(bundle, merged)


def normed_after(gains, factor=1.0):
    """A network with batch norm before and after the activation, in which unit 1 is `factor` times unit 0 before the activation."""
    torch.manual_seed(3)
    later, first = nn.BatchNorm2d(5), nn.BatchNorm2d(5)
    net = nn.Sequential(nn.Conv2d(3, 5, 3), first, nn.ReLU(), later, nn.Conv2d(5, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).double()
    with torch.no_grad():
        later.weight[:2], later.bias[:2], later.running_mean[:2] = torch.tensor(gains).double(), 0.3, 0.1
        net[0].weight[1], net[0].bias[1] = net[0].weight[0] * factor, net[0].bias[0] * factor
        first.weight.fill_(2.0)
    return bundle_of(net)


def test_batch_norm_after_the_activation_is_not_part_of_the_incoming_weights():
    bundle = normed_after([3.0, 3.0])
    merged = dw.surgery.merge_units(bundle, "conv1", [0, 1])
    assert torch.allclose(outputs(merged), outputs(bundle), rtol=1e-9, atol=1e-9)
    kept = bundle.model[4].weight
    assert torch.allclose(merged.model[4].weight[:, 0], kept[:, 0] + kept[:, 1])  # exact copies: not scaled
    assert "1.000 or more" in merged.surgery[0].description
    scaled = dw.surgery.merge_units(normed_after([3.0, 3.0], 0.5), "conv1", [0, 1])
    assert "1.000 or more" in scaled.surgery[0].description  # parallel, whatever the later norm adds


def test_units_that_a_later_batch_norm_treats_differently_are_refused():
    with pytest.raises(LayerError, match="batch norm '3' after their activation, with another weight for each"):
        dw.surgery.merge_units(normed_after([3.0, 1.0]), "conv1", [0, 1])


def test_where_activations_do_not_scale_outgoing_weights_are_added_as_they_are():
    bundle = odd("tanh")
    with torch.no_grad():
        bundle.model.one.weight[1], bundle.model.one.bias[1] = bundle.model.one.weight[0] * 0.5, bundle.model.one.bias[0] * 0.5
    stays, weight = (0, bundle.model.two.weight)
    merged = dw.surgery.merge_units(bundle, "conv1", [0, 1])
    assert torch.allclose(merged.model.two.weight[:, stays], weight[:, 0] + weight[:, 1])


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


def test_what_is_no_copy_cannot_be_merged():
    bundle = plain()
    with torch.no_grad():
        for name in ("weight", "bias"):
            getattr(bundle.model[0], name)[2] = -getattr(bundle.model[0], name)[1]
    with pytest.raises(LayerError, match=r"cosine -1\.00"):
        dw.surgery.merge_units(bundle, "conv1", [1, 2])
    for units in ([1], [1, 1], [0, 6], [0, -1], "01", [0.0, 1.0]):
        with pytest.raises(LayerError, match="units"):
            dw.surgery.merge_units(bundle, "conv1", units)


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
