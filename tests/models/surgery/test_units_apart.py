"""Units before operations on each map alone, against networks that are sliced by plain PyTorch; others are refused for their reason."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import LayerError
from tests.engine.random_models import with_random_norms
from tests.models.surgery.networks import batch, bundle_of, outputs

KEPT = [0, 2, 3, 5]


class Between(nn.Module):
    """An operation, a module or a function, between the maps of a convolution and the next one."""

    def __init__(self, between):
        super().__init__()
        self.one, self.relu, self.two = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 5, 3, padding=1)
        self.between, self.relu2, self.fc = between, nn.ReLU(), nn.Linear(5, 4)

    def forward(self, x):
        return self.fc(self.relu2(self.two(self.between(self.relu(self.one(x))))).mean((2, 3)))


def network(between):
    torch.manual_seed(0)
    return bundle_of(with_random_norms(Between(copy.deepcopy(between))).double())


def cut(bundle, kept=KEPT):
    """The same network with some units of its first convolution, without any code of the package."""
    model = copy.deepcopy(bundle.model)
    for module, names in ((model.one, ("weight", "bias")), (model.between, ("weight", "bias", "running_mean", "running_var"))):
        for name in names if isinstance(module, nn.Module) else ():
            value = getattr(module, name, None)
            if value is not None:
                sliced = value.detach()[kept].clone()
                setattr(module, name, nn.Parameter(sliced) if isinstance(value, nn.Parameter) else sliced)
    if isinstance(model.between, nn.InstanceNorm2d):
        model.between.num_features = len(kept)
    model.two.weight = nn.Parameter(model.two.weight.detach()[:, kept].clone())
    return model


@pytest.mark.parametrize(
    "between",
    [
        nn.AdaptiveMaxPool2d(5),
        nn.Upsample(scale_factor=2),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        lambda h: F.interpolate(h, size=(7, 9), mode="bicubic"),
        lambda h: F.interpolate(h, size=(7, 9), mode="nearest-exact"),
        nn.ReflectionPad2d(2),
        nn.ReplicationPad2d((1, 2, 0, 1)),
        nn.CircularPad2d(1),
        nn.InstanceNorm2d(6),
        nn.InstanceNorm2d(6, affine=True),
        nn.InstanceNorm2d(6, affine=True, track_running_stats=True),
        lambda h: F.instance_norm(h),
    ],
)
def test_operations_on_each_map_alone_keep_units_apart(between):
    bundle = network(between)
    removed = dw.surgery.remove_units(bundle, {"conv1": [1, 4]})
    assert torch.allclose(outputs(removed), cut(bundle)(batch()), atol=1e-12)
    grown = dw.surgery.resize_layer(bundle, "conv1", 9)
    assert torch.allclose(outputs(grown), outputs(bundle), atol=1e-9)
    copied = [0, *range(6)]
    twin = bundle_of(cut(bundle, copied))
    with torch.no_grad():
        twin.model.two.weight[:, :2] *= 0.5
    merged = dw.surgery.merge_units(twin, "conv1", [0, 1])
    assert torch.allclose(outputs(merged), outputs(bundle), atol=1e-9)


def test_flattened_maps_of_adaptive_pooling_keep_their_positions():
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveMaxPool2d((2, 3)), nn.Flatten(), nn.Linear(36, 4))
    bundle = bundle_of(nn.Sequential(*layers).double())
    model = copy.deepcopy(bundle.model)
    for name in ("weight", "bias"):
        setattr(model[0], name, nn.Parameter(getattr(model[0], name).detach()[KEPT]))
    model[4].weight = nn.Parameter(model[4].weight.detach().reshape(4, 6, 6)[:, KEPT].reshape(4, -1))
    assert torch.allclose(outputs(dw.surgery.remove_units(bundle, {"conv1": [1, 4]})), model(batch()), atol=1e-12)


@pytest.mark.parametrize("affine", [False, True])
def test_an_instance_norm_belongs_to_the_layer_that_is_removed(affine):
    torch.manual_seed(0)
    first, rest = nn.Conv2d(3, 6, 3), (nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))
    middle = (nn.Conv2d(6, 6, 3, padding=1), nn.InstanceNorm2d(6, affine=affine), nn.ReLU())
    bundle = bundle_of(nn.Sequential(first, nn.ReLU(), *middle, *rest[1:]).double())
    expected = nn.Sequential(first, *rest)(batch())
    assert torch.allclose(outputs(dw.surgery.remove_layers(bundle, "conv2")), expected)


def test_an_instance_norm_by_a_call_would_remain_and_is_refused():
    bundle = network(lambda h: F.instance_norm(h))
    with pytest.raises(LayerError, match="instance norm after conv1 of net is a function call"):
        dw.surgery.remove_layers(bundle, "conv1")


@pytest.mark.parametrize(
    ("between", "reason"),
    [
        (lambda h: h * h.mean((1, 2, 3)).sigmoid().view(-1, 1, 1, 1), "reach mean, which ties them to other units"),
        (lambda h: h / h.flatten(1).std(1).view(-1, 1, 1, 1), "reach div, which ties them"),
        (lambda h: h * h.amax(), "reach amax|reach max"),
        (
            lambda h: h * torch.linspace(0.5, 1.5, 6, dtype=h.dtype).view(1, 6, 1, 1),
            "reach mul, which may have a value of its own for each",
        ),
        (lambda h: h.permute(0, 1, 3, 2), "reach permute, which may tie them to other units"),
        (lambda h: h.softmax(1), "reach softmax, which ties them to other units"),
        (nn.GroupNorm(2, 6), "reach group_norm in 'between', which ties them to other units"),
        (lambda h: F.pad(h, (0, 0, 0, 0, 1, 0))[:, :6], "reach pad, which may tie them to other units"),
    ],
)
def test_operations_that_do_not_keep_units_apart_are_refused_for_their_reason(between, reason):
    with pytest.raises(LayerError, match=reason):
        dw.surgery.resize_layer(network(between), "conv1", 4)
