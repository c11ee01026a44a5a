"""What the checks of units and of the first layer say, against numbers worked out by hand or by plain PyTorch."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from deconvwidgets.engine.filters import convolution_filters
from deconvwidgets.instruments.diagnosis.compute.activation_limit import upper_limit
from deconvwidgets.instruments.diagnosis.compute.aliasing_finding import aliasing
from deconvwidgets.instruments.diagnosis.compute.layer_findings import frequencies
from deconvwidgets.instruments.diagnosis.compute.unit_checks import LayerUnits, filter_cosines, filter_sizes, near_pairs
from deconvwidgets.instruments.diagnosis.compute.unit_findings import always_active, dead_units, dominating_filters, one_photograph
from deconvwidgets.models.bundle import ModelBundle
from tests.instruments.diagnosis.widget.fake_api import first_layer

INFO = SimpleNamespace(short_name="conv1", channels=6)


def units(first: list[float], second: list[float], minimum: list[float]) -> LayerUnits:
    """Six units of a layer, by their activations in the two strongest photographs and in the weakest."""
    arrays = [np.array(values, np.float32) for values in (minimum, first, first, second)]
    return LayerUnits(INFO, arrays[0], arrays[1], arrays[0] > 0, arrays[2], arrays[3], float("inf"), np.zeros(6, np.bool_))


def test_a_unit_responds_to_one_photograph_from_twice_the_second_on():
    layer = units([6, 4, 5, 0, 1.9, 2], [2, 4, 0, 0, 1, 1], [0] * 6)
    assert layer.ratio.tolist() == pytest.approx([3, 1, np.inf, 0, 1.9, 2])
    finding = one_photograph([layer], 60)
    assert [(unit.unit, unit.text) for unit in finding.units] == [
        (2, "one photograph"),
        (0, "its best photograph 3.0 times as strongly as to the next"),
        (5, "its best photograph 2.0 times as strongly as to the next"),
    ]
    assert (finding.count_text, finding.level, one_photograph([layer], 49).level) == ("3 units", "found", "near")


def test_dead_and_constant_units_are_counted_with_what_they_are_measured_on():
    layer = units([0, 3, 2, 5, 0, 7], [0, 3, 2, 4, 0, 6], [0, 3, 1, 5, 0, 0])
    dead = dead_units([layer], 60)
    assert (dead.count_text, dead.level) == ("2 of 6", "found")
    assert "2 of 6 in conv1" in dead.summary
    assert "active in fewer than 5.0% of such photographs" in dead.evidence  # the rule of three: 3 / 60
    constant = always_active([layer], 60)
    assert constant.count_text == "2 constant"
    assert constant.summary == (
        "2 units have the same activation in all 60 photographs. Active in all, which is usual in lower layers: 3 of 6 in conv1."
    )
    assert [(unit.unit, unit.value) for unit in constant.units] == [(3, 5), (1, 3)]


def filters_of(*layers: nn.Module):
    """Return a network and its filters, which share its weights."""
    net = nn.Sequential(*layers).eval()
    return net, convolution_filters(ModelBundle.from_module(net, input_size=(3, 12, 12), task=None, name="net").network)


def test_depthwise_filters_differ_more_before_they_dominate():
    torch.manual_seed(0)
    net, filters = filters_of(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8), nn.ReLU())
    with torch.no_grad():
        for layer, factor in ((net[0], 5), (net[2], 5)):
            layer.weight[:] = layer.weight.sign() * 0.1
            layer.weight[3] *= factor
            layer.weight[4:] = 0.0  # four of eight without weights: the median is that of the others
    sizes = filter_sizes(filters, [one.layer.name for one in filters])
    for one, layer in zip(sizes, (net[0], net[2]), strict=True):
        rms = layer.weight.detach().double().square().mean((1, 2, 3)).sqrt().numpy()
        np.testing.assert_allclose(one.ratio, rms / np.median(rms[rms > 0]), rtol=1e-6)
        assert one.ratio[3] == pytest.approx(5)
    assert [unit.layer for unit in dominating_filters(sizes).units] == ["conv1"]
    with torch.no_grad():
        net[2].weight[3] *= 2
    found = dominating_filters(filter_sizes(filters, [one.layer.name for one in filters]))
    assert [(unit.layer, unit.unit, unit.text) for unit in found.units] == [
        ("conv2", 3, "10.0 times the median"),
        ("conv1", 3, "5.0 times the median"),
    ]


def test_copies_are_alike_in_what_they_compute_and_in_their_filters():
    """Only filters of one group are compared: those of others read other channels."""
    torch.manual_seed(1)
    net, (first, grouped) = filters_of(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3, groups=2), nn.ReLU())
    with torch.no_grad():
        for unit, other in ((1, 0), (4, 1)):
            net[2].weight[unit] = net[2].weight[other]
    found, flat = filter_cosines(grouped), net[2].weight.detach().double().flatten(1)
    for one in range(6):
        for other in range(6):
            expected = float(torch.cosine_similarity(flat[one], flat[other], dim=0)) if one // 3 == other // 3 else np.nan
            np.testing.assert_allclose(found[one, other], expected, atol=1e-9)
    pairs = {first.layer.name: [(0, 2, 0.999)], grouped.layer.name: [(0, 1, 0.995), (1, 4, 0.995), (0, 2, 0.92)]}
    index = SimpleNamespace(
        layers=[first.layer, grouped.layer],
        near_copies=lambda name, limit: [SimpleNamespace(unit=one, other=other, correlation=value) for one, other, value in pairs[name]],
    )
    alike = [pair for pair in near_pairs(index, [first, grouped]) if not pair.negative]
    assert [(pair.layer, pair.unit, pair.other, pair.found) for pair in alike] == [
        ("conv2", 0, 1, True),
        ("conv1", 0, 2, False),
        ("conv2", 1, 4, False),
        ("conv2", 0, 2, False),
    ]


class Clamp(nn.Module):
    """An activation function that is called, not a module of PyTorch."""

    def __init__(self, *limits, **named):
        super().__init__()
        self.limits, self.named = limits, named

    def forward(self, maps):
        return torch.clamp(maps, *self.limits, **self.named)


@pytest.mark.parametrize(
    ("activation", "limit"), [(Clamp(0.5, 4.0), 4), (Clamp(0.5), np.inf), (Clamp(max=3.0), 3), (Clamp(min=0.5, max=2.0), 2)]
)
def test_the_limit_of_a_clamp_is_the_larger_one(activation, limit):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), activation, nn.MaxPool2d(2)).eval()
    found = ModelBundle.from_module(net, input_size=(3, 12, 12), task=None, name="net").network
    assert [upper_limit(found, name) for name in ("1", "2")] == [limit, limit]


def test_the_findings_of_the_first_layer_name_their_own_shares():
    aliased = np.array([0.6, 0.3, 0.05, 0.9] + [0.0] * 20)
    layer = replace(first_layer(), aliased=aliased, aliased_mean=float(aliased.mean()), mean_shares=(0.2, 0.3, 0.5))
    finding = aliasing(layer)
    assert (finding.level, finding.count_text) == ("clear", "2 of 24")
    assert finding.summary == (
        "8% of what a first-layer filter computes, on average, is finer than a stride of 4 can carry; in 2 units more than half is."
    )
    assert [(unit.unit, unit.text) for unit in finding.units] == [(3, "90% aliased"), (0, "60% aliased"), (1, "30% aliased")]
    finding = frequencies(layer)
    assert (finding.level, finding.count_text) == ("near", "50% high")
    assert finding.summary == "Low 20, middle 30, high 50% of a filter's energy, on average (noise: 1, 9, 90)."
