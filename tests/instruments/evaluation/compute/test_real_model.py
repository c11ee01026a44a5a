"""AlexNet with the head that comes with the package, on photographs of Caltech-101, against a plain PyTorch loop."""

import numpy as np
import pytest
import torch

import deconvwidgets as dw
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import PictureError
from deconvwidgets.images.folders import find_caltech
from deconvwidgets.instruments.evaluation.compute.evaluate import EvaluationPlan
from deconvwidgets.instruments.evaluation.compute.layer_values_cache import LayerValuesCache

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def images():
    try:
        find_caltech("caltech101")
    except PictureError as error:
        pytest.skip(str(error))
    return dw.open_images("caltech101", limit=120)


def test_alexnet_on_caltech101(images):
    bundle = dw.load_model("alexnet").with_head("caltech101")
    found = dw.evaluate(bundle, images, progress=False, device="cpu")
    with torch.no_grad():
        batch = torch.stack([bundle.prepare(images.open_source(source)) for source in range(120)])
        outputs = torch.cat([bundle.model(part) for part in batch.split(20)]).numpy()
    np.testing.assert_allclose(found.outputs, outputs, rtol=1e-4, atol=1e-4)
    right = outputs.argmax(1) == np.array([images.label(source) for source in range(120)])
    assert found.accuracy == pytest.approx(right.mean(), abs=1 / 120)  # a near tie
    assert found.accuracy > 0.85
    assert {match.how for match in found.matches} == {"exact"}


def test_units_of_pool5_are_switched_off_from_its_values(images):
    bundle, cache = dw.load_model("alexnet").with_head("caltech101"), LayerValuesCache()
    for units in ({("pool5", 10): 0.0}, {("pool5", 20): 0.0, ("pool5", 30): 0.0}):
        changed = bundle.with_units(units)
        plan = EvaluationPlan.of(changed, images, None, None)
        found = plan.run("memory", JobContext(), runner=cache.runner(changed, images, 120))
    with torch.no_grad():
        batch = torch.stack([bundle.prepare(images.open_source(source)) for source in range(120)])
        maps = bundle.network.map(batch, "pool5")
        maps[:, [20, 30]] = 0
        head = bundle.head
        outputs = maps.flatten(1) @ torch.from_numpy(head.weight).float().T + torch.from_numpy(head.bias)
    np.testing.assert_allclose(found.outputs, outputs.numpy(), rtol=1e-4, atol=1e-4)
