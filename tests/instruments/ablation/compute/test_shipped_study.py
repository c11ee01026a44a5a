"""The study that comes with the package, against its own weights and photographs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import PictureError
from deconvwidgets.images.folders import find_caltech
from deconvwidgets.images.labels import labels_of
from deconvwidgets.images.splits import hold_out

BEFORE, AFTER = "11 x 11, stride 4", "7 x 7, stride 2"


def network(classes):
    """As in the notebook."""
    return nn.Sequential(
        nn.Conv2d(3, 24, 11, stride=4, padding=5), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(24, 48, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(48, 64, 3, padding=1), nn.ReLU(),
        nn.Conv2d(64, 96, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.5), nn.Linear(96 * 4, classes),
    )  # fmt: skip


@pytest.fixture(scope="module")
def study():
    trained = dw.AblationStudy("first-layer", build={BEFORE: network}).checkpoints(BEFORE, 0).bundle(0)
    return dw.AblationStudy("first-layer", build={BEFORE: trained, AFTER: dw.surgery.change_first_layer(trained, 7, 2)})


def test_it_is_complete_and_its_difference_is_that_of_its_logs(study):
    assert repr(study) == "AblationStudy(2 variants, 20 of 20 runs complete, in first-layer)"
    errors = [[1 - study.log(name, seed).epochs[-1].validation_top1 for seed in range(10)] for name in (BEFORE, AFTER)]
    change = np.subtract(*reversed(errors))
    difference = study.table.row(AFTER).top1_difference
    half = 2.2621571628 * change.std(ddof=1) / np.sqrt(10)  # Student's t, 9 degrees of freedom, 97.5%
    assert difference.mean == pytest.approx(change.mean())
    assert difference.interval == pytest.approx((change.mean() - half, change.mean() + half))


def test_the_changed_network_starts_from_the_resampled_filters(study):
    started, changed = study.checkpoints(AFTER, 0).bundle(0), dw.surgery.change_first_layer(study.checkpoints(BEFORE, 0).bundle(0), 7, 2)
    for name, tensor in changed.model.state_dict().items():
        torch.testing.assert_close(started.model.state_dict()[name], tensor, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_the_weights_have_the_errors_of_the_logs(study):
    try:
        find_caltech("caltech101")
    except PictureError as error:
        pytest.skip(str(error))
    images = dw.open_images("caltech101").only_classes(study.description.classes)
    held_out = images.subset(hold_out(labels_of(images), 0.25, 0).test)
    for name in (BEFORE, AFTER):
        bundle = study.bundle(name, 0)
        inputs = torch.stack([bundle.transform(held_out.open_crop(number)) for number in range(len(held_out))])
        with torch.no_grad():
            predicted = bundle.model(inputs).argmax(1).numpy()
        wrong = int((predicted != labels_of(held_out)).sum())
        logged = 245 * (1 - study.log(name, 0).epochs[-1].validation_top1)
        assert abs(wrong - logged) <= 1  # float16
