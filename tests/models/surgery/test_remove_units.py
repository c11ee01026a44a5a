"""Removing units, against networks whose weights are sliced by plain PyTorch."""

import copy
import json

import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import LayerError, ModelError
from tests.models.surgery.networks import assert_counts_add_up, bundle_of, odd, outputs, plain, residual, shared, shared_residual

REMOVED = {"conv1": [4, 1], "conv2": [0, 6, 3], "conv3": [2], "fc4": [7, 0]}


def without(count, units):
    return [unit for unit in range(count) if unit not in units]


def sliced(module, units=(), inputs=(), positions=1):
    """Return a convolution, linear layer or batch norm without units, and without inputs."""
    sliced, keep = copy.deepcopy(module), without(len(module.weight), units)
    for name in ("weight", "bias"):
        setattr(sliced, name, nn.Parameter(getattr(module, name)[keep].detach().clone()))
    if isinstance(module, nn.BatchNorm2d):
        sliced.running_mean, sliced.running_var = module.running_mean[keep], module.running_var[keep]
        return sliced
    columns = module.weight.shape[1]
    dropped = [unit * positions + position for unit in inputs for position in range(positions)]
    sliced.weight = nn.Parameter(sliced.weight[:, without(columns, dropped)].detach().clone())
    return sliced


def reference(bundle):
    """Return the modules of `plain` without `REMOVED`, by plain PyTorch."""
    units, inputs, layers = iter([*REMOVED.values(), []]), [], []
    for module in bundle.model:
        if isinstance(module, nn.Conv2d | nn.Linear):
            own, flattened = next(units), isinstance(module, nn.Linear) and module.in_features != 8
            module, inputs = sliced(module, own, inputs, module.in_features // 5 if flattened else 1), own
        elif isinstance(module, nn.BatchNorm2d):
            module = sliced(module, inputs)
        layers.append(module)
    return nn.Sequential(*layers).eval()


@pytest.mark.parametrize("norm", [False, True])
def test_exactly_the_units_are_removed_in_one_step_from_layers_that_read_each_other(norm):
    bundle = shared(norm)
    smaller, expected = dw.surgery.remove_units(bundle, REMOVED), reference(bundle)
    assert {name: tuple(value.shape) for name, value in smaller.model.state_dict().items()} == {
        name: tuple(value.shape) for name, value in expected.state_dict().items()
    }
    for name, value in expected.state_dict().items():
        assert torch.equal(smaller.model.state_dict()[name], value), name
    assert torch.equal(outputs(smaller), outputs(bundle_of(expected)))
    assert [smaller.network.layer(name).channels for name in REMOVED] == [4, 4, 4, 6]
    assert dw.surgery.undo(smaller) is bundle
    assert [bundle.network.layer(name).channels for name in REMOVED] == [6, 7, 5, 8]


@pytest.mark.parametrize("norm", [False, True])
def test_the_step_says_what_was_kept_and_can_be_repeated(norm):
    bundle = shared(norm)
    smaller = dw.surgery.remove_units(bundle, REMOVED)
    assert_counts_add_up(bundle, smaller)
    (step,) = smaller.surgery
    assert (step.operation, step.label, step.new) == ("remove_units", "4 layers: 8 units removed", ())
    assert step.description.startswith("conv1 without 2 of its 6 units: 1, 4. conv2 without 3 of its 7 units: 0, 3, 6.")
    assert step.arguments == {"units": {name: sorted(units) for name, units in REMOVED.items()}}
    data = json.loads(json.dumps({"operation": step.operation, "arguments": step.arguments}))
    again = dw.surgery.apply(bundle, [data])
    assert torch.equal(outputs(again), outputs(smaller))
    assert dw.surgery.remove_units(bundle, {"conv1": [3]}).surgery[0].label == "conv1: 1 unit removed"


def test_units_killed_by_their_bias_are_removed_without_a_change_of_the_function():
    """The strongest units by weight, which resize_layer keeps, are the dead ones."""
    bundle = plain()
    with torch.no_grad():
        for unit in (2, 5):
            bundle.model[0].weight[unit] *= 4
            bundle.model[0].bias[unit] = -1000.0
        bundle.model[5].bias[1] = -1000.0
    smaller = dw.surgery.remove_units(bundle, {"conv1": [2, 5], "conv3": [1]})
    assert torch.allclose(outputs(smaller), outputs(bundle), rtol=1e-5, atol=1e-5)
    assert all(bool((smaller.model[layer].bias > -100).all()) for layer in (0, 5))


def test_a_layer_may_be_named_twice_and_a_unit_too():
    bundle = shared(True)
    names = [info.name for info in bundle.network.layers if bundle.network.layer(info.name).channels == 6][:2]
    smaller = dw.surgery.remove_units(bundle, {names[0]: [1, 1], names[1]: np.array([4]), "conv1": range(1, 2)})
    assert smaller.surgery[0].arguments == {"units": {"conv1": [1, 4]}}


def test_normalisation_that_was_inserted_is_sliced_with_its_layer():
    bundle = dw.surgery.insert_normalization(shared(), ["conv1", "conv2"])
    smaller = dw.surgery.remove_units(bundle, REMOVED)
    expected = dw.surgery.remove_units(shared(), REMOVED)
    assert torch.allclose(outputs(smaller), outputs(expected), rtol=1e-9, atol=1e-9)
    assert_counts_add_up(bundle, smaller)


def test_a_head_reads_the_units_that_stay(make_head):
    bundle = shared()
    head = make_head(bundle, "pool3", pool=(2, 2))
    headed = bundle.with_head(head)
    smaller = dw.surgery.remove_units(headed, {"conv2": [1], "conv3": [0, 3]})
    np.testing.assert_array_equal(smaller.head.weight, head.weight.reshape(4, 5, 4)[:, [1, 2, 4]].reshape(4, 12))
    kept, cut, new = (dict(counts) for counts in (smaller.surgery[0].kept, smaller.surgery[0].cut, smaller.surgery[0].new))
    assert (kept["head.weight"], cut["head.weight"], new) == (4 * 3 * 4, 4 * 2 * 4, {})
    assert dw.surgery.undo(smaller) is headed


def test_units_before_a_sum_are_removed_if_only_convolutions_read_them():
    bundle = residual()
    smaller = dw.surgery.remove_units(bundle, {"first": [1]})
    assert torch.equal(smaller.model.second.weight, bundle.model.second.weight[:, [0, 2, 3]])


def test_response_normalisation_is_said_to_read_other_neighbours():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.LocalResponseNorm(5), nn.Conv2d(8, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    smaller = dw.surgery.remove_units(bundle_of(net), {"conv1": [2]})
    assert smaller.surgery[0].description == ("conv1 without 1 of its 8 units: 2. Local response normalisation reads other neighbours.")


@pytest.mark.parametrize(
    ("bundle", "layer", "message"),
    [
        (lambda: odd("sum"), "one", "an addition"),
        (lambda: odd("cat"), "two", "a concatenation"),
        (lambda: odd("groups"), "two", "a grouped convolution"),
        (lambda: odd("tied"), "two", "used more than once"),
        (shared_residual, "stem", "an addition"),
        (shared, "fc5", "are the answer"),
        (shared, "pool1", "not the map of a convolution"),
        (shared, "conv7", "no layer"),
    ],
)
def test_units_that_are_tied_to_others_are_refused_by_name(bundle, layer, message):
    with pytest.raises(LayerError, match=message):
        dw.surgery.remove_units(bundle(), {layer: [0]})


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ({}, r'units must be lists of units by layer, such as \{"conv1": \[2, 7\]\}'),
        ([("conv1", 2)], "units must be lists of units by layer"),
        ({("conv1", 2): 0.0}, "must be the name of a layer"),
        ({"conv1": []}, r"units\['conv1'\] is empty: give the units of conv1 that are to be removed, from 0 to 5"),
        ({"conv1": 2}, r"units\['conv1'\] must be units of conv1, from 0 to 5"),
        ({"conv1": [6]}, "5"),
        ({"conv1": [0.0]}, r"each of units\['conv1'\]"),
        ({"conv2": [0], "conv1": range(6)}, "all units of conv1 of net: remove the layer by dw.surgery.remove_layers, or keep a unit"),
    ],
)
def test_what_are_no_units_of_layers_is_refused(units, message):
    with pytest.raises(LayerError, match=message):
        dw.surgery.remove_units(shared(), units)


def test_units_that_are_switched_off_have_to_be_restored_first():
    with pytest.raises(ModelError, match="restore them"):
        dw.surgery.remove_units(shared().with_units({("conv1", 2): 0.0}), {"conv1": [2]})
