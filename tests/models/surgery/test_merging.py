"""Merging units, against networks whose weights are changed by hand."""

import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import LayerError
from tests.models.surgery.networks import assert_counts_add_up, bundle_of, odd, outputs, plain, shared, strength_order


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
