"""Evaluations from the values of a layer equal those of the whole model, and do not read photographs twice."""

import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.compute.job import JobContext
from deconvwidgets.instruments.evaluation.compute.evaluate import EvaluationPlan
from deconvwidgets.instruments.evaluation.compute.layer_values import LayerValuesCache
from deconvwidgets.models.bundle import ModelBundle

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
        assert runner is not None
        assert not runner.known(np.arange(3)).any()
        runner.values.done[:] = True


def test_when_the_whole_model_is_run(residual, photographs):
    images = photographs([0, 1, 2], CLASSES)
    assert LayerValuesCache().runner(residual, images, 3) is None
    assert LayerValuesCache().runner(residual.with_units({("conv1", 1): 0.0, ("conv2", 1): 0.0}), images, 3) is None
    assert LayerValuesCache(max_bytes=100).runner(residual.with_units({("conv1", 1): 0.0}), images, 3) is None
