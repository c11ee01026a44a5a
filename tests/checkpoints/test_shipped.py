"""The checkpoints that come with the package."""

import torch

import deconvwidgets as dw
from deconvwidgets.models.small_convnet import SmallConvNet


def test_the_checkpoints_that_come_with_the_package_are_what_they_say():
    checkpoints = dw.open_checkpoints("caltech14")
    assert checkpoints.epochs == (0, 1, 2, 5, 10, 15, 20, 30)
    assert len(checkpoints.categories) == 14
    assert [checkpoints.bundle(epoch).trained for epoch in checkpoints.epochs] == [False] + 7 * [True]
    assert "random" in checkpoints.bundle(0).weights
    log = {epoch.epoch: epoch for epoch in checkpoints.log.epochs}
    assert set(checkpoints.epochs) <= set(log)
    assert round(log[30].validation_top1 * 245) == 207
    bundle = checkpoints.bundle(30)
    assert isinstance(bundle.model, SmallConvNet)
    assert {parameter.dtype for parameter in bundle.model.parameters()} == {torch.float32}
    assert sum(checkpoint.path.stat().st_size for checkpoint in checkpoints) < 2.5e6
