"""Evaluations from the values of a layer equal those of the whole model, and do not read photographs twice."""

import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.compute.job import JobContext
from deconvwidgets.instruments.evaluation.compute.evaluate import EvaluationPlan
from deconvwidgets.instruments.evaluation.compute.layer_values_cache import LayerValuesCache
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess

QUIET = {"progress": False, "device": "cpu", "store": "memory"}
CLASSES = ("ant", "bee", "cow")


class Residual(nn.Module):
    """A network with a branch that passes by its second convolution."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = nn.Conv2d(3, 6, 3, stride=2), nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(6, 6, 1)
        self.head = nn.Linear(6, 3)

    def forward(self, batch):
        skip = self.first(batch).relu_()
        return self.head((self.third(self.second(skip).relu()) + skip).relu().mean((2, 3))) * 30


@pytest.fixture
def residual(small):
    torch.manual_seed(3)
    return ModelBundle.from_module(Residual().eval(), transform=small(3).transform, categories=CLASSES, name="residual")


def evaluate(bundle, images, cache):
    plan = EvaluationPlan.of(bundle, images, None, None)
    return plan.run("memory", JobContext(), runner=cache.runner(bundle, images, len(plan.labels.sources)))


@pytest.mark.parametrize("layer", ["conv1", "conv2", "second", "conv3"])
def test_the_outputs_are_those_of_the_whole_model(residual, photographs, layer):
    images = photographs([number % 3 for number in range(30)], CLASSES, broken={4})
    cache = LayerValuesCache()
    for units in ({(layer, 1): 0.0}, {(layer, 0): 2.5, (layer, 5): 0.0}, {(layer, 1): 0.0}):
        changed = residual.with_units(units)
        expected = dw.evaluate(changed, images, **QUIET)
        images.opened.clear()
        found = evaluate(changed, images, cache)
        np.testing.assert_allclose(found.outputs, expected.outputs, rtol=1e-5, atol=1e-6)
        assert found.confusion.tolist() == expected.confusion.tolist()
    assert images.opened == [4], "only the unreadable photograph is opened again"
    assert not np.allclose(dw.evaluate(residual, images, **QUIET).outputs, found.outputs)


def test_the_evaluation_before_stores_what_a_change_needs(residual, photographs):
    images = photographs([number % 3 for number in range(30)], CLASSES)
    cache = LayerValuesCache()
    plain = evaluate(residual, images, cache)
    np.testing.assert_allclose(plain.outputs, dw.evaluate(residual, images, **QUIET).outputs, rtol=1e-5, atol=1e-6)
    images.opened.clear()
    np.testing.assert_array_equal(evaluate(residual, images, cache).outputs, plain.outputs)
    found = evaluate(residual.with_units({("conv3", 1): 0.0}), images, cache)
    assert images.opened == []
    expected = dw.evaluate(residual.with_units({("conv3", 1): 0.0}), images, **QUIET)
    np.testing.assert_allclose(found.outputs, expected.outputs, rtol=1e-5, atol=1e-6)
    assert not np.allclose(found.outputs, plain.outputs)


@pytest.mark.parametrize("units", [{("pool2", 1): 0.0}, {("conv2", 0): 0.5, ("pool2", 3): 0.0}, {("conv2", 2): 0.0}])
def test_changes_above_the_stored_layer_and_of_several_layers(photographs, units):
    torch.manual_seed(3)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(100, 3))
    with torch.no_grad():
        net[2].bias[2] = -0.8  # its unit is active in some photographs
        net[6].weight.mul_(30)
    images = photographs([number % 3 for number in range(30)], CLASSES)
    transform = Preprocess(resize=16, crop=(16, 16), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    bundle = ModelBundle.from_module(net.eval(), transform=transform, categories=CLASSES, name="stack")
    cache = LayerValuesCache()
    plain = evaluate(bundle, images, cache)
    images.opened.clear()
    changed = bundle.with_units(units)
    runner = cache.runner(changed, images, 30)
    assert runner.values.layer == bundle.network.layer("conv2").name
    found = evaluate(changed, images, cache)
    assert images.opened == []
    with torch.no_grad():  # an independent run, by hooks
        handles = [
            net[{"conv2": 3, "pool2": 4}[layer]].register_forward_hook(
                lambda module, args, output, at=at, factor=factor: scaled(output, at, factor)
            )
            for (layer, at), factor in units.items()
        ]
        batch = torch.stack([bundle.prepare(images.open_source(source)) for source in found.sources])
        expected = net(batch).numpy()
        for handle in handles:
            handle.remove()
    np.testing.assert_allclose(found.outputs, expected, rtol=1e-5, atol=1e-5)
    assert not np.allclose(found.outputs, plain.outputs)
    if ("conv2", 2) in units:
        inactive = ~runner.values.active[found.sources, 2]
        assert 0 < inactive.sum() < 30
        np.testing.assert_array_equal(found.outputs[inactive], plain.outputs[inactive])


def scaled(output, unit, factor):
    output = output.clone()
    output[:, unit] *= factor
    return output


def test_other_models_photographs_and_layers_have_values_of_their_own(residual, photographs, make_head):
    images, others = photographs([0, 1, 2], CLASSES), photographs([0, 1, 2], CLASSES, seed=5)
    cache = LayerValuesCache()
    for bundle, photos, units in (
        (residual, images, {("conv2", 1): 0.0}),
        (residual, others, {("conv2", 1): 0.0}),
        (residual, others, {("conv1", 1): 0.0}),
        (residual.with_head(make_head(residual, "conv3", 3)), others, {("conv1", 1): 0.0}),
    ):
        changed = bundle.with_units(units)
        runner = cache.runner(changed, photos, 3)
        assert not isinstance(runner, str)
        assert not runner.known(np.arange(3)).any()
        runner.values.done[:] = True


def test_when_the_whole_model_is_run(residual, photographs):
    images = photographs([0, 1, 2], CLASSES)
    both = residual.with_units({("conv1", 1): 0.0, ("conv2", 1): 0.0})
    assert LayerValuesCache().runner(both, images, 3).values.layer == residual.network.layer("conv1").name
    for bundle in (residual, residual.with_units({("conv1", 1): 0.0})):
        assert "0.0 GB, and the limit is 0.0 GB" in LayerValuesCache(max_bytes=100).runner(bundle, images, 3)


def test_the_values_used_longest_ago_are_forgotten(residual, photographs):
    images, cache = photographs([0, 1, 2], CLASSES), LayerValuesCache(max_bytes=9000)
    sizes = {}
    for layer in ("conv3", "conv2", "conv1", "conv3"):
        runner = cache.runner(residual.with_units({(layer, 1): 0.0}), images, 3)
        sizes[layer] = runner.values.bytes_each * 3
        runner.values.done[:] = layer != "conv1"
        assert sum(entry.size for entry in cache._entries) <= 9000
    assert sum(sizes.values()) > 9000
